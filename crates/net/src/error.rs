//! One error for many addresses: what was tried, and what each attempt ran into.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// What connecting or binding ran into, address by address.
///
/// It sits inside the [`io::Error`] of [`TcpStream::connect`](crate::TcpStream::connect) and
/// [`TcpListener::bind`](crate::TcpListener::bind); the `kind()` outside is that of all attempts, or, where
/// they differ, of the last.
///
/// # Examples
/// ```
/// use kasasagi_net::AddrErrors;
///
/// fn tried(error: &std::io::Error) -> usize {
///     error.get_ref().and_then(|e| e.downcast_ref::<AddrErrors>()).map_or(0, |e| e.attempts().len())
/// }
/// # assert_eq!(tried(&std::io::Error::other("x")), 0);
/// ```
///
/// Counterpart: the exception group of `create_connection(all_errors=True)`.
#[derive(Debug)]
pub struct AddrErrors {
    operation: &'static str,
    target: Option<Box<str>>,
    attempts: Vec<(SocketAddr, io::Error)>,
}

impl AddrErrors {
    /// Each address that was tried, in order, with its error.
    pub fn attempts(&self) -> &[(SocketAddr, io::Error)] {
        &self.attempts
    }
}

impl fmt::Display for AddrErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operation)?;
        if let Some(target) = &self.target {
            write!(f, " {target}")?;
        }
        for (n, (addr, error)) in self.attempts.iter().enumerate() {
            let before = match (n, &self.target) {
                (0, None) => " ",
                (0, Some(_)) => ": ",
                _ => "; ",
            };
            write!(f, "{before}{addr}: {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for AddrErrors {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.attempts.last().map(|(_, error)| error as _)
    }
}

/// Folds the attempts of one operation into one error; there is at least one.
pub(crate) fn all_failed(
    operation: &'static str,
    target: Option<Box<str>>,
    attempts: Vec<(SocketAddr, io::Error)>,
) -> io::Error {
    match attempts.last() {
        Some((_, last)) => {
            let kind = last.kind();
            io::Error::new(kind, AddrErrors { operation, target, attempts })
        }
        None => no_address(operation, target.as_deref()),
    }
}

/// There was nothing to try.
pub(crate) fn no_address(operation: &str, target: Option<&str>) -> io::Error {
    let target = target.unwrap_or("an empty list");
    io::Error::new(
        io::ErrorKind::AddrNotAvailable,
        format!("{operation} {target}: it gives no address"),
    )
}

/// The same kind, with the words before it that say what was being done.
pub(crate) fn while_doing(what: impl fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
