//! Benchmarks of kasasagi beside its peers.
