//! An executor for one future: polls when woken, turns the reactor in between.

use kasasagi_blocking::{Config, Pool};
use kasasagi_net::{TcpListener, TcpStream};
use kasasagi_reactor::{Reactor, time::timeout};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// What no event of these tests may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

struct Hand {
    reactor: Reactor,
    woken: AtomicBool,
}

impl Wake for Hand {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.reactor.interrupt();
    }
}

/// Runs `future` with a reactor and a pool; fails when it takes longer than [`LIMIT`].
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let pool = Pool::new(Config::default());
    let _pool = pool.enter();
    without_pool(future)
}

/// As [`run`], without a pool.
pub(crate) fn without_pool<F: Future>(future: F) -> F::Output {
    let reactor = Reactor::new(1).expect("the system polls");
    let _registry = reactor.registry().enter();
    let _timers = reactor.timers().enter(Some(0));
    let hand = Arc::new(Hand { reactor, woken: AtomicBool::new(true) });
    let waker = Waker::from(Arc::clone(&hand));
    let mut future = pin!(timeout(LIMIT, future));
    loop {
        let reactor = &hand.reactor;
        if hand.woken.swap(false, Ordering::SeqCst) {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output.expect("it happens within the limit");
            }
        } else {
            reactor.attend(reactor.deadline(0), 64);
        }
        reactor.fire(0, reactor.now());
    }
}

/// A listener on a port of its own.
pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let addr = listener.local_addr().expect("a bound socket has an address");
    (listener, addr)
}

/// Two ends of one connection.
pub(crate) async fn pair() -> (TcpStream, TcpStream) {
    let (listener, addr) = listener().await;
    let (ours, theirs) =
        futures_util::future::join(TcpStream::connect(addr), listener.accept()).await;
    (ours.expect("the listener is there"), theirs.expect("a client comes").0)
}

/// A port that refuses: it was bound a moment ago, and nobody listens on it.
pub(crate) fn refusing() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
        .expect("a socket is to be had");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("loopback has a free port");
    let addr = socket.local_addr().expect("a bound socket has an address");
    (socket, addr.as_socket().expect("it is an IPv4 socket"))
}

/// An address whose connections are neither made nor refused: its queue is full. Keep both.
pub(crate) fn silent() -> ((socket2::Socket, Vec<socket2::Socket>), SocketAddr) {
    let (listening, addr) = refusing();
    listening.listen(0).expect("a bound socket listens");
    let mut queue = Vec::new();
    for _ in 0..8 {
        let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket is to be had");
        client.set_nonblocking(true).expect("it can be non-blocking");
        // In progress: made for the first, never for the others.
        let _ = client.connect(&addr.into());
        queue.push(client);
    }
    ((listening, queue), addr)
}
