//! Every order in which the threads of a small program can meet at the pool.
#![cfg(kasasagi_loom)]

use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;
use modelled::Pool;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

/// As `loom::model`, with the bound of two preemptions that loom's authors advise: larger models end in time.
fn model(test: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(test);
}

/// Two threads, one thing: each finds it, and nobody waits for ever. loom reports a deadlock, or the panic of `get`.
#[test]
fn who_has_a_permit_finds_something() {
    model(|| {
        let pool = Arc::new(Pool::new(vec![7]));
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || assert_eq!(*block_on(pool.get()), 7))
        };
        assert_eq!(*block_on(pool.get()), 7);
        other.join().expect("the other does not panic");
        assert_eq!(pool.free(), 1);
    });
}

/// One who waits leaves, at whatever moment: what it was given goes to the next.
#[test]
fn one_who_leaves_keeps_nothing() {
    model(|| {
        let pool = Arc::new(Pool::new(vec![7]));
        let lease = block_on(pool.get());
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || assert_eq!(*block_on(pool.get()), 7))
        };
        {
            let mut leaves = pin!(pool.get());
            drop(leaves.as_mut().poll(&mut Context::from_waker(Waker::noop())));
            drop(lease);
        }
        other.join().expect("the other does not panic");
        assert_eq!(pool.free(), 1);
    });
}
