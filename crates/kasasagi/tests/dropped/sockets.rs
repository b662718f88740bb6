//! Sockets: what a dropped future did not give is there for the next one.

use crate::drive::{Polls, cases};
use crate::world::ms;
use kasasagi::net::{TcpListener, TcpStream, lookup_host};
use kasasagi::{spawn, time};
use std::net::SocketAddr;

cases! { accept, connect, read, peek, lookup }

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let addr = listener.local_addr().expect("a bound socket has an address");
    (listener, addr)
}

async fn pair() -> (TcpStream, TcpStream) {
    let (listener, addr) = listener().await;
    let theirs = spawn(async move { listener.accept().await });
    let ours = TcpStream::connect(addr).await.expect("it listens");
    (ours, theirs.await.expect("no panic").expect("a client comes").0)
}

/// A connection that comes later: whoever accepts next gets it.
async fn accept(polls: Polls) -> bool {
    let (listener, addr) = listener().await;
    let client = spawn(async move {
        time::sleep(ms(2)).await;
        TcpStream::connect(addr).await.expect("it listens")
    });
    let given = polls.of(listener.accept()).await;
    let ended = given.is_some();
    let (stream, _) = match given {
        Some(accepted) => accepted.expect("a client comes"),
        None => listener.accept().await.expect("a client comes"),
    };
    let client = client.await.expect("it ends");
    assert_eq!(stream.peer_addr().ok(), client.local_addr().ok());
    ended
}

/// Dropped midway it closes its socket: what the listener got, if anything, is at its end.
async fn connect(polls: Polls) -> bool {
    let (listener, addr) = listener().await;
    // A number needs no time; the name is looked up by the pool first.
    let stream = polls.of(TcpStream::connect(("localhost", addr.port()))).await;
    let ended = stream.is_some();
    let accepted = time::timeout(ms(5), listener.accept()).await;
    if let (false, Ok(accepted)) = (ended, accepted) {
        let mut byte = [0];
        assert!(accepted.expect("a client came").0.read(&mut byte).await.map_or(true, |n| n == 0));
    }
    if let Some(stream) = stream {
        stream.expect("it listens");
    }
    ended
}

async fn read(polls: Polls) -> bool {
    let (ours, theirs) = pair().await;
    let writer = spawn(async move {
        time::sleep(ms(2)).await;
        theirs.write_all(b"twig").await.expect("it is connected");
    });
    let mut buf = [0; 16];
    let given = polls.of(ours.read(&mut buf)).await;
    let ended = given.is_some();
    let n = match given {
        Some(n) => n.expect("it is connected"),
        None => ours.read(&mut buf).await.expect("it is connected"),
    };
    assert_eq!(&buf[..n], b"twig");
    writer.await.expect("it ends");
    ended
}

async fn peek(polls: Polls) -> bool {
    let (ours, theirs) = pair().await;
    let writer = spawn(async move {
        time::sleep(ms(2)).await;
        theirs.write_all(b"twig").await.expect("it is connected");
        theirs
    });
    let mut buf = [0; 16];
    let ended = polls.of(ours.peek(&mut buf)).await.is_some();
    let n = ours.read(&mut buf).await.expect("it is connected");
    assert_eq!(&buf[..n], b"twig", "a look takes nothing");
    writer.await.expect("it ends");
    ended
}

async fn lookup(polls: Polls) -> bool {
    let found = polls.of(lookup_host("localhost:80")).await;
    found.is_some()
}
