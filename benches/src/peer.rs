//! Peer: what a workload may ask of a runtime.

pub mod channels;
mod hello;
mod kasasagi;
pub mod locks;
mod smol;
mod tokio;

pub use self::kasasagi::Kasasagi;
pub use self::smol::{Smol, SmolStatic};
pub use self::tokio::Tokio;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A runtime that was started once and lasts as long as the process.
pub trait Peer: Copy + Send + Sync + 'static {
    /// What it is called in the tables.
    const NAME: &'static str;

    /// A spawned task; its output, when awaited.
    type Handle<T: Send + 'static>: Future<Output = T> + Send + 'static;

    /// The side of a promised number that sets it.
    type Promise: Send + 'static;

    /// The side that waits for it.
    type Pending: Future<Output = u64> + Send + 'static;

    /// For one value, for all messages, for the latest value.
    type Channels: channels::Channels;

    /// Locks, permits, flags, meetings.
    type Locks: locks::Locks;

    /// The side of a queue that puts.
    type Sender: Clone + Send + Sync + 'static;

    /// The side that takes; the only one.
    type Receiver: Send + 'static;

    /// A listening socket.
    type Listener: Send + Sync + 'static;

    /// A connection.
    type Stream: Send + Sync + 'static;

    /// Starts it with so many workers.
    fn start(workers: usize) -> Self;

    /// Runs a future to its end; the calling thread works too, if that is the peer's way.
    fn block_on<F: Future>(self, future: F) -> F::Output;

    /// Spawns a task, from inside or outside.
    fn spawn<F>(self, future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Lets a task run without its handle.
    fn detach<T: Send + 'static>(handle: Self::Handle<T>) {
        drop(handle);
    }

    /// The peer's own yield.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// The peer's own sleep.
    fn sleep(time: Duration) -> impl Future<Output = ()> + Send;

    /// Whether `future` was ready in time; the peer's own timeout, or the way its users write one.
    fn timeout<F: Future + Send>(time: Duration, future: F) -> impl Future<Output = bool> + Send;

    /// A number that will be set once: the peer's own oneshot, or the one that its users take.
    fn promise() -> (Self::Promise, Self::Pending);

    /// Sets it.
    fn keep(promise: Self::Promise, value: u64);

    /// A queue of the peer's own with room for so many, or without a bound; or the one that its users take.
    fn channel(capacity: Option<usize>) -> (Self::Sender, Self::Receiver);

    /// Puts a number; the other side lives.
    fn send(sender: &Self::Sender, value: u64) -> impl Future<Output = ()> + Send;

    /// Takes one; the other side lives.
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = u64> + Send;

    /// Runs all as tasks and waits for every output, as the peer's users would; the order may be any.
    fn gather<F>(self, futures: Vec<F>) -> impl Future<Output = Vec<F::Output>> + Send
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Runs all as tasks and takes the outputs as they come; how many came.
    fn as_completed<F>(self, futures: Vec<F>) -> impl Future<Output = usize> + Send
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Runs all as tasks of one group that are spawned one by one, and waits until all have ended.
    fn group<F>(self, futures: Vec<F>) -> impl Future<Output = ()> + Send
    where
        F: Future<Output = ()> + Send + 'static;

    /// Asks all to end, and waits until they have.
    fn cancel_all<T: Send + 'static>(
        tasks: Vec<Self::Handle<T>>,
    ) -> impl Future<Output = ()> + Send;

    /// Runs a closure on a thread that may block: the peer's own way, or that of its users. Called inside.
    fn lend<T: Send + 'static>(
        self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static;

    /// The same from a thread that is no worker, which waits.
    fn lend_and_wait<T: Send + 'static>(self, f: impl FnOnce() -> T + Send + 'static) -> T;

    /// Calls `f` with each number below `n` on as many threads as there are workers, in order.
    fn map(self, n: u64, f: fn(u64) -> u64) -> impl Future<Output = Vec<u64>> + Send {
        chunked(self, n, f)
    }

    /// Takes over a listening socket of std; called inside.
    fn listener(socket: std::net::TcpListener) -> io::Result<Self::Listener>;

    /// The next connection.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Connects.
    fn connect(to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Reads what is there.
    fn read(
        stream: &mut Self::Stream,
        buf: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send;

    /// Writes it all.
    fn write_all(
        stream: &mut Self::Stream,
        buf: &[u8],
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// Answers HTTP/1 by hyper and the peer's own way to it, for ever, a task for each connection; with a limit of
    /// 30 seconds for the head of each request, by the peer's own timers, or without timers.
    fn serve_http(self, listener: Self::Listener, timed: bool) -> impl Future<Output = ()> + Send;

    /// Runs `body` as a task on a worker, and waits for it.
    fn inside<F>(self, body: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.block_on(self.spawn(body))
    }
}

/// What users write who have nothing of the kind: some chunks for each worker.
async fn chunked<P: Peer>(peer: P, n: u64, f: fn(u64) -> u64) -> Vec<u64> {
    let size = n.div_ceil(4 * crate::column::WORKERS as u64).max(1);
    let chunk =
        |from: u64| peer.lend(move || (from..n.min(from + size)).map(f).collect::<Vec<_>>());
    let chunks: Vec<_> = (0..n).step_by(size as usize).map(chunk).collect();
    let mut all = Vec::with_capacity(n as usize);
    for chunk in chunks {
        all.append(&mut chunk.await);
    }
    all
}
