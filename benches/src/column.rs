//! Column: who is measured; the async peers, the pools of threads, and the floor.

use crate::peer::{Kasasagi, Peer, Smol, SmolStatic, Tokio};
use std::any::Any;
use std::sync::OnceLock;

/// Workers of each peer.
pub const WORKERS: usize = 2;

/// All columns in the order of the tables; the async peers come first.
pub const NAMES: [&str; 9] = [
    Kasasagi::NAME,
    Tokio::NAME,
    Smol::NAME,
    SmolStatic::NAME,
    RAYON,
    THREADS,
    THREADPOOL,
    PYTHON,
    FLOOR,
];

/// How many of the columns are async peers.
pub const PEERS: usize = 4;

/// rayon's pool.
pub const RAYON: &str = "rayon";
/// Plain threads that take boxed jobs from one crossbeam-channel.
pub const THREADS: &str = "threads";
/// The crate of this name.
pub const THREADPOOL: &str = "threadpool";
/// The same in Python, where there is a python3.
pub const PYTHON: &str = "python";
/// The least that the machine asks for the same, done by hand.
pub const FLOOR: &str = "floor";

/// The number of a column.
pub fn index_of(name: &str) -> usize {
    let index = NAMES.iter().position(|known| *known == name);
    index.unwrap_or_else(|| panic!("no such column: {name}; there are: {}", NAMES.join(", ")))
}

/// The peer, started at its first use.
pub fn peer<P: Peer>() -> P {
    // One cell for each type: statics in generic functions are shared by all types.
    static STARTED: OnceLock<[OnceLock<Box<dyn Any + Send + Sync>>; PEERS]> = OnceLock::new();
    let cell = &STARTED.get_or_init(Default::default)[index_of(P::NAME)];
    *cell
        .get_or_init(|| Box::new(P::start(WORKERS)))
        .downcast_ref::<P>()
        .expect("the cell of this peer")
}

/// Something to be done with a peer that is known by its number.
pub trait WithPeer {
    /// What comes of it.
    type Output;
    /// Does it.
    fn with<P: Peer>(&self, peer: P) -> Self::Output;
}

/// Does it with the peer of this number.
pub fn with_peer<W: WithPeer>(index: usize, what: &W) -> W::Output {
    match NAMES[index] {
        Kasasagi::NAME => what.with(peer::<Kasasagi>()),
        Tokio::NAME => what.with(peer::<Tokio>()),
        Smol::NAME => what.with(peer::<Smol>()),
        SmolStatic::NAME => what.with(peer::<SmolStatic>()),
        other => panic!("{other} runs no futures"),
    }
}
