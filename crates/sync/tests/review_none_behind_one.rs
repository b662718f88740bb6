//! Review: who wants no permits, and stands behind one who is given the last one straight, is forgotten.
use kasasagi_sync::Semaphore;
use std::future::Future;
use std::task::{Context, Poll, Waker};

#[test]
fn one_at_the_front_who_wants_none_is_served_at_once() {
    let semaphore = Semaphore::new(0);
    let cx = &mut Context::from_waker(Waker::noop());
    let mut one = Box::pin(semaphore.acquire());
    assert!(one.as_mut().poll(cx).is_pending());
    let mut none = Box::pin(semaphore.acquire_many(0));
    assert!(none.as_mut().poll(cx).is_pending());
    semaphore.add_permits(1);
    let Poll::Ready(Ok(permit)) = one.as_mut().poll(cx) else { panic!("it was given one") };
    permit.forget();
    assert!(none.as_mut().poll(cx).is_ready(), "it is at the front, and none is enough for it: {semaphore:?}");
}
