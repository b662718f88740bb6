//! kasasagi beside its peers: what the benchmarks of `benches/` share.
//!
//! Each workload is written once, over [`Peer`]; [`Suite`] runs it for every peer, round by round, and
//! prints medians and the ratio to tokio of the same round. Rows about memory and servers run in a child
//! process for each peer.

pub mod peer;
pub mod process;
pub mod suite;
mod table;

pub use peer::{Kasasagi, Peer, Smol, SmolStatic, Tokio};
pub use suite::{ChildRow, Figure, Row, Suite, per_op, percentile};
