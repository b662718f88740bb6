//! Between futures-io's traits and hyper's.
//!
//! hyper reads into memory that may not be initialized, which futures-io cannot fill safely. A read goes
//! through a scratch buffer of the thread, made once, and one copy of what came: cheaper than clearing hyper's
//! buffer, and no memory for a connection that waits.

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt;
use kasasagi_primitive::thread_local;
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What one read may bring, in bytes. hyper's buffers begin at 8 KiB and double; past 64 KiB a larger read
/// saves no system calls worth the cache it spoils. A guess, not measured.
const SCRATCH: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Option<Box<[u8]>>> = Cell::new(None)
}

/// Makes hyper's `Read` and `Write` of futures-io's `AsyncRead` and `AsyncWrite`.
///
/// Vectored writes are passed on, so that the head of a message and its body leave in one system call; closing
/// goes through to the stream's own `poll_close`.
///
/// # Examples
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use kasasagi_http::Io;
/// let stream = kasasagi::net::TcpStream::connect("example.com:80").await?;
/// let (_sender, _connection) =
///     hyper::client::conn::http1::handshake::<_, String>(Io::new(stream)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Io<T>(T);

impl<T> Io<T> {
    /// Wraps `stream`.
    pub fn new(stream: T) -> Self {
        Self(stream)
    }

    /// The stream inside.
    pub fn get_ref(&self) -> &T {
        &self.0
    }

    /// Takes the stream out.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// The thread's scratch buffer, given back when dropped. A stream within a stream finds none and makes one.
struct Scratch(Option<Box<[u8]>>);

impl Scratch {
    fn take() -> Self {
        let buffer = BUFFER.try_with(Cell::take).ok().flatten();
        Self(Some(buffer.unwrap_or_else(|| vec![0; SCRATCH].into_boxed_slice())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A thread that is ending keeps none.
        let _ = BUFFER.try_with(|buffer| buffer.set(self.0.take()));
    }
}

impl<T: AsyncRead + Unpin> rt::Read for Io<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut into: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut scratch = Scratch::take();
        let buffer = scratch.0.as_mut().expect("the buffer is here until `drop`");
        let room = into.remaining().min(buffer.len());
        let n = ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer[..room]))?;
        into.put_slice(&buffer[..n]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> rt::Write for Io<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }
}
