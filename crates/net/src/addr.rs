//! What a program may write where an address is wanted, and whether a resolver has to be asked for it.
//!
//! Numbers never reach the resolver, IPv6 scopes by number included; everything else becomes a [`Name`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::vec;

/// Whatever names one address or several.
///
/// Implemented for [`SocketAddr`] and its two kinds, slices, arrays and vectors of it, pairs of an IP address or
/// host name and a port, pairs of a host name and a service name (`("example.com", "http")`), and strings
/// `"host:port"` or `"host:service"`; an IPv6 address in a string stands in brackets. Sealed: only these.
///
/// # Examples
/// ```
/// # fn takes(_: impl kasasagi_net::ToAddrs) {}
/// takes("127.0.0.1:80");
/// takes(("::1", 80));
/// takes("example.com:http");
/// takes([std::net::SocketAddr::from(([127, 0, 0, 1], 80))]);
/// ```
pub trait ToAddrs: sealed::ToQuery {}

impl<T: sealed::ToQuery + ?Sized> ToAddrs for T {}

pub(crate) mod sealed {
    /// The private half of [`ToAddrs`](super::ToAddrs).
    pub trait ToQuery {
        #[doc(hidden)]
        fn to_query(&self) -> super::Query;
    }
}

/// What was asked for.
#[doc(hidden)]
#[derive(Debug)]
pub enum Query {
    /// Numbers: nothing to look up.
    Known(Addrs),
    /// A name that somebody has to look up.
    Unknown(Name),
    /// Not an address.
    Invalid(io::Error),
}

/// Addresses to try, in order.
#[doc(hidden)]
#[derive(Debug)]
pub enum Addrs {
    /// None, or one; the usual case, without an allocation.
    One(Option<SocketAddr>),
    /// Some.
    Many(vec::IntoIter<SocketAddr>),
}

impl Iterator for Addrs {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        match self {
            Self::One(addr) => addr.take(),
            Self::Many(addrs) => addrs.next(),
        }
    }
}

/// A host and a port, one of which at least is a name.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Name {
    pub(crate) host: Box<str>,
    pub(crate) port: Port,
}

/// A port by number or by service.
#[derive(Debug, Clone)]
pub(crate) enum Port {
    /// As it stands.
    Number(u16),
    /// As in `/etc/services`.
    Service(Box<str>),
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.port {
            Port::Number(port) => write!(f, "{}:{port}", self.host),
            Port::Service(service) => write!(f, "{}:{service}", self.host),
        }
    }
}

impl Query {
    fn one(addr: impl Into<SocketAddr>) -> Self {
        Self::Known(Addrs::One(Some(addr.into())))
    }

    fn host_port(host: &str, port: Port) -> Self {
        if host.is_empty() {
            let text = "an empty host: write \"127.0.0.1\" for this machine, \"0.0.0.0\" for all its interfaces";
            return Self::Invalid(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match (numeric(bare), &port) {
            (Some(addr), Port::Number(port)) => {
                let mut addr = addr;
                addr.set_port(*port);
                Self::Known(Addrs::One(Some(addr)))
            }
            _ => Self::Unknown(Name { host: bare.into(), port }),
        }
    }
}

/// An IP address, with port 0; an IPv6 scope must be a number.
pub(crate) fn numeric(host: &str) -> Option<SocketAddr> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, 0));
    }
    let (ip, scope) = host.split_once('%')?;
    let scope = scope.parse::<u32>().ok()?;
    Some(SocketAddrV6::new(ip.parse().ok()?, 0, 0, scope).into())
}

fn port(text: &str) -> Port {
    match text.parse() {
        Ok(number) => Port::Number(number),
        Err(_) => Port::Service(text.into()),
    }
}

impl sealed::ToQuery for str {
    fn to_query(&self) -> Query {
        let invalid = |text| Query::Invalid(io::Error::new(io::ErrorKind::InvalidInput, text));
        let Some((host, service)) = self.rsplit_once(':') else {
            return invalid(format!("`{self}` has no port: write \"{self}:80\""));
        };
        if service.is_empty() {
            return invalid(format!("`{self}` has no port: write \"{self}80\""));
        }
        if host.contains(':') && !host.starts_with('[') {
            return invalid(format!(
                "`{self}`: an IPv6 address stands in brackets: \"[{host}]:{service}\""
            ));
        }
        if service.bytes().all(|byte| byte.is_ascii_digit()) && service.parse::<u16>().is_err() {
            return invalid(format!("`{self}`: a port is at most 65535"));
        }
        Query::host_port(host, port(service))
    }
}

impl sealed::ToQuery for String {
    fn to_query(&self) -> Query {
        self.as_str().to_query()
    }
}

impl sealed::ToQuery for (&str, u16) {
    fn to_query(&self) -> Query {
        Query::host_port(self.0, Port::Number(self.1))
    }
}

impl sealed::ToQuery for (String, u16) {
    fn to_query(&self) -> Query {
        Query::host_port(&self.0, Port::Number(self.1))
    }
}

impl sealed::ToQuery for (&str, &str) {
    fn to_query(&self) -> Query {
        Query::host_port(self.0, port(self.1))
    }
}

impl sealed::ToQuery for SocketAddr {
    fn to_query(&self) -> Query {
        Query::one(*self)
    }
}

impl sealed::ToQuery for SocketAddrV4 {
    fn to_query(&self) -> Query {
        Query::one(*self)
    }
}

impl sealed::ToQuery for SocketAddrV6 {
    fn to_query(&self) -> Query {
        Query::one(*self)
    }
}

impl sealed::ToQuery for (IpAddr, u16) {
    fn to_query(&self) -> Query {
        Query::one(*self)
    }
}

impl sealed::ToQuery for (Ipv4Addr, u16) {
    fn to_query(&self) -> Query {
        Query::one(*self)
    }
}

impl sealed::ToQuery for (Ipv6Addr, u16) {
    fn to_query(&self) -> Query {
        Query::one(*self)
    }
}

impl sealed::ToQuery for [SocketAddr] {
    fn to_query(&self) -> Query {
        Query::Known(Addrs::Many(Vec::from(self).into_iter()))
    }
}

impl<const N: usize> sealed::ToQuery for [SocketAddr; N] {
    fn to_query(&self) -> Query {
        self.as_slice().to_query()
    }
}

impl sealed::ToQuery for Vec<SocketAddr> {
    fn to_query(&self) -> Query {
        self.as_slice().to_query()
    }
}

impl<T: sealed::ToQuery + ?Sized> sealed::ToQuery for &T {
    fn to_query(&self) -> Query {
        (**self).to_query()
    }
}

#[cfg(test)]
#[path = "addr/tests.rs"]
mod tests;
