//! How long do ten thousand fetches take, all at once, from a server that answers after 100 ms?
//!
//! The server is the same for all, a loop over epoll in a process of its own, on the same two processors: most of the
//! time above 100 ms is the kernel's and the server's.

use kasasagi_benches::epoll::DELAY;
use kasasagi_benches::server::Server;
use kasasagi_benches::{ChildRow, Figure, Peer, Suite, process};
use std::net::SocketAddr;
use std::time::Instant;

const FETCHES: usize = 10_000;

struct Fetch;

/// As many as files may be open, the server's and the program's own left out.
fn most() -> usize {
    FETCHES.min(process::open_files().saturating_sub(200))
}

async fn fetch<P: Peer>(from: SocketAddr) -> usize {
    let mut stream = P::connect(from).await.expect("the server listens");
    P::write_all(&mut stream, b"GET / HTTP/1.0\r\n\r\n").await.expect("the server reads");
    let (mut buf, mut length) = ([0; 256], 0);
    loop {
        match P::read(&mut stream, &mut buf).await.expect("the server answers") {
            0 => return length,
            n => length += n,
        }
    }
}

async fn fetch_all<P: Peer>(peer: P, n: usize, from: &[SocketAddr]) {
    let fetches: Vec<_> = (0..n).map(|i| peer.spawn(fetch::<P>(from[i % from.len()]))).collect();
    for fetch in fetches {
        assert!(fetch.await > 0, "an answer has bytes");
    }
}

impl ChildRow for Fetch {
    fn name(&self) -> String {
        "10,000 fetches at once".into()
    }

    fn note(&self) -> Option<String> {
        let n = most();
        (n < FETCHES).then(|| format!("{n} fetches: no more files may be open here"))
    }

    fn run<P: Peer>(&self, peer: P, test: bool) -> Vec<Figure> {
        let n = if test { 50 } else { most() };
        let server = Server::delayed();
        let addresses = server.addresses.clone();
        let (wall, cpu) = peer.inside(async move {
            fetch_all(peer, n / 50, &addresses).await;
            let (start, before) = (Instant::now(), process::cpu_ns());
            fetch_all(peer, n, &addresses).await;
            (start.elapsed(), process::cpu_ns() - before)
        });
        server.end();
        assert!(wall >= DELAY, "no answer comes earlier");
        vec![
            Figure::new("ms wall", wall.as_secs_f64() * 1e3),
            Figure::new("ns cpu a fetch", cpu as f64 / n as f64),
        ]
    }
}

pub(crate) fn rows(suite: &Suite) {
    suite.child_row(&Fetch);
}
