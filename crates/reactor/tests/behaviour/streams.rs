//! Short reads and ends of streams.

use crate::hand::{Counted, for_each_poller, run, settle, turn_until};
use kasasagi_reactor::Async;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::panic::Location;
use std::task::{Context, Poll, Waker};

fn tcp(readable: bool) -> (Async<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("it binds");
    let address = listener.local_addr().expect("it is bound");
    let theirs = TcpStream::connect(address).expect("it connects");
    let (ours, _) = listener.accept().expect("it was connected");
    (Async::with_readiness(ours, readable, true).expect("a registry was entered"), theirs)
}

fn poll_read(source: &Async<TcpStream>, waker: &Waker, size: usize) -> Poll<io::Result<usize>> {
    let mut cx = Context::from_waker(waker);
    let mut buf = vec![0; size];
    source.poll_read(&mut cx, Location::caller(), size, |mut io| io.read(&mut buf))
}

async fn read(source: &Async<TcpStream>, size: usize) -> usize {
    std::future::poll_fn(|cx| poll_read(source, cx.waker(), size)).await.expect("it is read")
}

#[test]
fn data_and_the_end_in_one_edge_are_both_read() {
    for_each_poller(|reactor| {
        for speculate in [false, true] {
            for registered in [false, true] {
                let (ours, mut theirs) = tcp(speculate);
                if registered {
                    assert!(poll_read(&ours, Waker::noop(), 64).is_pending());
                    settle(reactor);
                }
                theirs.write_all(b"abc").expect("it is sent");
                theirs.shutdown(Shutdown::Write).expect("it is open");
                assert_eq!(run(reactor, read(&ours, 64)), 3);
                assert_eq!(run(reactor, read(&ours, 64)), 0);
                assert_eq!(run(reactor, read(&ours, 64)), 0);
            }
        }
    });
}

#[test]
fn a_short_read_leaves_nothing_behind() {
    for_each_poller(|reactor| {
        let (ours, mut theirs) = tcp(true);
        for round in 0..50_usize {
            let message = vec![7; 1 + round * 97];
            theirs.write_all(&message).expect("it is sent");
            let mut got = 0;
            while got < message.len() {
                got += run(reactor, read(&ours, 1024));
            }
            assert_eq!(got, message.len());
        }
    });
}

/// A read stops short of urgent data: what follows it has no edge of its own.
#[test]
fn what_follows_urgent_data_is_read() {
    for_each_poller(|reactor| {
        let (ours, mut theirs) = tcp(false);
        assert!(poll_read(&ours, Waker::noop(), 64).is_pending());
        settle(reactor);
        theirs.write_all(b"abc").expect("it is sent");
        rustix::net::send(&theirs, b"!", rustix::net::SendFlags::OOB).expect("it is sent");
        theirs.write_all(b"def").expect("it is sent");
        let mut got = 0;
        while got < 6 {
            got += run(reactor, read(&ours, 64));
        }
        assert_eq!(got, 6);
    });
}

#[test]
fn a_large_transfer_through_small_buffers_arrives_whole() {
    const SIZE: usize = 3 << 20;
    for_each_poller(|reactor| {
        let (ours, mut theirs) = tcp(false);
        let sender = kasasagi_primitive::thread::spawn(move || {
            theirs.write_all(&vec![5; SIZE]).expect("it is sent");
        });
        let got = run(reactor, async {
            let mut got = 0;
            loop {
                match read(&ours, 10_000).await {
                    0 => break got,
                    count => got += count,
                }
            }
        });
        sender.join().expect("the sender does not panic");
        assert_eq!(got, SIZE);
    });
}

#[test]
fn a_reset_connection_is_an_error_for_who_waits() {
    for_each_poller(|reactor| {
        let (ours, mut theirs) = tcp(false);
        let (count, waker) = Counted::new();
        // Data that the peer never reads turn its close into a reset.
        let mut cx = Context::from_waker(&waker);
        let sent = ours.poll_write(&mut cx, Location::caller(), |mut io| io.write(b"unread"));
        assert!(matches!(sent, Poll::Ready(Ok(6))));
        theirs.set_nonblocking(false).expect("it can be");
        theirs.read_exact(&mut [0]).expect("six bytes were sent");
        assert!(poll_read(&ours, &waker, 64).is_pending());
        settle(reactor);
        let _ = poll_read(&ours, &waker, 64);
        let before = count.wakes();
        drop(theirs);
        turn_until(reactor, || count.wakes() > before);
        let Poll::Ready(result) = poll_read(&ours, &waker, 64) else { panic!("it waits on") };
        assert_eq!(result.expect_err("it was reset").kind(), io::ErrorKind::ConnectionReset);
    });
}
