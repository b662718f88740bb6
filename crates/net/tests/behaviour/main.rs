//! The promises of the sockets, kept over loopback by a reactor that is turned by hand.

mod accepting;
#[cfg(unix)]
mod alone;
mod auto_traits;
mod connecting;
mod hand;
mod lookups;
mod streams;
