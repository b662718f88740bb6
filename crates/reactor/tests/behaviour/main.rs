//! The promises of the reactor, kept on every poller it can have; it is turned by hand. They use pairs of Unix sockets.
#![cfg(unix)]

mod auto_traits;
mod closing;
mod hand;
mod interrupts;
mod intervals;
mod many;
mod precision;
mod readiness;
mod slack;
mod sleeping;
mod streams;
mod timeouts;
