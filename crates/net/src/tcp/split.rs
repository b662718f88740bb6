//! Halves of a connection: one task reads, another writes.
//!
//! A half is a reference, borrowed or counted, and nothing more; the directions do not meet.

use crate::tcp::ops::{Peek, Read, ReadExact, Write, WriteAll};
use crate::tcp::stream::TcpStream;
use futures_io::{AsyncRead, AsyncWrite};
use kasasagi_primitive::sync::Arc;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};

impl TcpStream {
    /// The two directions, borrowed: for two futures of one task. Costs nothing.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        (ReadHalf(self), WriteHalf(self))
    }

    /// The two directions, owned: for two tasks. [`OwnedReadHalf::reunite`] undoes it.
    ///
    /// Dropping the write half ends the writing side, so that the peer reads to its end; the connection is
    /// closed with the last half.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let stream = Arc::new(self);
        let read = OwnedReadHalf(Arc::clone(&stream));
        (read, OwnedWriteHalf { stream, ends: true })
    }
}

/// The reading direction, borrowed; made by [`TcpStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The writing direction, borrowed; made by [`TcpStream::split`]. Its drop does nothing.
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

/// The reading direction, owned; made by [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// The writing direction, owned; made by [`TcpStream::into_split`]. Its drop ends the direction.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    /// Whether the drop ends the direction; not when it comes back together.
    ends: bool,
}

/// Two halves that are not of one connection; both are given back.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves are of different connections")
    }
}

impl std::error::Error for ReuniteError {}

impl ReadHalf<'_> {
    /// As [`TcpStream::read`].
    #[track_caller]
    pub fn read<'b>(&'b mut self, buf: &'b mut [u8]) -> Read<'b> {
        self.0.read(buf)
    }

    /// As [`TcpStream::read_exact`].
    #[track_caller]
    pub fn read_exact<'b>(&'b mut self, buf: &'b mut [u8]) -> ReadExact<'b> {
        self.0.read_exact(buf)
    }

    /// As [`TcpStream::peek`].
    #[track_caller]
    pub fn peek<'b>(&'b mut self, buf: &'b mut [u8]) -> Peek<'b> {
        self.0.peek(buf)
    }
}

impl WriteHalf<'_> {
    /// As [`TcpStream::write`].
    #[track_caller]
    pub fn write<'b>(&'b mut self, buf: &'b [u8]) -> Write<'b> {
        self.0.write(buf)
    }

    /// As [`TcpStream::write_all`].
    #[track_caller]
    pub fn write_all<'b>(&'b mut self, buf: &'b [u8]) -> WriteAll<'b> {
        self.0.write_all(buf)
    }
}

impl OwnedReadHalf {
    /// As [`TcpStream::read`].
    #[track_caller]
    pub fn read<'b>(&'b mut self, buf: &'b mut [u8]) -> Read<'b> {
        self.0.read(buf)
    }

    /// As [`TcpStream::read_exact`].
    #[track_caller]
    pub fn read_exact<'b>(&'b mut self, buf: &'b mut [u8]) -> ReadExact<'b> {
        self.0.read_exact(buf)
    }

    /// As [`TcpStream::peek`].
    #[track_caller]
    pub fn peek<'b>(&'b mut self, buf: &'b mut [u8]) -> Peek<'b> {
        self.0.peek(buf)
    }

    /// The connection as a whole, for its addresses and options.
    pub fn stream(&self) -> &TcpStream {
        &self.0
    }

    /// Makes one stream of the two halves again.
    ///
    /// # Errors
    /// [`ReuniteError`] where they are of different connections; it gives both back.
    pub fn reunite(self, mut write: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        if !Arc::ptr_eq(&self.0, &write.stream) {
            return Err(ReuniteError(self, write));
        }
        write.ends = false;
        drop(write);
        Ok(Arc::try_unwrap(self.0).expect("a connection has one read half and one write half"))
    }
}

impl OwnedWriteHalf {
    /// As [`TcpStream::write`].
    #[track_caller]
    pub fn write<'b>(&'b mut self, buf: &'b [u8]) -> Write<'b> {
        self.stream.write(buf)
    }

    /// As [`TcpStream::write_all`].
    #[track_caller]
    pub fn write_all<'b>(&'b mut self, buf: &'b [u8]) -> WriteAll<'b> {
        self.stream.write_all(buf)
    }

    /// The connection as a whole, for its addresses and options.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.ends {
            // A connection that is broken has ended already.
            let _ = self.stream.close_write();
        }
    }
}

impl AsyncRead for ReadHalf<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_read_vectored(cx, bufs)
    }
}

impl AsyncRead for OwnedReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for WriteHalf<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_close(cx)
    }
}

impl AsyncWrite for OwnedWriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.stream).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.stream).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.stream).poll_close(cx)
    }
}
