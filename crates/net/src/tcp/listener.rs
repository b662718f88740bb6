//! A listening socket, and how it is made.

use crate::addr::ToAddrs;
use crate::error::all_failed;
use crate::lookup::Lookup;
use crate::sys;
use crate::tcp::accept::{Accept, Incoming, Shortage};
use kasasagi_reactor::Async;
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{self, SocketAddr};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Connections that wait to be accepted. The system cuts it to its own limit (Linux: `net.core.somaxconn`,
/// 4096 since 5.4), which is where the figure comes from: asking for less only loses bursts.
const BACKLOG: i32 = 4096;

/// A socket that accepts TCP connections.
///
/// Several tasks may accept from one listener. Dropping it stops accepting; connections that were accepted
/// live on, those still in the system's queue are reset.
///
/// # Examples
/// ```no_run
/// # async fn f() -> std::io::Result<()> {
/// let listener = kasasagi_net::TcpListener::bind("127.0.0.1:0").await?;
/// println!("listening on {}", listener.local_addr()?);
/// loop {
///     let (stream, from) = listener.accept().await?;
///     println!("{from}: {stream:?}");
/// }
/// # }
/// ```
///
/// Counterpart: the sockets of `asyncio.Server`.
pub struct TcpListener {
    pub(crate) io: Async<net::TcpListener>,
    pub(crate) shortage: Shortage,
}

impl TcpListener {
    /// Listens on the first of `addrs` that can be bound; port 0 lets the system choose one.
    ///
    /// [`ListenOptions`] has the choices.
    ///
    /// # Errors
    /// Where no address can be bound: one error with all addresses and messages
    /// ([`AddrErrors`](crate::AddrErrors)); those of [`lookup_host`](crate::lookup_host).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has bound nothing.
    #[track_caller]
    pub fn bind(addrs: impl ToAddrs) -> Bind {
        ListenOptions::new().bind(addrs)
    }

    /// As [`bind`](Self::bind), with `options`.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has bound nothing.
    #[track_caller]
    pub fn bind_with(addrs: impl ToAddrs, options: &ListenOptions) -> Bind {
        options.bind(addrs)
    }

    /// Takes over a listening socket of std, and sets it non-blocking.
    ///
    /// # Errors
    /// If no reactor is entered on this thread, or an option cannot be set.
    ///
    /// Counterpart: `start_server(sock=…)`.
    #[track_caller]
    pub fn from_std(listener: net::TcpListener) -> io::Result<Self> {
        if sys::INHERITS_NODELAY {
            socket2::SockRef::from(&listener).set_tcp_nodelay(true)?;
        }
        Ok(Self { io: Async::with_readiness(listener, true, false)?, shortage: Shortage::new() })
    }

    /// Gives std's listener back, which stays non-blocking.
    ///
    /// # Errors
    /// If the reactor cannot forget it.
    pub fn into_std(self) -> io::Result<net::TcpListener> {
        self.io.into_inner()
    }

    /// Takes the connection that has waited longest, waiting until there is one; with the peer's address.
    ///
    /// The connection has TCP_NODELAY set. Connections that died while they waited are passed over. When the
    /// process or the machine runs out of descriptors or memory, it pauses, first for 5 ms, then twice as long
    /// each time up to 1 s, and goes on: the listener stays open, connections wait in the system's queue, and
    /// [`pauses`](Self::pauses) counts.
    ///
    /// # Errors
    /// The system's, where the socket itself is of no use: not for a connection's fault or a shortage.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has taken no connection.
    ///
    /// Counterpart: `loop.sock_accept`.
    #[track_caller]
    pub fn accept(&self) -> Accept<'_> {
        Accept::new(self, Location::caller())
    }

    /// Connections as they come: [`accept`](Self::accept), over and over, without the addresses. Never ends.
    #[track_caller]
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming::new(self.accept())
    }

    /// How often accepting has paused for want of descriptors or memory.
    pub fn pauses(&self) -> u64 {
        self.shortage.pauses()
    }

    /// The address that is listened on, with the port that the system chose.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }
}

/// How to listen; [`TcpListener::bind`] is this with its defaults.
///
/// # Examples
/// ```
/// use kasasagi_net::ListenOptions;
/// let options = ListenOptions::new().backlog(128).reuse_port(true);
/// # let _ = options;
/// ```
#[must_use = "options do nothing until `bind` is called"]
#[derive(Debug, Clone)]
pub struct ListenOptions {
    backlog: i32,
    reuse_address: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ListenOptions {
    /// A backlog of 4096 connections; SO_REUSEADDR on Unix; nothing else.
    pub fn new() -> Self {
        Self { backlog: BACKLOG, reuse_address: cfg!(unix), reuse_port: false, only_v6: None }
    }

    /// How many connections may wait to be accepted. Default: 4096, what Linux allows unless told otherwise;
    /// the system cuts larger figures.
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = i32::try_from(connections).unwrap_or(i32::MAX);
        self
    }

    /// Whether the port of a server that has just ended can be taken again (SO_REUSEADDR). Default: on Unix,
    /// where it means that; not on Windows, where it lets two servers share a port.
    pub fn reuse_address(mut self, on: bool) -> Self {
        self.reuse_address = on;
        self
    }

    /// Whether several sockets may listen on one port and share its connections (SO_REUSEPORT). Default: no;
    /// an error at `bind` where the system lacks it.
    pub fn reuse_port(mut self, on: bool) -> Self {
        self.reuse_port = on;
        self
    }

    /// Whether an IPv6 socket refuses IPv4 (IPV6_V6ONLY). Default: the system's.
    pub fn only_v6(mut self, on: bool) -> Self {
        self.only_v6 = Some(on);
        self
    }

    /// Listens on the first of `addrs` that can be bound: see [`TcpListener::bind`].
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has bound nothing.
    #[track_caller]
    pub fn bind(&self, addrs: impl ToAddrs) -> Bind {
        Bind { options: self.clone(), lookup: Lookup::new(addrs.to_query(), Location::caller()) }
    }

    fn listen(&self, addr: SocketAddr) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        if self.reuse_address {
            socket.set_reuse_address(true)?;
        }
        if self.reuse_port {
            sys::set_reuse_port(&socket)?;
        }
        if let (Some(on), true) = (self.only_v6, addr.is_ipv6()) {
            socket.set_only_v6(on)?;
        }
        socket.bind(&addr.into())?;
        socket.listen(self.backlog)?;
        TcpListener::from_std(socket.into())
    }
}

/// A listener on its way; made by [`TcpListener::bind`] and [`ListenOptions::bind`].
#[must_use = "nothing is bound unless awaited"]
#[derive(Debug)]
pub struct Bind {
    options: ListenOptions,
    lookup: Lookup,
}

impl Future for Bind {
    type Output = io::Result<TcpListener>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let addrs = ready!(self.lookup.poll(cx))?;
        let mut attempts = Vec::new();
        for addr in addrs {
            match self.options.listen(addr) {
                Ok(listener) => return Poll::Ready(Ok(listener)),
                Err(error) => attempts.push((addr, error)),
            }
        }
        Poll::Ready(Err(all_failed("listen on", self.lookup.target.take(), attempts)))
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for TcpListener {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.io.get_ref().as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for TcpListener {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.io.get_ref().as_socket()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
