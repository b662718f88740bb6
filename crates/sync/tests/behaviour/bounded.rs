//! Bounded semaphores: never more permits than at first.

use crate::hand::{Hand, ready};
use kasasagi_primitive::sync::Arc;
use kasasagi_sync::{BoundedSemaphore, Semaphore, TooManyPermits, TryAcquireError};

#[test]
fn sem_01_default_is_one_and_zero_is_locked() {
    assert_eq!(Semaphore::default().available_permits(), 1);
    static NONE: Semaphore = Semaphore::new(0);
    assert!(NONE.try_acquire().is_err());
}

#[test]
fn sem_13_more_permits_than_at_first_are_an_error() {
    static LIMIT: BoundedSemaphore = BoundedSemaphore::new(2);
    assert_eq!(LIMIT.add_permits(1), Err(TooManyPermits));
    let permit = ready(LIMIT.acquire()).expect("it is open");
    drop(permit);
    assert_eq!(LIMIT.add_permits(1), Err(TooManyPermits));
    ready(LIMIT.acquire_many(2)).expect("it is open").forget();
    assert_eq!(LIMIT.add_permits(3), Err(TooManyPermits));
    assert_eq!(LIMIT.add_permits(2), Ok(()));
    assert_eq!((LIMIT.available_permits(), LIMIT.bound()), (2, 2));
}

#[test]
fn sem_13_permits_added_in_vain_are_lost_by_the_one_that_returns() {
    let limit = BoundedSemaphore::new(2);
    let permits = ready(limit.acquire_many(2)).expect("it is open");
    assert_eq!(limit.add_permits(1), Ok(()), "nobody can know that both will return");
    drop(permits);
    assert_eq!(limit.available_permits(), 2);
}

#[test]
fn sem_13_waiters_are_served_as_by_a_semaphore() {
    let limit = BoundedSemaphore::new(1);
    let permit = limit.try_acquire().expect("one is free");
    let mut hand = Hand::waiting(limit.acquire());
    drop(permit);
    drop(hand.ready());
    let permit = limit.try_acquire().expect("one is free");
    let mut hand = Hand::waiting(limit.acquire());
    assert_eq!(
        format!("{limit:?}"),
        "BoundedSemaphore { permits: 0, bound: 1, waiters: 1, closed: false }"
    );
    limit.close();
    assert!(hand.ready().is_err() && limit.is_closed());
    drop(permit);
}

#[test]
fn sem_13_an_owned_permit_keeps_its_semaphore_and_returns_to_it() {
    let limit = Arc::new(BoundedSemaphore::new(1));
    let permit = ready(BoundedSemaphore::acquire_owned(Arc::clone(&limit))).expect("it is open");
    let mut second = Hand::waiting(BoundedSemaphore::acquire_owned(Arc::clone(&limit)));
    let refused = BoundedSemaphore::try_acquire_owned(&limit);
    assert_eq!(refused.err(), Some(TryAcquireError::NoPermits));
    assert_eq!(Arc::strong_count(&limit), 3);
    std::thread::spawn(move || drop(permit)).join().expect("it may be dropped elsewhere");
    assert_eq!(second.wakes(), 1);
    second.ready().expect("it is open").forget();
    drop(second);
    assert_eq!((Arc::strong_count(&limit), limit.available_permits()), (1, 0));
    assert_eq!(limit.add_permits(1), Ok(()));
    let permit = BoundedSemaphore::try_acquire_owned(&limit).expect("one is free");
    assert_eq!(limit.add_permits(1), Ok(()), "nobody can know that it will return");
    drop(permit);
    assert_eq!(limit.available_permits(), 1, "never more than at first");
    limit.close();
    let refused = BoundedSemaphore::try_acquire_owned(&limit);
    assert_eq!(refused.err(), Some(TryAcquireError::Closed));
    assert!(ready(BoundedSemaphore::acquire_owned(Arc::clone(&limit))).is_err());
    assert_eq!(Arc::strong_count(&limit), 1);
}

#[test]
fn a_semaphore_gives_an_owned_permit_at_once_or_not_at_all() {
    let limit = Arc::new(Semaphore::new(1));
    let permit = Semaphore::try_acquire_owned(&limit).expect("one is free");
    assert!(Semaphore::try_acquire_owned(&limit).is_err());
    assert_eq!(Arc::strong_count(&limit), 2, "what is refused keeps nothing");
    drop(permit);
    assert_eq!((Arc::strong_count(&limit), limit.available_permits()), (1, 1));
}

#[test]
#[should_panic(expected = "ask for fewer")]
fn more_than_there_will_ever_be_are_refused() {
    drop(BoundedSemaphore::new(2).acquire_many(3));
}

/// Permits were added for some that were not lost; then those that return fill it up, whether or not the one who was
/// given them has seen them.
#[test]
fn sem_13_permits_that_were_given_to_one_who_leaves_fill_it_up() {
    for is_seen in [true, false] {
        let limit = BoundedSemaphore::new(5);
        let held = ready(limit.acquire_many(5)).expect("it is open");
        let mut next = Hand::waiting(limit.acquire_many(5));
        drop(held);
        assert_eq!(limit.add_permits(2), Ok(()), "none is free: they were given to the next");
        if is_seen {
            drop(next.ready());
        }
        drop(next);
        assert_eq!(limit.available_permits(), 5, "{is_seen}");
    }
}
