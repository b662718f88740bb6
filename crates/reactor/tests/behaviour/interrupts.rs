//! RCT-09: making the thread that attends come back.

use crate::hand::{LIMIT, for_each_poller};
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread;
use kasasagi_reactor::NEVER;
use std::time::{Duration, Instant};

fn far(reactor: &kasasagi_reactor::Reactor) -> u64 {
    reactor.now() + LIMIT.as_nanos() as u64
}

#[test]
fn rct_09_an_interrupt_before_the_wait_ends_it() {
    for_each_poller(|reactor| {
        for look_first in [false, true] {
            for _ in 0..3 {
                reactor.interrupt();
                reactor.interrupt();
                if look_first {
                    reactor.look(64);
                }
                reactor.attend(NEVER, 64);
            }
        }
    });
}

#[test]
fn rct_09_interrupts_are_used_up() {
    for_each_poller(|reactor| {
        (0..100).for_each(|_| reactor.interrupt());
        reactor.attend(NEVER, 64);
        // At most one stale edge is left; after it, a wait lasts.
        let begun = Instant::now();
        let mut waits = 0;
        while begun.elapsed() < Duration::from_millis(5) {
            reactor.attend(reactor.now() + 5_000_000, 64);
            waits += 1;
            assert!(waits < 5, "an interrupt is heard again and again");
        }
    });
}

#[test]
fn rct_09_thousands_of_interrupts_from_many_threads_are_not_lost() {
    const EACH: usize = 5_000;
    for_each_poller(|reactor| {
        let done = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (reactor, done) = (reactor.clone(), Arc::clone(&done));
                thread::spawn(move || {
                    for _ in 0..EACH {
                        done.fetch_add(1, Ordering::Relaxed);
                        reactor.interrupt();
                    }
                })
            })
            .collect();
        let begun = Instant::now();
        while done.load(Ordering::Relaxed) < 4 * EACH {
            reactor.attend(far(reactor), 64);
            assert!(begun.elapsed() < LIMIT, "an interrupt was lost");
        }
        threads.into_iter().for_each(|thread| thread.join().expect("interrupting never fails"));
    });
}

#[test]
fn one_thread_looks_while_another_attends_and_does_not_wait_for_it() {
    for_each_poller(|reactor| {
        let attending = {
            let reactor = reactor.clone();
            thread::spawn(move || reactor.attend(far(&reactor), 64))
        };
        for _ in 0..1000 {
            assert_eq!(reactor.look(64), 0);
        }
        reactor.interrupt();
        attending.join().expect("attending never fails");
    });
}
