//! Load: clients of a server, the same for all: a current-thread tokio, one request in flight on each connection.

use crate::column::NAMES;
use crate::row::{Figure, percentile};
use crate::server::{Server, Service};
use crate::strace::Strace;
use crate::suite::Suite;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How a server is asked.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The name of the row.
    pub name: &'static str,
    /// Of what kind the server is.
    pub service: Service,
    /// What is sent; the answer's length is that of the first one.
    pub request: &'static [u8],
    /// Connections, each with one request in flight.
    pub connections: usize,
    /// Requests in all.
    pub requests: u64,
}

impl Load {
    /// Measures the row for each peer, or counts its system calls.
    pub fn measure(&self, suite: &Suite, without: &[&str]) {
        let mut load = *self;
        let mut note = None;
        // Some descriptors are the program's own.
        let most = crate::process::open_files().saturating_sub(200);
        if load.connections > most {
            load.connections = most;
            note = Some(format!("{most} connections: no more files may be open here"));
        }
        if suite.test {
            load.connections = load.connections.min(20);
            load.requests = 100;
        } else if suite.strace {
            load.requests /= 5;
        }
        let serves =
            |index: usize| NAMES[index] == crate::column::FLOOR || index < crate::column::PEERS;
        suite.children(self.name, note.as_deref(), without, |index| {
            match (serves(index), suite.strace) {
                (false, _) => Vec::new(),
                (true, false) => load.run(Server::start(suite, load.service, index)),
                (true, true) => load.trace(Server::start(suite, load.service, index)),
            }
        });
    }

    fn run(&self, mut server: Server) -> Vec<Figure> {
        let each = (self.requests / self.connections as u64).max(1);
        let counted = (each / 10).max(1);
        with_clients(async {
            let streams = self.connect(&server).await;
            let before = server.usage();
            let (seen, streams) = self.ask(streams, each).await;
            let after = server.usage();
            let counts = server.count();
            let (_, streams) = self.ask(streams, counted).await;
            let allocations = server.count_no_more().allocations - counts.allocations;
            server.end();
            drop(streams);
            let n = (self.connections as u64 * each) as f64;
            let counted = (self.connections as u64 * counted) as f64;
            vec![
                Figure::new("ns cpu a request, server", (after.cpu_ns - before.cpu_ns) / n),
                Figure::new("ns a request, wall", seen.seconds * 1e9 / n),
                Figure::new("µs round trip, p99", seen.p99_us),
                Figure::new("context switches", (after.switches - before.switches) / n),
                Figure::new("allocations", allocations / counted),
            ]
        })
    }

    fn trace(&self, server: Server) -> Vec<Figure> {
        let each = (self.requests / self.connections as u64).max(1);
        with_clients(async {
            let streams = self.connect(&server).await;
            let strace = Strace::attach(server.id()).expect("strace is installed");
            let (_, streams) = self.ask(streams, each).await;
            let calls = strace.end((self.connections as u64 * each) as f64);
            server.end();
            drop(streams);
            calls.expect("strace gives a summary")
        })
    }

    /// Connections that are warm.
    async fn connect(&self, server: &Server) -> Vec<Client> {
        let mut clients = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            let stream = TcpStream::connect(server.addresses[0]).await.expect("the server listens");
            stream.set_nodelay(true).expect("an open socket has options");
            let mut client = Client { stream, answer: vec![0; 4096] };
            client.begin(self.request).await.expect("the server answers");
            for _ in 0..2 {
                client.ask(self.request).await.expect("the server answers");
            }
            clients.push(client);
        }
        clients
    }

    /// `each` requests on each connection; all stay open: what a connection's end costs is not asked here.
    async fn ask(&self, clients: Vec<Client>, each: u64) -> (Seen, Vec<Client>) {
        let start = Instant::now();
        let latencies = Rc::new(RefCell::new(Vec::new()));
        let request = self.request;
        let ask = |mut client: Client| {
            let latencies = Rc::clone(&latencies);
            tokio::task::spawn_local(async move {
                let mut mine = Vec::with_capacity(each as usize);
                for _ in 0..each {
                    let start = Instant::now();
                    client.ask(request).await.expect("the server answers");
                    mine.push(start.elapsed().as_nanos() as f64 / 1e3);
                }
                latencies.borrow_mut().extend(mine);
                client
            })
        };
        let tasks: Vec<_> = clients.into_iter().map(ask).collect();
        let mut clients = Vec::with_capacity(tasks.len());
        for task in tasks {
            clients.push(task.await.expect("no client panics"));
        }
        let seconds = start.elapsed().as_secs_f64();
        let p99_us = percentile(&mut latencies.borrow_mut(), 0.99);
        (Seen { seconds, p99_us }, clients)
    }
}

fn with_clients<T>(body: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    tokio::task::LocalSet::new().block_on(&runtime.expect("a runtime starts"), body)
}

/// What the clients saw.
struct Seen {
    seconds: f64,
    p99_us: f64,
}

struct Client {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Client {
    /// The first request, which shows how long an answer is: it comes in one piece.
    async fn begin(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await?;
        let length = self.stream.read(&mut self.answer).await?;
        assert!(length > 0, "the server hung up");
        self.answer.truncate(length);
        Ok(())
    }

    async fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await?;
        self.stream.read_exact(&mut self.answer).await?;
        Ok(())
    }
}
