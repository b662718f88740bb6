//! smol: async-executor with threads that run it, and async-io; once with the ordinary executor and once with
//! the static one, which keeps no list of its tasks.

use super::Peer;
use super::hello::{hello, http};
use async_executor::{Executor, StaticExecutor, Task};
use async_io::{Async, Timer};
use futures_channel::oneshot;
use futures_lite::future;
use futures_lite::io::{AsyncReadExt, AsyncWriteExt};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::service::service_fn;
use smol_hyper::rt::{FuturesIo, SmolTimer};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// smol with the ordinary executor.
#[derive(Debug, Clone, Copy)]
pub struct Smol(&'static Executor<'static>);

/// smol with the static executor.
#[derive(Debug, Clone, Copy)]
pub struct SmolStatic(&'static StaticExecutor);

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

macro_rules! smol_peer {
    ($type:ident, $executor:ty, $name:literal) => {
        impl Peer for $type {
            const NAME: &'static str = $name;
            type Handle<T: Send + 'static> = Task<T>;
            type Promise = oneshot::Sender<u64>;
            type Pending = Received;
            type Channels = super::channels::Smol;
            type Locks = super::locks::Smol;
            type Sender = async_channel::Sender<u64>;
            type Receiver = async_channel::Receiver<u64>;
            type Listener = Async<TcpListener>;
            type Stream = Async<TcpStream>;

            fn start(workers: usize) -> Self {
                let executor: &'static $executor = Box::leak(Box::new(<$executor>::new()));
                for _ in 0..workers {
                    std::thread::spawn(|| {
                        async_io::block_on(executor.run(future::pending::<()>()));
                    });
                }
                Self(executor)
            }

            fn block_on<F: Future>(self, future: F) -> F::Output {
                async_io::block_on(future)
            }

            fn spawn<F>(self, future: F) -> Task<F::Output>
            where
                F: Future + Send + 'static,
                F::Output: Send + 'static,
            {
                self.0.spawn(future)
            }

            fn detach<T: Send + 'static>(handle: Task<T>) {
                handle.detach();
            }

            fn yield_now() -> impl Future<Output = ()> + Send {
                future::yield_now()
            }

            async fn sleep(time: Duration) {
                Timer::after(time).await;
            }

            async fn timeout<F: Future + Send>(time: Duration, future: F) -> bool {
                let late = async {
                    Timer::after(time).await;
                    false
                };
                let ready = async {
                    future.await;
                    true
                };
                future::or(ready, late).await
            }

            fn promise() -> (oneshot::Sender<u64>, Received) {
                let (send, receive) = oneshot::channel();
                (send, Received(receive))
            }

            fn keep(promise: oneshot::Sender<u64>, value: u64) {
                promise.send(value).expect("the other side waits");
            }

            fn channel(capacity: Option<usize>) -> (Self::Sender, Self::Receiver) {
                capacity.map_or_else(async_channel::unbounded, async_channel::bounded)
            }

            async fn send(sender: &Self::Sender, value: u64) {
                sender.send(value).await.expect("it is open");
            }

            async fn receive(receiver: &mut Self::Receiver) -> u64 {
                receiver.recv().await.expect("it is open")
            }

            fn lend<T: Send + 'static>(
                self,
                f: impl FnOnce() -> T + Send + 'static,
            ) -> impl Future<Output = T> + Send + 'static {
                blocking::unblock(f)
            }

            fn lend_and_wait<T: Send + 'static>(self, f: impl FnOnce() -> T + Send + 'static) -> T {
                future::block_on(blocking::unblock(f))
            }

            async fn gather<F>(self, futures: Vec<F>) -> Vec<F::Output>
            where
                F: Future + Send + 'static,
                F::Output: Send + 'static,
            {
                let tasks: Vec<_> = futures.into_iter().map(|one| self.0.spawn(one)).collect();
                let mut outputs = Vec::with_capacity(tasks.len());
                for task in tasks {
                    outputs.push(task.await);
                }
                outputs
            }

            async fn as_completed<F>(self, futures: Vec<F>) -> usize
            where
                F: Future + Send + 'static,
                F::Output: Send + 'static,
            {
                let ends: FuturesUnordered<_> =
                    futures.into_iter().map(|one| self.0.spawn(one)).collect();
                ends.count().await
            }

            async fn group<F>(self, futures: Vec<F>)
            where
                F: Future<Output = ()> + Send + 'static,
            {
                self.gather(futures).await;
            }

            async fn cancel_all<T: Send + 'static>(tasks: Vec<Task<T>>) {
                futures_util::future::join_all(tasks.into_iter().map(Task::cancel)).await;
            }

            fn listener(socket: TcpListener) -> io::Result<Async<TcpListener>> {
                Async::new(socket)
            }

            async fn accept(listener: &Async<TcpListener>) -> io::Result<Async<TcpStream>> {
                Ok(listener.accept().await?.0)
            }

            async fn connect(to: SocketAddr) -> io::Result<Async<TcpStream>> {
                Async::<TcpStream>::connect(to).await
            }

            async fn read(stream: &mut Async<TcpStream>, buf: &mut [u8]) -> io::Result<usize> {
                stream.read(buf).await
            }

            async fn write_all(stream: &mut Async<TcpStream>, buf: &[u8]) -> io::Result<()> {
                stream.write_all(buf).await
            }

            async fn serve_http(self, listener: Async<TcpListener>, timed: bool) {
                let http = http(timed, SmolTimer::new());
                loop {
                    let stream = Self::accept(&listener).await.expect("connections come");
                    let connection =
                        http.serve_connection(FuturesIo::new(stream), service_fn(hello));
                    Self::detach(self.spawn(connection));
                }
            }
        }
    };
}

smol_peer!(Smol, Executor<'static>, "smol");
smol_peer!(SmolStatic, StaticExecutor, "smol-static");
