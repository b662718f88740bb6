//! What may be sent and shared.

use kasasagi_reactor::{Async, Clock, Reactor, Readable, Registry, Timers, Writable, time};
use std::net::TcpStream;

fn send<T: Send>() {}
fn sync<T: Sync>() {}
fn unpin<T: Unpin>() {}

#[test]
fn handles_and_futures_go_between_threads() {
    send::<Reactor>();
    sync::<Reactor>();
    send::<Registry>();
    sync::<Registry>();
    send::<Timers>();
    sync::<Timers>();
    send::<Clock>();
    sync::<Clock>();
    send::<Async<TcpStream>>();
    sync::<Async<TcpStream>>();
    send::<Readable<'_, TcpStream>>();
    send::<Writable<'_, TcpStream>>();
    send::<time::Sleep>();
    sync::<time::Sleep>();
    send::<time::Timeout<std::future::Ready<()>>>();
    send::<time::Interval>();
    sync::<time::Interval>();
    unpin::<time::Interval>();
    unpin::<Async<TcpStream>>();
}
