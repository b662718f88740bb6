//! A TCP connection: std's stream in the reactor, with futures-io's traits.
//!
//! All operations take `&self` underneath; one task may read while another writes. Readiness is kept by the
//! reactor, so that a read or write is tried before it waits.

use crate::addr::ToAddrs;
use crate::tcp::connect::{Connect, ConnectOptions};
use futures_io::{AsyncRead, AsyncWrite};
use kasasagi_reactor::{Async, Direction};
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::net::{self, Shutdown, SocketAddr};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A TCP connection.
///
/// Reading and writing come in two shapes: the methods here ([`read`](Self::read), [`write_all`](Self::write_all),
/// …), which a dump of waiting tasks shows with the place of the call, and futures-io's traits, for everything
/// that is written against them. Dropping the stream closes both directions; [`shutdown`](Self::shutdown) and
/// `poll_close` close one.
///
/// Two tasks may use one stream at once through `&TcpStream`, [`split`](Self::split) or
/// [`into_split`](Self::into_split), one a direction; two readers get bytes in no promised order.
///
/// # Examples
/// ```no_run
/// # async fn f() -> std::io::Result<()> {
/// let stream = kasasagi_net::TcpStream::connect("example.com:80").await?;
/// stream.write_all(b"HEAD / HTTP/1.0\r\n\r\n").await?;
/// let mut buf = [0; 512];
/// let n = stream.read(&mut buf).await?;
/// print!("{}", String::from_utf8_lossy(&buf[..n]));
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: the pair of streams that `asyncio.open_connection` returns.
pub struct TcpStream {
    io: Async<net::TcpStream>,
    /// Where the stream was made: what a dump shows for waits that come through futures-io's traits.
    place: &'static Location<'static>,
}

impl TcpStream {
    /// Connects to the first of `addrs` that answers.
    ///
    /// Names are looked up on the blocking pool; numeric addresses are not looked up. Each address is tried in
    /// turn; TCP_NODELAY is set. [`ConnectOptions`] has the choices.
    ///
    /// # Errors
    /// Where all addresses fail: one error with all addresses and messages ([`AddrErrors`](crate::AddrErrors)),
    /// and the kind they share, or the last one's. Those of [`lookup_host`](crate::lookup_host).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it closes the socket of the attempt under way.
    ///
    /// Counterpart: `asyncio.open_connection`, `loop.create_connection`.
    #[track_caller]
    pub fn connect(addrs: impl ToAddrs) -> Connect {
        ConnectOptions::new().connect(addrs)
    }

    /// As [`connect`](Self::connect), from a local address; port 0 lets the system choose one.
    ///
    /// Addresses of the other family are skipped.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); `AddrInUse` and `AddrNotAvailable` name the local address.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it closes the socket of the attempt under way.
    ///
    /// Counterpart: `create_connection(local_addr=…)`.
    #[track_caller]
    pub fn connect_from(local: SocketAddr, addrs: impl ToAddrs) -> Connect {
        ConnectOptions::new().local_addr(local).connect(addrs)
    }

    /// Takes over a connected stream of std, and sets it non-blocking. TCP_NODELAY stays as it is.
    ///
    /// # Errors
    /// If no reactor is entered on this thread, or the stream cannot be set non-blocking.
    ///
    /// Counterpart: `loop.connect_accepted_socket`.
    #[track_caller]
    pub fn from_std(stream: net::TcpStream) -> io::Result<Self> {
        Self::with_readiness(stream, false, true, Location::caller())
    }

    pub(crate) fn with_readiness(
        stream: net::TcpStream,
        readable: bool,
        writable: bool,
        place: &'static Location<'static>,
    ) -> io::Result<Self> {
        Ok(Self { io: Async::with_readiness(stream, readable, writable)?, place })
    }

    pub(crate) fn from_async(io: Async<net::TcpStream>, place: &'static Location<'static>) -> Self {
        Self { io, place }
    }

    /// Gives std's stream back, which stays non-blocking: `set_nonblocking(false)` changes that.
    ///
    /// # Errors
    /// If the reactor cannot forget it.
    pub fn into_std(self) -> io::Result<net::TcpStream> {
        self.io.into_inner()
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// The system's: `NotConnected` where the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket().peer_addr()
    }

    /// The address of this side.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket().local_addr()
    }

    /// Whether small segments are sent at once (TCP_NODELAY); they are, unless that was changed.
    ///
    /// # Errors
    /// The system's.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket().nodelay()
    }

    /// Sends small segments at once, or lets the system wait for more to send.
    ///
    /// # Errors
    /// The system's.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.socket().set_nodelay(on)
    }

    /// The IPv4 time to live, in hops.
    ///
    /// # Errors
    /// The system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket().ttl()
    }

    /// Sets the IPv4 time to live, in hops.
    ///
    /// # Errors
    /// The system's.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        self.socket().set_ttl(hops)
    }

    /// Sets what closing does with bytes not sent yet (SO_LINGER), in whole seconds.
    ///
    /// `None`, the default: the system sends them afterwards. `Some(Duration::ZERO)`: they are thrown away and
    /// the peer's reads fail with `ConnectionReset`. More than zero makes the drop of the stream block its thread
    /// for up to that time: not for a worker.
    ///
    /// # Errors
    /// The system's.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        socket2::SockRef::from(self.socket()).set_linger(linger)
    }

    /// The error that waits on the socket, taken from it (SO_ERROR).
    ///
    /// # Errors
    /// The system's, if it cannot say.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }

    /// Closes one direction or both, at once.
    ///
    /// After `Shutdown::Write` the peer reads to its end; bytes written before still arrive.
    ///
    /// # Errors
    /// The system's: `NotConnected` where the connection is gone.
    ///
    /// Counterpart: `StreamWriter.write_eof`.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket().shutdown(how)
    }

    fn socket(&self) -> &net::TcpStream {
        self.io.get_ref()
    }

    pub(crate) fn poll_read_at(
        &self,
        cx: &mut Context<'_>,
        place: &'static Location<'static>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.io.poll_read(cx, place, buf.len(), |mut socket| socket.read(buf))
    }

    pub(crate) fn poll_peek_at(
        &self,
        cx: &mut Context<'_>,
        place: &'static Location<'static>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.io.poll_io(cx, Direction::Read, place, |socket| socket.peek(buf))
    }

    pub(crate) fn poll_write_at(
        &self,
        cx: &mut Context<'_>,
        place: &'static Location<'static>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.io.poll_write(cx, place, |mut socket| socket.write(buf))
    }

    /// Ends the writing side; a connection that is gone already has ended.
    pub(crate) fn close_write(&self) -> io::Result<()> {
        match self.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

impl AsyncRead for &TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_at(cx, self.place, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let capacity = bufs.iter().map(|buf| buf.len()).sum();
        if capacity == 0 {
            return Poll::Ready(Ok(0));
        }
        self.io.poll_read(cx, self.place, capacity, |mut socket| socket.read_vectored(bufs))
    }
}

impl AsyncWrite for &TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_at(cx, self.place, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.io.poll_write(cx, self.place, |mut socket| socket.write_vectored(bufs))
    }

    /// Nothing is buffered here: ready at once.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Shuts down the writing side, so that the peer reads to its end.
    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.close_write())
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(cx)
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for TcpStream {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for TcpStream {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.socket().as_socket()
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket().fmt(f)
    }
}
