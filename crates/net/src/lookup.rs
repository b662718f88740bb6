//! From names to addresses, on a thread of the blocking pool.
//!
//! `getaddrinfo` blocks, for seconds when a name server is slow: it never runs on a worker. What needs no
//! resolver does not come here with a [`Name`] and needs no pool either.

use crate::addr::{Addrs, Name, Port, Query, ToAddrs, numeric};
use crate::error::{no_address, while_doing};
use kasasagi_blocking::Pool;
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::WaitKind;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Services that are known without `/etc/services`, which small images lack. IANA's numbers.
const WELL_KNOWN: [(&str, u16); 12] = [
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("http", 80),
    ("pop3", 110),
    ("ntp", 123),
    ("imap2", 143),
    ("ldap", 389),
    ("https", 443),
    ("imaps", 993),
];

/// Looks up every address of a host, on a thread of the blocking pool.
///
/// Addresses come in the resolver's order, each once; never none. Numbers are returned at once and need
/// neither pool nor resolver.
///
/// # Errors
/// The resolver's, naming what was looked up; `NotFound` for an unknown service; `AddrNotAvailable` where
/// there is no address; `InvalidInput` for what is no address at all; `Unsupported` for a name outside of a
/// runtime, since there is no pool.
///
/// # Cancel safety
/// Cancel safe: dropped before it is ready, it returns nothing; a resolver at work ends on its own thread.
///
/// # Examples
/// ```
/// let localhost = kasasagi_net::lookup_host(("127.0.0.1", 80));
/// # let mut localhost = std::pin::pin!(localhost);
/// # let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// # let std::task::Poll::Ready(found) = localhost.as_mut().poll(&mut cx) else { panic!("a number") };
/// # assert_eq!(found?, [std::net::SocketAddr::from(([127, 0, 0, 1], 80))]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Counterpart: `loop.getaddrinfo`.
#[track_caller]
pub fn lookup_host(addrs: impl ToAddrs) -> LookupHost {
    LookupHost { inner: Lookup::new(addrs.to_query(), Location::caller()) }
}

/// The addresses of a host; made by [`lookup_host`].
#[must_use = "a lookup does nothing unless awaited"]
#[derive(Debug)]
pub struct LookupHost {
    inner: Lookup,
}

impl Future for LookupHost {
    type Output = io::Result<Vec<SocketAddr>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let found: Vec<_> = ready!(self.inner.poll(cx))?.collect();
        Poll::Ready(if found.is_empty() { Err(no_address("look up", None)) } else { Ok(found) })
    }
}

type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + Sync>>;

/// A query on its way to addresses; shared by lookup, bind and connect.
pub(crate) struct Lookup {
    state: State,
    place: &'static Location<'static>,
    /// What was looked up, for messages; `None` for numbers.
    pub(crate) target: Option<Box<str>>,
}

enum State {
    Asked(Query),
    Resolving(Resolving),
    Done,
}

impl Lookup {
    pub(crate) fn new(query: Query, place: &'static Location<'static>) -> Self {
        let target = match &query {
            Query::Unknown(name) => Some(name.to_string().into_boxed_str()),
            _ => None,
        };
        Self { state: State::Asked(query), place, target }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Addrs>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Asked(Query::Known(addrs)) => return Poll::Ready(Ok(addrs)),
                State::Asked(Query::Invalid(error)) => return Poll::Ready(Err(error)),
                State::Asked(Query::Unknown(name)) => {
                    if let Some(addr) = without_resolver(&name) {
                        return Poll::Ready(Ok(Addrs::One(Some(addr))));
                    }
                    self.state = State::Resolving(resolving(name)?);
                }
                State::Resolving(mut resolving) => {
                    let Poll::Ready(found) = resolving.as_mut().poll(cx) else {
                        let resource = std::ptr::from_ref(resolving.as_ref().get_ref()).addr();
                        task_context::waiting(WaitKind::Blocking, resource, self.place);
                        self.state = State::Resolving(resolving);
                        return Poll::Pending;
                    };
                    return Poll::Ready(found.map(|found| Addrs::Many(found.into_iter())));
                }
                State::Done => unreachable!("a lookup is not polled after it is done"),
            }
        }
    }
}

/// A number with a well-known service.
fn without_resolver(name: &Name) -> Option<SocketAddr> {
    let Port::Service(service) = &name.port else { return None };
    let mut addr = numeric(&name.host)?;
    addr.set_port(well_known(service)?);
    Some(addr)
}

fn well_known(service: &str) -> Option<u16> {
    WELL_KNOWN.iter().find(|(known, _)| *known == service).map(|(_, port)| *port)
}

fn resolving(name: Name) -> io::Result<Resolving> {
    let Some(pool) = Pool::current() else {
        let text = format!(
            "looking up `{name}` needs a thread to block on: connect inside `kasasagi::run`, or give a numeric address"
        );
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    };
    let what = format!("look up {name}");
    let looking = pool.unblock(move || resolve(&name));
    Ok(Box::pin(async move {
        match looking.await {
            Ok(found) => found,
            Err(error) => Err(io::Error::other(format!("{what}: {error}"))),
        }
    }))
}

/// Asks the system; blocks.
fn resolve(name: &Name) -> io::Result<Vec<SocketAddr>> {
    let port = match &name.port {
        Port::Number(port) => *port,
        Port::Service(service) => match well_known(service).or_else(|| from_services(service)) {
            Some(port) => port,
            None => {
                let text =
                    format!("look up {name}: there is no service `{service}`; write a port number");
                return Err(io::Error::new(io::ErrorKind::NotFound, text));
            }
        },
    };
    let found = (&*name.host, port)
        .to_socket_addrs()
        .map_err(|error| while_doing(format_args!("look up {name}"), &error))?;
    let mut addrs = Vec::new();
    for addr in found {
        if !addrs.contains(&addr) {
            addrs.push(addr);
        }
    }
    if addrs.is_empty() { Err(no_address("look up", Some(&name.to_string()))) } else { Ok(addrs) }
}

/// The TCP port of a service, by name or alias, from the system's table.
fn from_services(service: &str) -> Option<u16> {
    let table = std::fs::read_to_string("/etc/services").ok()?;
    table.lines().find_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let name = words.next()?;
        let port = words.next()?.strip_suffix("/tcp")?;
        if name != service && !words.any(|alias| alias == service) {
            return None;
        }
        port.parse().ok()
    })
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("target", &self.target).finish_non_exhaustive()
    }
}
