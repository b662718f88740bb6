//! Accepting, and what to do when the system has nothing to accept with.
//!
//! A shortage (no descriptors, no memory) leaves the connection in the queue and the socket readable: to try
//! again at once would spin. The pause grows while the shortage lasts and is remembered by the listener, so
//! that a program that drops the future and starts anew is not faster for it.

use crate::sys::{self, AcceptFault};
use crate::tcp::listener::TcpListener;
use crate::tcp::stream::TcpStream;
use futures_core::Stream;
use kasasagi_primitive::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_reactor::Direction;
use kasasagi_reactor::time::{Sleep, sleep};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// The first pause: long enough for some connection to end, short enough not to be seen. Go's figure.
const FIRST: Duration = Duration::from_millis(5);
/// The longest pause. Go's and asyncio's figure.
const LONGEST: Duration = Duration::from_secs(1);

/// How a listener fares with the system's means.
#[derive(Debug)]
pub(crate) struct Shortage {
    /// Pauses since the last success; the length of the next.
    in_a_row: AtomicU32,
    pauses: AtomicU64,
}

impl Shortage {
    pub(crate) fn new() -> Self {
        Self { in_a_row: AtomicU32::new(0), pauses: AtomicU64::new(0) }
    }

    pub(crate) fn pauses(&self) -> u64 {
        self.pauses.load(Ordering::Relaxed)
    }

    fn next_pause(&self) -> Duration {
        self.pauses.fetch_add(1, Ordering::Relaxed);
        // Two acceptors that count at once make it grow faster, which is no harm: Relaxed.
        pause(self.in_a_row.fetch_add(1, Ordering::Relaxed))
    }

    fn over(&self) {
        if self.in_a_row.load(Ordering::Relaxed) != 0 {
            self.in_a_row.store(0, Ordering::Relaxed);
        }
    }
}

fn pause(in_a_row: u32) -> Duration {
    FIRST.saturating_mul(1 << in_a_row.min(16)).min(LONGEST)
}

/// Waits for a connection; made by [`TcpListener::accept`].
#[must_use = "nothing is accepted unless awaited"]
pub struct Accept<'a> {
    listener: &'a TcpListener,
    /// The pause of a shortage; boxed, since it is rare and does not move.
    pause: Option<Pin<Box<Sleep>>>,
    place: &'static Location<'static>,
}

impl<'a> Accept<'a> {
    pub(crate) fn new(listener: &'a TcpListener, place: &'static Location<'static>) -> Self {
        Self { listener, pause: None, place }
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            if let Some(pause) = &mut self.pause {
                if pause.as_mut().poll(cx).is_pending() {
                    let resource = std::ptr::from_ref(self.listener).addr();
                    task_context::waiting(WaitKind::Sleep, resource, self.place);
                    return Poll::Pending;
                }
                self.pause = None;
            }
            let io = &self.listener.io;
            let outcome = ready!(io.poll_io(cx, Direction::Read, self.place, |io| io.accept()));
            match outcome {
                Ok((stream, from)) => {
                    self.listener.shortage.over();
                    match self.adopt(stream) {
                        Ok(stream) => return Poll::Ready(Ok((stream, from))),
                        Err(_gone) => continue,
                    }
                }
                Err(error) => match sys::classify(&error) {
                    AcceptFault::Skip => {}
                    AcceptFault::Exhausted => {
                        self.pause = Some(Box::pin(sleep(self.listener.shortage.next_pause())));
                    }
                    AcceptFault::Fatal => return Poll::Ready(Err(error)),
                },
            }
        }
    }

    /// Makes a stream of an accepted socket; an error is the one connection's, and closes it.
    fn adopt(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
        if !sys::INHERITS_NODELAY {
            stream.set_nodelay(true)?;
        }
        // A client that has something to say has often said it by now: the first read is tried at once.
        TcpStream::with_readiness(stream, true, true, self.place)
    }
}

impl Future for Accept<'_> {
    type Output = io::Result<(TcpStream, SocketAddr)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_accept(cx)
    }
}

/// Connections as they come; made by [`TcpListener::incoming`].
#[must_use = "nothing is accepted unless the stream is polled"]
#[derive(Debug)]
pub struct Incoming<'a> {
    accept: Accept<'a>,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(accept: Accept<'a>) -> Self {
        Self { accept }
    }
}

impl Stream for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.accept.poll_accept(cx).map(|outcome| Some(outcome.map(|(stream, _)| stream)))
    }
}

impl fmt::Debug for Accept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("listener", self.listener)
            .field("pausing", &self.pause.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_5_ms_and_stop_at_1_s() {
        let pauses: Vec<_> = (0..10).map(|n| pause(n).as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(pause(u32::MAX), LONGEST);
    }
}
