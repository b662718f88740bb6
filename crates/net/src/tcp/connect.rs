//! Making a connection: look up, then one address after the other.
//!
//! An attempt is a socket whose `connect` goes on in the background; it is ready for writing once the outcome
//! is known. The socket belongs to the future: dropped, it is closed.

use crate::addr::{Addrs, ToAddrs};
use crate::error::{all_failed, no_address, while_doing};
use crate::lookup::Lookup;
use crate::sys;
use crate::tcp::stream::TcpStream;
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_reactor::{Async, Direction};
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{self, SocketAddr};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How to connect; [`TcpStream::connect`] is this with its defaults.
///
/// # Examples
/// ```
/// use kasasagi_net::ConnectOptions;
/// let options = ConnectOptions::new().local_addr(([127, 0, 0, 1], 0).into()).nodelay(false);
/// # let _ = options;
/// ```
#[must_use = "options do nothing until `connect` is called"]
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    local: Option<SocketAddr>,
    nodelay: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ConnectOptions {
    /// From any local address, with TCP_NODELAY.
    pub fn new() -> Self {
        Self { local: None, nodelay: true }
    }

    /// Connects from `local`; port 0 lets the system choose. Addresses of the other family are skipped.
    pub fn local_addr(mut self, local: SocketAddr) -> Self {
        self.local = Some(local);
        self
    }

    /// Whether small segments are sent at once. Default: yes, since waiting for more costs a small request and
    /// its answer up to 40 ms where the peer delays its acknowledgements.
    pub fn nodelay(mut self, on: bool) -> Self {
        self.nodelay = on;
        self
    }

    /// Connects to the first of `addrs` that answers: see [`TcpStream::connect`].
    ///
    /// # Errors
    /// As [`TcpStream::connect`].
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it closes the socket of the attempt under way.
    #[track_caller]
    pub fn connect(&self, addrs: impl ToAddrs) -> Connect {
        let place = Location::caller();
        let lookup = Lookup::new(addrs.to_query(), place);
        Connect {
            options: self.clone(),
            target: lookup.target.clone(),
            state: State::Looking(lookup),
            skipped: None,
            attempts: Vec::new(),
            place,
        }
    }
}

/// A connection under way; made by [`TcpStream::connect`] and [`ConnectOptions::connect`].
#[must_use = "a connection is not made unless awaited"]
pub struct Connect {
    options: ConnectOptions,
    target: Option<Box<str>>,
    state: State,
    /// An address of another family than the local one's.
    skipped: Option<SocketAddr>,
    attempts: Vec<(SocketAddr, io::Error)>,
    place: &'static Location<'static>,
}

enum State {
    Looking(Lookup),
    Trying(Addrs),
    Connecting { socket: Async<net::TcpStream>, addr: SocketAddr, rest: Addrs },
    Done,
}

impl Future for Connect {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Looking(lookup) => this.state = State::Trying(ready!(lookup.poll(cx))?),
                State::Trying(addrs) => {
                    let Some(addr) = addrs.next() else {
                        this.state = State::Done;
                        return Poll::Ready(Err(this.give_up()));
                    };
                    this.begin(addr);
                }
                State::Connecting { socket, .. } => {
                    let outcome = ready!(poll_outcome(socket, cx, this.place));
                    if let Some(stream) = this.finish(outcome) {
                        return Poll::Ready(Ok(stream));
                    }
                }
                State::Done => unreachable!("a connection is not polled after it is done"),
            }
        }
    }
}

impl Connect {
    /// Starts on `addr`, or records why not and leaves the state as it is.
    fn begin(&mut self, addr: SocketAddr) {
        if self.options.local.is_some_and(|local| local.is_ipv4() != addr.is_ipv4()) {
            self.skipped = Some(addr);
            return;
        }
        match self.options.start(addr) {
            Err(error) => self.attempts.push((addr, error)),
            Ok(socket) => {
                let state = std::mem::replace(&mut self.state, State::Done);
                let State::Trying(rest) = state else {
                    unreachable!("an attempt begins between attempts")
                };
                self.state = State::Connecting { socket, addr, rest };
            }
        }
    }

    /// Ends the attempt: with the stream, or with its error recorded and its socket closed.
    fn finish(&mut self, outcome: io::Result<()>) -> Option<TcpStream> {
        let state = std::mem::replace(&mut self.state, State::Done);
        let State::Connecting { socket, addr, rest } = state else {
            unreachable!("an outcome is of the attempt under way")
        };
        match outcome {
            Ok(()) => Some(TcpStream::from_async(socket, self.place)),
            Err(error) => {
                self.attempts.push((addr, error));
                self.state = State::Trying(rest);
                None
            }
        }
    }

    fn give_up(&mut self) -> io::Error {
        let attempts = std::mem::take(&mut self.attempts);
        match (self.skipped, self.options.local) {
            (Some(addr), Some(local)) if attempts.is_empty() => {
                let text = format!(
                    "connect to {}: no address of the family of the local address {local}",
                    self.target.as_deref().unwrap_or(&addr.to_string())
                );
                io::Error::new(io::ErrorKind::InvalidInput, text)
            }
            _ if attempts.is_empty() => no_address("connect to", self.target.as_deref()),
            _ => all_failed("connect to", self.target.take(), attempts),
        }
    }
}

impl ConnectOptions {
    /// A socket whose connection is under way, or made.
    fn start(&self, addr: SocketAddr) -> io::Result<Async<net::TcpStream>> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        if self.nodelay {
            socket.set_tcp_nodelay(true)?;
        }
        if let Some(local) = self.local {
            socket.bind(&local.into()).map_err(|error| {
                while_doing(format_args!("bind to the local address {local}"), &error)
            })?;
        }
        socket.set_nonblocking(true)?;
        match socket.connect(&addr.into()) {
            Ok(()) => {}
            Err(error) if sys::is_in_progress(&error) => {}
            Err(error) => return Err(error),
        }
        // Writable to begin with: over loopback the connection is made, or refused, by the time `connect`
        // returns, and the first look finds it without asking the poller.
        Async::with_readiness(socket.into(), false, true)
    }
}

/// The outcome of a connection under way.
fn poll_outcome(
    socket: &Async<net::TcpStream>,
    cx: &mut Context<'_>,
    place: &'static Location<'static>,
) -> Poll<io::Result<()>> {
    let outcome = socket.poll_io(cx, Direction::Write, place, |socket| {
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) => Err(error),
        }
    });
    if outcome.is_pending() {
        task_context::waiting(WaitKind::Connect, std::ptr::from_ref(socket).addr(), place);
    }
    outcome
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Connect");
        out.field("target", &self.target);
        if let State::Connecting { addr, .. } = &self.state {
            out.field("connecting", addr);
        }
        out.finish_non_exhaustive()
    }
}
