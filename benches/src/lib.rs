//! kasasagi beside its peers: what the benchmarks of `benches/` share.
//!
//! Each workload is written once, over [`Peer`]; [`Suite`] runs it for every peer, round by round, and writes what
//! it measured: tables for the eye, lines of JSON for the [`report`]. Rows about memory and servers run in a child
//! process for each peer.

pub mod allocator;
pub mod by_hand;
pub mod column;
pub mod epoll;
pub mod load;
pub mod peer;
pub mod pool;
pub mod process;
mod record;
pub mod report;
pub mod row;
pub mod server;
pub mod strace;
pub mod suite;

pub use peer::channels::{Channels, Reader};
pub use peer::locks::Locks;
pub use peer::{Kasasagi, Peer, Smol, SmolStatic, Tokio};
pub use row::{Beside, ChildRow, Figure, Row, median, per_op, percentile};
pub use suite::Suite;
