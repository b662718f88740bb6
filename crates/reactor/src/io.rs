//! Readiness of file descriptors: from the poller's events to wakers.

pub(crate) mod async_io;
pub(crate) mod kind;
pub(crate) mod poller;
pub(crate) mod source;
pub(crate) mod table;
