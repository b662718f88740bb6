//! Permits: order, bounds, and futures dropped in every state. The names carry the ids of the behaviours they hold.

use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::task_context::{self, TaskContext};
use kasasagi_sync::{Acquire, Closed, Permit, Semaphore, TryAcquireError};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future with a waker that counts.
struct Waiting<'a> {
    future: Pin<Box<Acquire<'a>>>,
    wakes: std::sync::Arc<Count>,
}

type Answer<'a> = Poll<Result<Permit<'a>, Closed>>;

impl<'a> Waiting<'a> {
    fn new(future: Acquire<'a>) -> Self {
        Self { future: Box::pin(future), wakes: std::sync::Arc::default() }
    }

    fn poll(&mut self) -> Answer<'a> {
        let waker = Waker::from(std::sync::Arc::clone(&self.wakes));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }
}

/// `n` waiters for one permit each, in line.
fn line(semaphore: &Semaphore, n: usize) -> Vec<Waiting<'_>> {
    let mut waiting: Vec<_> = (0..n).map(|_| Waiting::new(semaphore.acquire())).collect();
    for one in &mut waiting {
        assert!(one.poll().is_pending());
    }
    waiting
}

fn got(answer: Answer<'_>) -> Permit<'_> {
    match answer {
        Poll::Ready(Ok(permit)) => permit,
        other => panic!("no permit: {other:?}"),
    }
}

#[test]
fn sem_02_three_permits_let_three_in() {
    let semaphore = Semaphore::new(3);
    let permits: Vec<_> = (0..3).map(|_| got(Waiting::new(semaphore.acquire()).poll())).collect();
    assert_eq!(semaphore.available_permits(), 0);
    assert!(Waiting::new(semaphore.acquire()).poll().is_pending());
    drop(permits);
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
fn sem_03_released_permits_are_handed_over_in_order() {
    let semaphore = Semaphore::new(0);
    let mut waiting = line(&semaphore, 3);
    semaphore.add_permits(1);
    semaphore.add_permits(1);
    assert_eq!(semaphore.available_permits(), 0);
    assert_eq!(waiting.iter().map(Waiting::wakes).collect::<Vec<_>>(), [1, 1, 0]);
    assert!(waiting[2].poll().is_pending());
    got(waiting[1].poll()).forget();
    got(waiting[0].poll()).forget();
}

#[test]
fn sem_08_a_releaser_does_not_overtake() {
    let semaphore = Semaphore::new(1);
    let first = got(Waiting::new(semaphore.acquire()).poll());
    let mut second = line(&semaphore, 1);
    drop(first);
    let mut again = line(&semaphore, 1);
    assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::NoPermits));
    let permit = got(second[0].poll());
    assert!(again[0].poll().is_pending());
    drop(permit);
    drop(got(again[0].poll()));
    assert!(semaphore.try_acquire().is_ok());
}

#[test]
fn sem_05_permits_pass_by_those_who_left() {
    let semaphore = Semaphore::new(0);
    let mut waiting = line(&semaphore, 4);
    waiting.drain(..2);
    semaphore.add_permits(1);
    got(waiting[0].poll()).forget();
    assert!(waiting[1].poll().is_pending());
}

#[test]
fn sem_07_a_waiter_that_leaves_with_a_permit_passes_it_on() {
    let semaphore = Semaphore::new(0);
    let mut waiting = line(&semaphore, 2);
    semaphore.add_permits(1);
    assert_eq!(waiting[0].wakes(), 1);
    drop(waiting.remove(0));
    assert_eq!(waiting[0].wakes(), 1);
    drop(got(waiting[0].poll()));
    assert_eq!(semaphore.available_permits(), 1);
}

/// Every way of dropping one of three waiters, at each point of two releases: the two permits go to the two who stay.
#[test]
fn sem_14_nothing_is_lost_whoever_leaves_whenever() {
    for leaver in 0..3 {
        for moment in 0..4 {
            let semaphore = Semaphore::new(0);
            let mut waiting: Vec<_> =
                (0..3).map(|_| Some(Waiting::new(semaphore.acquire()))).collect();
            for step in 0..4 {
                if step == moment {
                    waiting[leaver] = None;
                }
                match step {
                    0 => waiting.iter_mut().flatten().for_each(|one| {
                        assert!(one.poll().is_pending());
                    }),
                    1 | 2 => semaphore.add_permits(1),
                    _ => {}
                }
            }
            let permits: Vec<_> = waiting.iter_mut().flatten().map(|one| got(one.poll())).collect();
            assert_eq!((permits.len(), semaphore.available_permits()), (2, 0));
            drop(permits);
            assert_eq!(semaphore.available_permits(), 2);
            drop(waiting);
            assert!(format!("{semaphore:?}").contains("waiters: 0"));
        }
    }
}

#[test]
fn sem_12_permits_may_be_added_above_the_first_value() {
    let semaphore = Semaphore::new(1);
    semaphore.add_permits(2);
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
#[should_panic(expected = "at most `MAX_PERMITS`")]
fn more_permits_than_the_word_holds_are_refused() {
    Semaphore::new(Semaphore::MAX_PERMITS).add_permits(1);
}

#[test]
fn sem_17_debug_tells_permits_waiters_and_closed() {
    let semaphore = Semaphore::new(0);
    let waiting = line(&semaphore, 2);
    let text = format!("{semaphore:?}");
    assert_eq!(text, "Semaphore { permits: 0, waiters: 2, closed: false }");
    drop(waiting);
}

#[test]
fn sem_18_a_large_request_is_not_starved() {
    let semaphore = Semaphore::new(2);
    let held = got(Waiting::new(semaphore.acquire()).poll());
    let mut large = Waiting::new(semaphore.acquire_many(2));
    assert!(large.poll().is_pending());
    let mut small = line(&semaphore, 1);
    assert!(semaphore.try_acquire().is_err(), "the free permit is kept for the front");
    drop(held);
    assert_eq!((large.wakes(), small[0].wakes()), (1, 0));
    drop(got(large.poll()));
    drop(got(small[0].poll()));
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn a_large_request_that_leaves_lets_the_small_ones_through() {
    let semaphore = Semaphore::new(1);
    let mut large = Waiting::new(semaphore.acquire_many(2));
    assert!(large.poll().is_pending());
    let mut small = line(&semaphore, 2);
    drop(large);
    assert_eq!((small[0].wakes(), small[1].wakes()), (1, 0));
    drop(got(small[0].poll()));
    drop(got(small[1].poll()));
}

#[test]
fn close_sends_everybody_away() {
    let semaphore = Semaphore::new(0);
    // More than one batch of wakers.
    let mut waiting = line(&semaphore, 100);
    semaphore.close();
    for one in &mut waiting {
        assert_eq!(one.wakes(), 1);
        assert!(matches!(one.poll(), Poll::Ready(Err(Closed))));
    }
    assert!(semaphore.is_closed());
    assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::Closed));
    assert!(matches!(Waiting::new(semaphore.acquire()).poll(), Poll::Ready(Err(Closed))));
}

#[test]
fn a_permit_given_before_the_close_is_good_and_returns() {
    let semaphore = Semaphore::new(0);
    let mut waiting = line(&semaphore, 3);
    semaphore.add_permits(2);
    semaphore.close();
    drop(waiting.remove(0));
    assert_eq!(semaphore.available_permits(), 1, "given, then dropped unseen");
    drop(got(waiting[0].poll()));
    assert_eq!(semaphore.available_permits(), 2);
    drop(waiting);
    assert_eq!(semaphore.available_permits(), 2, "who was sent away had none");
}

#[test]
fn many_permits_at_once_wake_more_than_a_batch() {
    let semaphore = Semaphore::new(0);
    let mut waiting = line(&semaphore, 100);
    semaphore.add_permits(99);
    assert_eq!(waiting.iter().map(Waiting::wakes).sum::<usize>(), 99);
    assert!(waiting[99].poll().is_pending());
    drop(waiting);
    assert_eq!(semaphore.available_permits(), 99);
}

#[test]
fn a_waker_that_panics_leaves_nobody_behind() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("a bad waker");
        }
    }
    for close in [false, true] {
        let semaphore = Semaphore::new(0);
        let mut bad = Box::pin(semaphore.acquire());
        let waker = Waker::from(std::sync::Arc::new(Bad));
        assert!(bad.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let waiting = line(&semaphore, 100);
        let act = || if close { semaphore.close() } else { semaphore.add_permits(101) };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).is_err());
        assert_eq!(waiting.iter().map(Waiting::wakes).sum::<usize>(), 100);
    }
}

#[test]
fn the_last_waker_is_the_one_woken() {
    let semaphore = Semaphore::new(0);
    let mut waiting = Waiting::new(semaphore.acquire());
    let mut noop = Context::from_waker(Waker::noop());
    assert!(waiting.future.as_mut().poll(&mut noop).is_pending());
    assert!(waiting.poll().is_pending());
    semaphore.add_permits(1);
    assert_eq!(waiting.wakes(), 1);
}

#[test]
fn an_owned_permit_keeps_its_semaphore() {
    let semaphore = Arc::new(Semaphore::new(1));
    let mut future = Box::pin(Semaphore::acquire_owned(Arc::clone(&semaphore)));
    let answer = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(permit)) = answer else { panic!("one is free") };
    drop(future);
    let mut second = Box::pin(Semaphore::acquire_owned(Arc::clone(&semaphore)));
    assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(Arc::strong_count(&semaphore), 3);
    drop(second);
    std::thread::spawn(move || drop(permit)).join().expect("a permit may be dropped elsewhere");
    assert_eq!((semaphore.available_permits(), Arc::strong_count(&semaphore)), (1, 1));
}

#[test]
fn a_waiting_task_says_what_for_and_where() {
    let semaphore = Semaphore::new(0);
    let context = TaskContext::new(1);
    let mut waiting = Waiting::new(semaphore.acquire());
    let line = line!() - 1;
    {
        #[expect(unsafe_code, reason = "the test stands in for the task cell")]
        // SAFETY: the context outlives the guard, and this is the only thread that polls under it.
        let _entered = unsafe { task_context::enter(&raw const context) };
        assert!(waiting.poll().is_pending());
    }
    let wait = context.wait.get().expect("it waits");
    assert_eq!(wait.kind, kasasagi_primitive::wait_site::WaitKind::Semaphore);
    assert_eq!(wait.resource, std::ptr::from_ref(&semaphore).addr());
    assert_eq!(wait.place.map(std::panic::Location::line), Some(line));
}

#[test]
fn a_spent_budget_suspends_and_takes_nothing() {
    let semaphore = Semaphore::new(1000);
    let previous = kasasagi_primitive::coop::start();
    let mut taken = 0;
    let mut waiting = loop {
        let mut waiting = Waiting::new(semaphore.acquire());
        match waiting.poll() {
            Poll::Ready(permit) => {
                permit.expect("it is open").forget();
                taken += 1;
            }
            Poll::Pending => break waiting,
        }
    };
    assert_eq!(taken, usize::from(kasasagi_primitive::coop::BUDGET));
    assert_eq!((waiting.wakes(), semaphore.available_permits()), (1, 1000 - taken));
    kasasagi_primitive::coop::restore(previous);
    drop(got(waiting.poll()));
}

#[test]
fn one_who_wants_none_goes_on_with_the_one_before_who_is_given_the_last() {
    let semaphore = Semaphore::new(0);
    let mut one = crate::hand::Hand::waiting(semaphore.acquire());
    let mut none = crate::hand::Hand::waiting(semaphore.acquire_many(0));
    let mut next = crate::hand::Hand::waiting(semaphore.acquire());
    semaphore.add_permits(1);
    assert_eq!((one.wakes(), none.wakes(), next.wakes()), (1, 1, 0));
    one.ready().expect("it is open").forget();
    assert!(none.ready().is_ok());
    assert!(next.poll().is_pending());
}
