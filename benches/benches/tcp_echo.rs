//! What does a server pay for an echoed message?
//!
//! The server is a child process of its own for each peer; the load is the same for all, one message of 64 bytes in
//! flight on each connection. Requests a second are a figure of both sides; the processor time is the server's alone.

use kasasagi_benches::Suite;
use kasasagi_benches::load::Load;
use kasasagi_benches::server::Service;

const MESSAGE: &[u8] = &[7; 64];

pub(crate) fn rows(suite: &Suite) {
    let row = |name, connections, requests| {
        let load = Load { name, service: Service::Echo, request: MESSAGE, connections, requests };
        load.measure(suite, &[]);
    };
    row("echo, 1 connection", 1, 10_000);
    row("echo, 100 connections", 100, 100_000);
    row("echo, 1,000 connections", 1_000, 100_000);
    row("echo, 5,000 connections", 5_000, 100_000);
}
