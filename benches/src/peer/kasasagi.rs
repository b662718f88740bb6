//! kasasagi: a runtime of two seats, of which the thread in `block_on` takes one.

use super::Peer;
use super::hello::{hello, http};
use hyper::service::service_fn;
use kasasagi::net::{TcpListener, TcpStream};
use kasasagi::sync::Queue;
use kasasagi::{Handle, Pending, Promise, Runtime, Task, ThreadPool, time};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// kasasagi.
#[derive(Debug, Clone, Copy)]
pub struct Kasasagi {
    runtime: &'static Runtime,
    handle: &'static Handle,
}

impl Kasasagi {
    /// The runtime's handle, for its counters.
    pub fn handle(self) -> &'static Handle {
        self.handle
    }
}

/// A task that does not fail.
#[derive(Debug)]
pub struct Joined<T>(Task<T>);

impl<T> Future for Joined<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // The handle as a program keeps it; `task.await` would add a word for the place.
        let output = ready!(Pin::new(&mut &mut self.0).poll(cx));
        Poll::Ready(output.expect("tasks of benchmarks do not fail"))
    }
}

/// A number that was promised.
#[derive(Debug)]
pub struct Promised(Pending<u64, ()>);

impl Future for Promised {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        let promised = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(promised.expect("promises of benchmarks are kept"))
    }
}

/// A pool of the program's own, as large as the others'.
fn own_pool() -> &'static ThreadPool {
    static POOL: OnceLock<ThreadPool> = OnceLock::new();
    POOL.get_or_init(|| ThreadPool::new(crate::column::WORKERS))
}

impl Peer for Kasasagi {
    const NAME: &'static str = "kasasagi";
    type Handle<T: Send + 'static> = Joined<T>;
    type Promise = Promise<u64, ()>;
    type Pending = Promised;
    type Channels = super::channels::Kasasagi;
    type Locks = super::locks::Kasasagi;
    type Sender = Queue<u64>;
    type Receiver = Queue<u64>;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn start(workers: usize) -> Self {
        let runtime = Runtime::builder().workers(workers).build().expect("a runtime starts");
        let runtime: &'static Runtime = Box::leak(Box::new(runtime));
        Self { runtime, handle: Box::leak(Box::new(runtime.handle())) }
    }

    fn block_on<F: Future>(self, future: F) -> F::Output {
        self.runtime.run(future).expect("nobody cancels it")
    }

    fn spawn<F>(self, future: F) -> Joined<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined(self.handle.spawn(future))
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        kasasagi::yield_now()
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send {
        time::sleep(time)
    }

    async fn timeout<F: Future + Send>(time: Duration, future: F) -> bool {
        time::timeout(time, future).await.is_ok()
    }

    fn promise() -> (Promise<u64, ()>, Promised) {
        let (promise, pending) = kasasagi::promise();
        (promise, Promised(pending))
    }

    fn keep(promise: Promise<u64, ()>, value: u64) {
        promise.set_result(value).expect("the other side waits");
    }

    fn channel(capacity: Option<usize>) -> (Queue<u64>, Queue<u64>) {
        let queue = capacity.map_or_else(Queue::unbounded, Queue::bounded);
        (queue.clone(), queue)
    }

    async fn send(sender: &Queue<u64>, value: u64) {
        sender.put(value).await.expect("it is open");
    }

    async fn receive(receiver: &mut Queue<u64>) -> u64 {
        receiver.get().await.expect("it is open")
    }

    async fn gather<F>(self, futures: Vec<F>) -> Vec<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let outputs = kasasagi::gather(futures).await;
        outputs.into_iter().map(|output| output.expect("tasks of benchmarks do not fail")).collect()
    }

    fn lend<T: Send + 'static>(
        self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        Joined(kasasagi::to_thread(f))
    }

    fn lend_and_wait<T: Send + 'static>(self, f: impl FnOnce() -> T + Send + 'static) -> T {
        own_pool().submit(f).wait().expect("closures of benchmarks do not fail")
    }

    fn map(self, n: u64, f: fn(u64) -> u64) -> impl Future<Output = Vec<u64>> + Send {
        kasasagi::par_map(0..n, f)
    }

    async fn as_completed<F>(self, futures: Vec<F>) -> usize
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut ends = kasasagi::as_completed(futures);
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
        let group = kasasagi::TaskGroup::<std::convert::Infallible>::scope(|tg| async move {
            for future in futures {
                tg.spawn(future);
            }
            Ok(())
        });
        group.await.expect("tasks of benchmarks do not fail");
    }

    async fn cancel_all<T: Send + 'static>(tasks: Vec<Joined<T>>) {
        tasks.iter().for_each(|task| assert!(task.0.cancel(), "it has not ended"));
        for task in tasks {
            assert!(task.0.await.is_err_and(|error| error.is_cancelled()), "it was asked to end");
        }
    }

    fn listener(socket: std::net::TcpListener) -> io::Result<TcpListener> {
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
        if timed {
            let served = kasasagi_http::serve(listener, service_fn(hello)).run().await;
            return served.expect("the listener lasts");
        }
        let http = http(false, kasasagi_http::Timer::new());
        loop {
            let stream = Self::accept(&listener).await.expect("connections come");
            let connection =
                http.serve_connection(kasasagi_http::Io::new(stream), service_fn(hello));
            Self::detach(self.spawn(connection));
        }
    }
}
