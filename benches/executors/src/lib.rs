//! Nothing: the tests beside it run every primitive of kasasagi under other executors.
