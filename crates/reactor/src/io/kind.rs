//! Which objects a reactor may watch.
//!
//! Sealed to std's own: they give the descriptor they own, and go on to own it. On Windows a descriptor is a socket.

use rustix::fd::{AsFd, OwnedFd};
use std::net::{TcpListener, TcpStream, UdpSocket};
#[cfg(unix)]
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

/// An object that [`Async`](crate::Async) can hold: a socket of std, or any descriptor that can be polled.
pub trait Source: AsFd + sealed::Sealed + 'static {
    /// Whether a read that returns less than asked for has taken all there was.
    ///
    /// So it is with TCP. A read from a Unix stream also ends at a message that carries descriptors, a
    /// terminal's at a line.
    #[doc(hidden)]
    const SHORT_READ_DRAINS: bool = false;
}

mod sealed {
    /// Implemented here alone.
    pub trait Sealed {}
}

macro_rules! sources {
    ($($kind:ty: $drains:literal),* $(,)?) => {$(
        impl sealed::Sealed for $kind {}
        impl Source for $kind {
            const SHORT_READ_DRAINS: bool = $drains;
        }
    )*};
}

sources! {
    TcpStream: true,
    TcpListener: false,
    UdpSocket: false,
    OwnedFd: false,
}

#[cfg(unix)]
sources! {
    UnixStream: false,
    UnixListener: false,
    UnixDatagram: false,
}
