//! Channels: for one value, for all messages, for the latest value; kasasagi's and tokio's.
//!
//! tokio's need no runtime. smol has no broadcast and no watch of its own, and so takes tokio's; for one value its users
//! take futures-channel.

use std::future::Future;

/// The channels that a peer's users take.
pub trait Channels: Send + Sync + 'static {
    /// A channel for one value: what sends it, and what waits for it.
    fn oneshot()
    -> (impl FnOnce(u64) + Send + 'static, impl Future<Output = u64> + Send + Unpin + 'static);

    /// A channel for messages to all of so many readers: what sends them, and the readers.
    fn broadcast(
        capacity: usize,
        readers: usize,
    ) -> (impl Fn(u64) + Send + 'static, Vec<impl Reader>);

    /// A channel for the latest value: what sets it, and so many who see it.
    fn watch(readers: usize) -> (impl Fn(u64) + Send + 'static, Vec<impl Reader>);
}

/// One who gets what is sent, for as long as there is a sender.
pub trait Reader: Send + 'static {
    /// The next message, or the next value that is seen.
    fn next(&mut self) -> impl Future<Output = Option<u64>> + Send;
}

/// kasasagi's.
#[derive(Debug)]
pub struct Kasasagi;

/// tokio's.
#[derive(Debug)]
pub struct Tokio;

/// tokio's, but for one value.
#[derive(Debug)]
pub struct Smol;

macro_rules! readers {
    ($broadcast:path, $watch:path) => {
        impl Reader for $broadcast {
            async fn next(&mut self) -> Option<u64> {
                self.recv().await.ok()
            }
        }

        impl Reader for $watch {
            async fn next(&mut self) -> Option<u64> {
                self.changed().await.ok()?;
                Some(*self.borrow_and_update())
            }
        }
    };
}

readers!(kasasagi::sync::broadcast::Receiver<u64>, kasasagi::sync::watch::Receiver<u64>);
readers!(tokio::sync::broadcast::Receiver<u64>, tokio::sync::watch::Receiver<u64>);

macro_rules! channels {
    ($peer:ty, $oneshot:ident, $from:ident) => {
        impl Channels for $peer {
            fn oneshot() -> (
                impl FnOnce(u64) + Send + 'static,
                impl Future<Output = u64> + Send + Unpin + 'static,
            ) {
                let (sender, receiver) = $oneshot::oneshot::channel();
                let send = |value| sender.send(value).expect("the other side waits");
                (send, Received(receiver))
            }

            fn broadcast(
                capacity: usize,
                readers: usize,
            ) -> (impl Fn(u64) + Send + 'static, Vec<impl Reader>) {
                let (sender, first) = $from::broadcast::channel(capacity);
                let mut all = vec![first];
                all.extend((1..readers).map(|_| sender.subscribe()));
                let send = move |value| {
                    sender.send(value).expect("there are readers");
                };
                (send, all)
            }

            fn watch(readers: usize) -> (impl Fn(u64) + Send + 'static, Vec<impl Reader>) {
                let (sender, first) = $from::watch::channel(0);
                let all = vec![first; readers];
                (move |value| sender.send(value).expect("there are readers"), all)
            }
        }
    };
}

use futures_channel as futures;
use kasasagi::sync as ours;
use tokio::sync as theirs;

channels!(Kasasagi, ours, ours);
channels!(Tokio, theirs, theirs);
channels!(Smol, futures, theirs);

/// A value that is sent.
struct Received<F>(F);

impl<F: Future<Output = Result<u64, E>> + Unpin, E: std::fmt::Debug> Future for Received<F> {
    type Output = u64;

    #[inline]
    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<u64> {
        let received = std::task::ready!(std::pin::Pin::new(&mut self.0).poll(cx));
        std::task::Poll::Ready(received.expect("it is sent"))
    }
}
