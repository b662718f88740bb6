//! What does a server pay for an HTTP request that hyper answers?
//!
//! The same hyper for all, and each peer's own way to it: kasasagi-http, hyper-util, smol-hyper. Once without
//! timers, once with a limit for the head of each request, which is a timer set and cancelled each time. The answer
//! is 13 bytes: a service that does something shows less of a difference.

use kasasagi_benches::Suite;
use kasasagi_benches::load::Load;
use kasasagi_benches::server::Service;

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nhost: localhost\r\nuser-agent: load\r\naccept: */*\r\n\r\n";

pub(crate) fn rows(suite: &Suite) {
    let row = |name, service| {
        let load = Load { name, service, request: REQUEST, connections: 64, requests: 64_000 };
        load.measure(suite, &[]);
    };
    row("HTTP hello, 64 connections", Service::Hello);
    row("HTTP hello, 64 connections, with a limit for heads", Service::HelloTimed);
}
