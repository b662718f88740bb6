//! Review: permits that were given and not seen are lost when not all of them fit below the bound.
use kasasagi_sync::BoundedSemaphore;
use std::future::Future;
use std::task::{Context, Poll, Waker};

fn free(is_seen: bool) -> usize {
    let limit = BoundedSemaphore::new(5);
    let cx = &mut Context::from_waker(Waker::noop());
    let mut first = Box::pin(limit.acquire_many(5));
    let Poll::Ready(Ok(held)) = first.as_mut().poll(cx) else { panic!("five are free") };
    let mut next = Box::pin(limit.acquire_many(5));
    assert!(next.as_mut().poll(cx).is_pending());
    drop(held); // and given to `next`
    limit.add_permits(2).expect("none is free");
    if is_seen {
        let Poll::Ready(Ok(permit)) = next.as_mut().poll(cx) else { panic!("it has all five") };
        drop(permit);
    } else {
        drop(next);
    }
    limit.available_permits()
}

#[test]
fn permits_return_up_to_the_bound_whether_or_not_their_future_saw_them() {
    assert_eq!(free(true), 5);
    assert_eq!(free(false), 5, "three permits are gone for good");
}
