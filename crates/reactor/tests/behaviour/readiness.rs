//! RCT: sources, their waiters, and events that come too late.

use crate::hand::{Counted, doing, for_each_poller, poll, run, settle, turn_until};
use kasasagi_primitive::sync::Mutex;
use kasasagi_reactor::{Async, Direction, Reactor};
use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

fn pair() -> (Async<UnixStream>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair is made");
    (Async::new(ours).expect("a registry was entered"), theirs)
}

/// Polls a read of 64 bytes.
fn poll_read(source: &Async<UnixStream>, waker: &Waker) -> Poll<io::Result<usize>> {
    let mut cx = Context::from_waker(waker);
    let mut buf = [0; 64];
    source.poll_read(&mut cx, Location::caller(), buf.len(), |mut io| io.read(&mut buf))
}

/// Writes until the socket is full, and leaves `waker` for when it is not.
fn fill(source: &Async<UnixStream>, waker: &Waker) {
    let chunk = [0; 4096];
    let mut cx = Context::from_waker(waker);
    while source.poll_write(&mut cx, Location::caller(), |mut io| io.write(&chunk)).is_ready() {}
}

#[test]
fn rct_01_readable_comes_for_each_message_and_for_the_end() {
    for_each_poller(|reactor| {
        let (ours, mut theirs) = pair();
        let read = |expected: &[u8]| {
            run(reactor, ours.readable()).expect("it becomes readable");
            let mut buf = [0; 16];
            let count = ours.try_io(Direction::Read, |mut io| io.read(&mut buf));
            assert_eq!(&buf[..count.expect("there is something")], expected);
        };
        theirs.write_all(b"abc").expect("it is sent");
        read(b"abc");
        theirs.write_all(b"def").expect("it is sent");
        read(b"def");
        drop(theirs);
        read(b"");
        read(b"");
        ours.into_inner().expect("it is known to the poller");
    });
}

#[test]
fn rct_01_readable_is_right_however_the_object_was_read() {
    for_each_poller(|reactor| {
        let (ours, mut theirs) = pair();
        theirs.write_all(b"abcd").expect("it is sent");
        let mut two = [0; 2];
        for _ in 0..2 {
            run(reactor, ours.readable()).expect("it becomes readable");
            // Directly, and in part.
            ours.get_ref().read_exact(&mut two).expect("four bytes were sent");
        }
        let (count, waker) = Counted::new();
        let mut readable = pin!(ours.readable());
        assert!(poll(readable.as_mut(), &waker).is_pending());
        settle(reactor);
        if count.wakes() > 0 {
            assert!(poll(readable.as_mut(), &waker).is_pending(), "there is nothing to read");
        }
    });
}

#[test]
fn rct_02_interests_in_reading_and_in_writing_are_independent() {
    for_each_poller(|reactor| {
        let (ours, mut theirs) = pair();
        let (read, read_waker) = Counted::new();
        let (written, write_waker) = Counted::new();
        fill(&ours, &write_waker);
        let mut writable = pin!(ours.writable());
        assert!(poll(writable.as_mut(), &write_waker).is_pending());
        {
            let mut readable = pin!(ours.readable());
            assert!(poll(readable.as_mut(), &read_waker).is_pending());
        }
        // The one that is dropped takes the other with it in no way.
        let mut sink = vec![0; 1 << 20];
        turn_until(reactor, || {
            theirs.set_nonblocking(true).expect("it can be");
            while theirs.read(&mut sink).is_ok_and(|count| count > 0) {}
            poll(writable.as_mut(), &write_waker).is_ready()
        });
        assert!(written.wakes() > 0);
        assert_eq!(read.wakes(), 0);
        let mut readable = pin!(ours.readable());
        assert!(poll(readable.as_mut(), &read_waker).is_pending());
        theirs.write_all(b"x").expect("it is sent");
        turn_until(reactor, || poll(readable.as_mut(), &read_waker).is_ready());
        assert!(read.wakes() > 0);
    });
}

#[test]
fn rct_03_a_wait_polled_again_replaces_its_waker() {
    for_each_poller(|reactor| {
        let (ours, mut theirs) = pair();
        let (old, old_waker) = Counted::new();
        let (new, new_waker) = Counted::new();
        let mut readable = pin!(ours.readable());
        assert!(poll(readable.as_mut(), &old_waker).is_pending());
        settle(reactor);
        assert!(poll(readable.as_mut(), &old_waker).is_pending());
        let spurious = old.wakes();
        assert!(poll(readable.as_mut(), &new_waker).is_pending());
        theirs.write_all(b"x").expect("it is sent");
        turn_until(reactor, || new.wakes() > 0);
        assert_eq!(old.wakes(), spurious, "the waker that was replaced is not woken");
        assert!(poll(readable.as_mut(), &new_waker).is_ready());
    });
}

#[test]
fn rct_03_a_waker_left_twice_is_woken_once() {
    for_each_poller(|reactor| {
        let (ours, mut theirs) = pair();
        let (count, waker) = Counted::new();
        assert!(poll_read(&ours, &waker).is_pending());
        settle(reactor);
        let spurious = count.wakes();
        (0..3).for_each(|_| assert!(poll_read(&ours, &waker).is_pending()));
        theirs.write_all(b"x").expect("it is sent");
        turn_until(reactor, || count.wakes() > spurious);
        settle(reactor);
        assert_eq!(count.wakes(), spurious + 1);
    });
}

#[test]
fn rct_04_a_wait_dropped_before_its_event_is_not_woken() {
    for_each_poller(|reactor| {
        let (ours, mut theirs) = pair();
        let (count, waker) = Counted::new();
        {
            let mut readable = pin!(ours.readable());
            assert!(poll(readable.as_mut(), &waker).is_pending());
            settle(reactor);
            assert!(poll(readable.as_mut(), &waker).is_pending());
        }
        let before = count.wakes();
        theirs.write_all(b"x").expect("it is sent");
        settle(reactor);
        assert_eq!(count.wakes(), before);
    });
}

/// Forty sources become ready together. Whoever is woken first replaces the last one, whose event has been
/// fetched and not yet told.
#[test]
fn rct_04_an_event_of_a_source_that_has_gone_wakes_nobody_else() {
    for_each_poller(|reactor| {
        let registry = reactor.registry();
        let last: Arc<Mutex<Option<Async<UnixStream>>>> = Arc::default();
        let (stale, stale_waker) = Counted::new();
        let (fresh, fresh_waker) = Counted::new();
        let (kept_open, kept_open_theirs) = UnixStream::pair().expect("a pair is made");
        let spare = Mutex::new(Some(kept_open));
        let replace = {
            let last = Arc::clone(&last);
            let fresh_waker = fresh_waker.clone();
            doing(move || {
                let Some(io) = spare.lock().take() else { return };
                let _entered = registry.enter();
                drop(last.lock().take());
                let next = Async::new(io).expect("a registry was entered");
                assert!(poll_read(&next, &fresh_waker).is_pending());
                *last.lock() = Some(next);
            })
        };
        let mut sources: Vec<_> = (0..40).map(|_| pair()).collect();
        for (ours, _) in &sources[..39] {
            assert!(poll_read(ours, &replace).is_pending());
        }
        assert!(poll_read(&sources[39].0, &stale_waker).is_pending());
        settle(reactor);
        let spurious = stale.wakes();
        let (ours, theirs) = sources.pop().expect("there are forty");
        *last.lock() = Some(ours);
        for (_, theirs) in &mut sources {
            theirs.write_all(b"x").expect("it is sent");
        }
        (&theirs).write_all(b"x").expect("it is sent");
        // Ours, the two wakers above, and the one that the new source keeps.
        turn_until(reactor, || Arc::strong_count(&fresh) == 4);
        assert_eq!(fresh.wakes(), 0, "the slot's next owner heard of its predecessor's event");
        assert_eq!(stale.wakes(), spurious);
        (&kept_open_theirs).write_all(b"x").expect("it is sent");
        turn_until(reactor, || fresh.wakes() == 1);
    });
}

#[test]
fn rct_06_who_is_woken_for_nothing_waits_again() {
    for_each_poller(|reactor| {
        let (ours, mut theirs) = pair();
        let (first, first_waker) = Counted::new();
        let (second, second_waker) = Counted::new();
        assert!(poll_read(&ours, &first_waker).is_pending());
        assert!(poll_read(&ours, &second_waker).is_pending());
        theirs.write_all(b"one").expect("it is sent");
        turn_until(reactor, || first.wakes() > 0 && second.wakes() > 0);
        assert!(matches!(poll_read(&ours, &second_waker), Poll::Ready(Ok(3))));
        assert!(poll_read(&ours, &first_waker).is_pending(), "it was read by the other");
        let before = first.wakes();
        theirs.write_all(b"four").expect("it is sent");
        turn_until(reactor, || first.wakes() > before);
        assert!(matches!(poll_read(&ours, &first_waker), Poll::Ready(Ok(4))));
    });
}

#[test]
fn rct_06_interrupted_operations_are_tried_again() {
    for_each_poller(|_| {
        let (ours, mut theirs) = pair();
        theirs.write_all(b"x").expect("it is sent");
        let mut tries = 0;
        let mut cx = Context::from_waker(Waker::noop());
        let result = ours.poll_write(&mut cx, Location::caller(), |_| {
            tries += 1;
            if tries == 1 { Err(ErrorKind::Interrupted.into()) } else { Ok(7) }
        });
        assert!(matches!(result, Poll::Ready(Ok(7))));
    });
}

#[test]
fn rct_07_a_file_that_cannot_be_polled_is_refused_by_the_operation_that_waits() {
    for_each_poller(|_| {
        let path = std::env::temp_dir().join(format!("kasasagi-reactor-{}", std::process::id()));
        let file = std::fs::File::create(&path).expect("a file is made");
        let source = Async::new(OwnedFd::from(file)).expect("nothing is registered yet");
        let mut readable = pin!(source.readable());
        let result = readable.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Err(error)) = result else { panic!("a file was polled: {result:?}") };
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        // A second file whose removal is not our matter.
        let _ = std::fs::remove_file(&path);
    });
}

#[test]
fn rct_07_without_a_registry_the_error_says_what_to_write() {
    let (ours, _theirs) = UnixStream::pair().expect("a pair is made");
    let error = Async::new(ours).expect_err("there is no registry");
    let text = error.to_string();
    assert!(text.contains("kasasagi::run") && text.contains("readiness.rs"), "{text}");
}

#[test]
fn all_who_accept_from_one_listener_are_served() {
    for_each_poller(|reactor| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("it binds");
        let address = listener.local_addr().expect("it is bound");
        let listener = Async::new(listener).expect("a registry was entered");
        let wakers: Vec<_> = (0..5).map(|_| Counted::new()).collect();
        let accept = |waker: &Waker| {
            let mut cx = Context::from_waker(waker);
            listener.poll_io(&mut cx, Direction::Read, Location::caller(), |io| io.accept())
        };
        for (_, waker) in &wakers {
            assert!(accept(waker).is_pending());
        }
        let _clients: Vec<_> =
            (0..5).map(|_| TcpStream::connect(address).expect("it connects")).collect();
        let mut served = [false; 5];
        turn_until(reactor, || {
            for (served, (count, waker)) in served.iter_mut().zip(&wakers) {
                if !*served && count.wakes() > 0 {
                    *served = accept(waker).is_ready();
                }
            }
            served == [true; 5]
        });
    });
}

#[test]
fn a_line_of_more_waiters_than_it_holds_wakes_the_oldest() {
    for_each_poller(|_| {
        let (ours, _theirs) = pair();
        let wakers: Vec<_> = (0..200).map(|_| Counted::new()).collect();
        for (_, waker) in &wakers {
            assert!(poll_read(&ours, waker).is_pending());
        }
        let woken = wakers.iter().filter(|(count, _)| count.wakes() > 0).count();
        assert!((100..=150).contains(&woken), "{woken} of 200 made room");
    });
}

#[test]
fn an_operation_that_panics_uses_up_no_readiness() {
    let reactor = Reactor::new(1).expect("a poller opens");
    let _entered = reactor.registry().enter();
    let (ours, mut theirs) = pair();
    assert!(poll_read(&ours, Waker::noop()).is_pending());
    theirs.write_all(b"x").expect("it is sent");
    settle(&reactor);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut cx = Context::from_waker(Waker::noop());
        let _ = ours.poll_io(&mut cx, Direction::Read, Location::caller(), |_| -> io::Result<()> {
            panic!("the operation's")
        });
    }));
    assert!(panicked.is_err());
    assert!(poll_read(&ours, Waker::noop()).is_ready());
}
