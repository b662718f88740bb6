//! tokio: its multi-threaded runtime; the thread in `block_on` only waits.

use super::Peer;
use super::hello::{hello, http};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// tokio.
#[derive(Debug, Clone, Copy)]
pub struct Tokio(&'static Runtime);

/// The side of a channel that sends.
#[derive(Debug, Clone)]
pub enum Sender {
    /// With room for so many.
    Bounded(mpsc::Sender<u64>),
    /// That never waits.
    Unbounded(mpsc::UnboundedSender<u64>),
}

/// The side that receives.
#[derive(Debug)]
pub enum Receiver {
    /// With room for so many.
    Bounded(mpsc::Receiver<u64>),
    /// That never makes anybody wait.
    Unbounded(mpsc::UnboundedReceiver<u64>),
}

/// A task that does not fail.
#[derive(Debug)]
pub struct Joined<T>(JoinHandle<T>);

impl<T> Future for Joined<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let output = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(output.expect("tasks of benchmarks do not fail"))
    }
}

/// A number that is sent.
#[derive(Debug)]
pub struct Received(oneshot::Receiver<u64>);

impl Future for Received {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        let received = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(received.expect("promises of benchmarks are kept"))
    }
}

impl Peer for Tokio {
    const NAME: &'static str = "tokio";
    type Handle<T: Send + 'static> = Joined<T>;
    type Promise = oneshot::Sender<u64>;
    type Pending = Received;
    type Channels = super::channels::Tokio;
    type Locks = super::locks::Tokio;
    type Sender = Sender;
    type Receiver = Receiver;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn start(workers: usize) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .expect("a runtime starts");
        Self(Box::leak(Box::new(runtime)))
    }

    fn block_on<F: Future>(self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn<F>(self, future: F) -> Joined<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined(self.0.spawn(future))
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }

    async fn timeout<F: Future + Send>(time: Duration, future: F) -> bool {
        tokio::time::timeout(time, future).await.is_ok()
    }

    fn promise() -> (oneshot::Sender<u64>, Received) {
        let (send, receive) = oneshot::channel();
        (send, Received(receive))
    }

    fn keep(promise: oneshot::Sender<u64>, value: u64) {
        promise.send(value).expect("the other side waits");
    }

    fn channel(capacity: Option<usize>) -> (Sender, Receiver) {
        if let Some(capacity) = capacity {
            let (sender, receiver) = mpsc::channel(capacity);
            (Sender::Bounded(sender), Receiver::Bounded(receiver))
        } else {
            let (sender, receiver) = mpsc::unbounded_channel();
            (Sender::Unbounded(sender), Receiver::Unbounded(receiver))
        }
    }

    async fn send(sender: &Sender, value: u64) {
        let sent = match sender {
            Sender::Bounded(sender) => sender.send(value).await,
            Sender::Unbounded(sender) => sender.send(value),
        };
        sent.expect("it is open");
    }

    async fn receive(receiver: &mut Receiver) -> u64 {
        let received = match receiver {
            Receiver::Bounded(receiver) => receiver.recv().await,
            Receiver::Unbounded(receiver) => receiver.recv().await,
        };
        received.expect("it is open")
    }

    async fn gather<F>(self, futures: Vec<F>) -> Vec<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut set: JoinSet<F::Output> = futures.into_iter().collect();
        let mut outputs = Vec::with_capacity(set.len());
        while let Some(output) = set.join_next().await {
            outputs.push(output.expect("tasks of benchmarks do not fail"));
        }
        outputs
    }

    fn lend<T: Send + 'static>(
        self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        Joined(tokio::task::spawn_blocking(f))
    }

    fn lend_and_wait<T: Send + 'static>(self, f: impl FnOnce() -> T + Send + 'static) -> T {
        self.0.block_on(Joined(self.0.spawn_blocking(f)))
    }

    async fn as_completed<F>(self, futures: Vec<F>) -> usize
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut ends: FuturesUnordered<_> = futures.into_iter().map(tokio::spawn).collect();
        let mut count = 0;
        while let Some(output) = ends.next().await {
            output.expect("tasks of benchmarks do not fail");
            count += 1;
        }
        count
    }

    async fn group<F>(self, futures: Vec<F>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut set = JoinSet::new();
        for future in futures {
            set.spawn(future);
        }
        while let Some(output) = set.join_next().await {
            output.expect("tasks of benchmarks do not fail");
        }
    }

    async fn cancel_all<T: Send + 'static>(tasks: Vec<Joined<T>>) {
        tasks.iter().for_each(|task| task.0.abort());
        for task in tasks {
            assert!(task.0.await.is_err_and(|error| error.is_cancelled()), "it was asked to end");
        }
    }

    fn listener(socket: std::net::TcpListener) -> io::Result<TcpListener> {
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket)
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        Ok(listener.accept().await?.0)
    }

    async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }

    async fn read(stream: &mut TcpStream, buf: &mut [u8]) -> io::Result<usize> {
        stream.read(buf).await
    }

    async fn write_all(stream: &mut TcpStream, buf: &[u8]) -> io::Result<()> {
        stream.write_all(buf).await
    }

    async fn serve_http(self, listener: TcpListener, timed: bool) {
        let http = http(timed, TokioTimer::new());
        loop {
            let stream = Self::accept(&listener).await.expect("connections come");
            let connection = http.serve_connection(TokioIo::new(stream), service_fn(hello));
            Self::detach(self.spawn(connection));
        }
    }
}
