//! Review: who waits outside a barrier is overtaken, for ever if need be.
use kasasagi_sync::{Barrier, BarrierWait};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

fn poll(wait: &mut Pin<Box<BarrierWait<'_>>>) -> Poll<usize> {
    wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).map(|index| index.expect("it is whole"))
}

#[test]
fn one_who_waits_outside_is_not_overtaken_by_a_newcomer() {
    let barrier = Barrier::new(2);
    let mut a = Box::pin(barrier.wait());
    assert!(poll(&mut a).is_pending());
    let mut b = Box::pin(barrier.wait());
    assert!(poll(&mut b).is_ready());
    // They came while `a` had not left: they wait outside.
    let mut c = Box::pin(barrier.wait());
    let mut d = Box::pin(barrier.wait());
    assert!(poll(&mut c).is_pending() && poll(&mut d).is_pending());
    let mut passed = 0;
    for _ in 0..10 {
        // `a` leaves, comes again at once, with a friend: before `c` and `d`, who came earlier, have run.
        assert!(poll(&mut a).is_ready());
        a = Box::pin(barrier.wait());
        assert!(poll(&mut a).is_pending());
        let mut e = Box::pin(barrier.wait());
        passed += usize::from(poll(&mut e).is_ready());
        assert!(poll(&mut c).is_pending() && poll(&mut d).is_pending());
    }
    assert_eq!(passed, 0, "newcomers passed while two who came before them waited");
}
