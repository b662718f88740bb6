//! The named futures of reading and writing: each remembers where it was called.

use crate::tcp::stream::TcpStream;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl TcpStream {
    /// Reads what is there into the front of `buf`, waiting until there is something; returns how much.
    ///
    /// 0 means that the peer has closed its side, or that `buf` is empty. Short counts are usual.
    ///
    /// # Errors
    /// The system's: `ConnectionReset` where the peer has gone with bytes unread.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has read nothing.
    ///
    /// Counterpart: `StreamReader.read`, `loop.sock_recv`.
    #[track_caller]
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a> {
        Read { stream: self, buf, place: Location::caller() }
    }

    /// Reads without taking: the next read gets the same bytes again.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has done nothing.
    #[track_caller]
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Peek<'a> {
        Peek { stream: self, buf, place: Location::caller() }
    }

    /// Fills `buf`.
    ///
    /// # Errors
    /// `UnexpectedEof`, with how much there was, where the stream ends before; else as [`read`](Self::read).
    /// The front of `buf` holds what came.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropped part way, bytes in the front of `buf` have been taken; use
    /// [`read`](Self::read) and count instead.
    ///
    /// Counterpart: `StreamReader.readexactly`.
    #[track_caller]
    pub fn read_exact<'a>(&'a self, buf: &'a mut [u8]) -> ReadExact<'a> {
        ReadExact { stream: self, buf, filled: 0, place: Location::caller() }
    }

    /// Writes from the front of `buf`, waiting until there is room; returns how much.
    ///
    /// Short counts happen when the peer reads slowly. An empty `buf` writes nothing and does not wait.
    ///
    /// # Errors
    /// The system's: `BrokenPipe`, `ConnectionReset` where the peer is gone.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has written nothing.
    #[track_caller]
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a> {
        Write { stream: self, buf, place: Location::caller() }
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    /// As [`write`](Self::write); some of `buf` may have gone before. `WriteZero` if the system takes nothing.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropped part way, the front of `buf` has been sent; use [`write`](Self::write) and
    /// count instead.
    ///
    /// Counterpart: `StreamWriter.write` with `drain`, `loop.sock_sendall`.
    #[track_caller]
    pub fn write_all<'a>(&'a self, buf: &'a [u8]) -> WriteAll<'a> {
        WriteAll { stream: self, buf, place: Location::caller() }
    }
}

/// Waits for bytes; made by [`TcpStream::read`].
#[must_use = "a read does nothing unless awaited"]
#[derive(Debug)]
pub struct Read<'a> {
    stream: &'a TcpStream,
    buf: &'a mut [u8],
    place: &'static Location<'static>,
}

impl Future for Read<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.stream.poll_read_at(cx, this.place, this.buf)
    }
}

/// Waits for bytes and leaves them; made by [`TcpStream::peek`].
#[must_use = "a peek does nothing unless awaited"]
#[derive(Debug)]
pub struct Peek<'a> {
    stream: &'a TcpStream,
    buf: &'a mut [u8],
    place: &'static Location<'static>,
}

impl Future for Peek<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.stream.poll_peek_at(cx, this.place, this.buf)
    }
}

/// Waits for so many bytes; made by [`TcpStream::read_exact`].
#[must_use = "a read does nothing unless awaited"]
#[derive(Debug)]
pub struct ReadExact<'a> {
    stream: &'a TcpStream,
    buf: &'a mut [u8],
    filled: usize,
    place: &'static Location<'static>,
}

impl Future for ReadExact<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while this.filled < this.buf.len() {
            let rest = &mut this.buf[this.filled..];
            match ready!(this.stream.poll_read_at(cx, this.place, rest))? {
                0 => {
                    let text = format!(
                        "the stream ended after {} of {} bytes",
                        this.filled,
                        this.buf.len()
                    );
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
                }
                n => this.filled += n,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Waits for room; made by [`TcpStream::write`].
#[must_use = "a write does nothing unless awaited"]
#[derive(Debug)]
pub struct Write<'a> {
    stream: &'a TcpStream,
    buf: &'a [u8],
    place: &'static Location<'static>,
}

impl Future for Write<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.stream.poll_write_at(cx, self.place, self.buf)
    }
}

/// Waits until all is written; made by [`TcpStream::write_all`].
#[must_use = "a write does nothing unless awaited"]
#[derive(Debug)]
pub struct WriteAll<'a> {
    stream: &'a TcpStream,
    buf: &'a [u8],
    place: &'static Location<'static>,
}

impl Future for WriteAll<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        while !self.buf.is_empty() {
            let n = ready!(self.stream.poll_write_at(cx, self.place, self.buf))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.buf = &self.buf[n..];
        }
        Poll::Ready(Ok(()))
    }
}
