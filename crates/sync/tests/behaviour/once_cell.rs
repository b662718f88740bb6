//! Made once: by the first, or by the next if that one fails or goes.

use crate::polled::{Polled, ready};
use kasasagi_sync::{OnceCell, SetError};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

/// A function that waits once, and then gives `result`.
async fn after_a_turn<T>(result: T) -> T {
    let mut turns = 0;
    poll_fn(|_| {
        turns += 1;
        if turns == 1 { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    result
}

#[test]
fn the_first_makes_it_and_all_others_get_the_same() {
    let cell = OnceCell::new();
    let mut first = Polled::waiting(cell.get_or_init(|| after_a_turn(1)));
    let mut others: Vec<_> = (0..40)
        .map(|_| Polled::waiting(cell.get_or_init(|| async { panic!("it is made once") })))
        .collect();
    assert_eq!(cell.get(), None);
    assert!(!cell.is_initialized());
    assert_eq!(first.poll(), Poll::Ready(&1));
    for other in &mut others {
        assert_eq!(other.wakes(), 1);
        assert_eq!(other.poll(), Poll::Ready(&1));
    }
    assert_eq!(ready(cell.get_or_init(|| async { 2 })), &1);
    assert_eq!(cell.get(), Some(&1));
}

#[test]
fn one_that_fails_hands_over_to_the_next_in_line() {
    let cell = OnceCell::<u32>::new();
    let mut first = Polled::waiting(cell.get_or_try_init(|| after_a_turn(Err("first"))));
    let mut second = Polled::waiting(cell.get_or_try_init(|| after_a_turn(Err("second"))));
    let mut third = Polled::waiting(cell.get_or_try_init(|| after_a_turn(Ok::<_, &str>(3))));
    assert_eq!(first.poll(), Poll::Ready(Err("first")));
    assert_eq!((second.wakes(), third.wakes()), (1, 0));
    assert!(third.poll().is_pending(), "it is not its turn");
    assert!(second.poll().is_pending(), "it makes it");
    assert_eq!(second.poll(), Poll::Ready(Err("second")));
    assert_eq!(third.wakes(), 1);
    assert!(third.poll().is_pending());
    assert_eq!(third.poll(), Poll::Ready(Ok(&3)));
}

#[test]
fn one_that_is_dropped_hands_over_when_what_it_made_is_gone() {
    struct Part(Arc<AtomicUsize>);
    impl Drop for Part {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let cell = OnceCell::new();
    let gone = Arc::new(AtomicUsize::new(0));
    let part = Part(Arc::clone(&gone));
    let first = Polled::waiting(cell.get_or_init(|| async move {
        let part = part;
        after_a_turn(()).await;
        drop(part);
        1
    }));
    let second_gone = Arc::clone(&gone);
    let mut second = Polled::waiting(cell.get_or_init(|| async move {
        assert_eq!(second_gone.load(Ordering::Relaxed), 1, "two make it at once");
        2
    }));
    drop(first);
    assert_eq!(second.wakes(), 1);
    assert_eq!(second.poll(), Poll::Ready(&2));
}

#[test]
fn one_that_was_given_its_turn_and_leaves_passes_it_on() {
    let cell = OnceCell::new();
    let first = Polled::waiting(cell.get_or_init(|| after_a_turn(1)));
    let second = Polled::waiting(cell.get_or_init(|| async { 2 }));
    let mut third = Polled::waiting(cell.get_or_init(|| async { 3 }));
    drop(first);
    assert_eq!((second.wakes(), third.wakes()), (1, 0));
    drop(second);
    assert_eq!(third.wakes(), 1);
    assert_eq!(third.poll(), Poll::Ready(&3));
}

#[test]
fn one_that_panics_hands_over() {
    let cell = OnceCell::new();
    for late in [false, true] {
        let mut bad = Polled::new(cell.get_or_init(|| {
            assert!(late, "in the function");
            async { panic!("in its future") }
        }));
        let poll = std::panic::AssertUnwindSafe(|| bad.poll().is_ready());
        assert!(std::panic::catch_unwind(poll).is_err());
        drop(bad);
    }
    assert_eq!(ready(cell.get_or_init(|| async { 1 })), &1);
}

#[test]
fn it_can_be_set_once_and_not_while_it_is_made() {
    let cell = OnceCell::new();
    let mut first = Polled::waiting(cell.get_or_init(|| after_a_turn(1)));
    assert_eq!(cell.set(2), Err(SetError::Initializing(2)));
    assert_eq!(first.poll(), Poll::Ready(&1));
    drop(first);
    assert_eq!(cell.set(3), Err(SetError::AlreadySet(3)));
    assert_eq!(cell.set(3).map_err(SetError::into_inner), Err(3));
    let cell = OnceCell::new();
    assert_eq!(cell.set(4), Ok(()));
    assert_eq!(ready(cell.get_or_init(|| async { 5 })), &4);
    assert_eq!(OnceCell::from(6).into_inner(), Some(6));
}

#[test]
fn it_can_be_taken_out_and_made_again() {
    let mut cell = OnceCell::with_value(String::from("a"));
    cell.get_mut().expect("it is there").push('b');
    assert_eq!(cell.take().as_deref(), Some("ab"));
    assert_eq!(cell.take(), None);
    assert_eq!(ready(cell.get_or_init(|| async { String::from("c") })), "c");
    assert_eq!(format!("{cell:?}"), "OnceCell(Some(\"c\"))");
    assert_eq!(cell.into_inner().as_deref(), Some("c"));
    assert_eq!(OnceCell::<u8>::default().into_inner(), None);
}

#[test]
fn its_value_is_dropped_with_it() {
    let value = Arc::new(());
    drop(OnceCell::with_value(Arc::clone(&value)));
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn a_static_is_made_once_by_many_threads() {
    static CELL: OnceCell<u32> = OnceCell::new();
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let threads: Vec<_> = (0..8)
        .map(|number| {
            std::thread::spawn(move || {
                let make = || async move {
                    MADE.fetch_add(1, Ordering::Relaxed);
                    number
                };
                *crate::polled::block_on(CELL.get_or_init(make))
            })
        })
        .collect();
    let got: Vec<_> = threads.into_iter().map(|it| it.join().expect("no panic")).collect();
    assert!(got.iter().all(|value| Some(value) == CELL.get()));
    assert_eq!(MADE.load(Ordering::Relaxed), 1);
}
