//! Barriers: generations, and what reset and abort do to each who waits.

use crate::hand::{Hand, ready, wakes};
use kasasagi_sync::{Barrier, BarrierWait, Broken};

fn line(barrier: &Barrier, n: usize) -> Vec<Hand<BarrierWait<'_>>> {
    (0..n).map(|_| Hand::waiting(barrier.wait())).collect()
}

fn outcomes(hands: &mut [Hand<BarrierWait<'_>>]) -> Vec<Result<usize, Broken>> {
    hands.iter_mut().map(Hand::ready).collect()
}

#[test]
#[should_panic(expected = "a barrier for nobody")]
fn barr_01_a_barrier_for_nobody_is_refused() {
    drop(Barrier::new(0));
}

#[test]
fn barr_02_all_go_on_together_each_with_a_number_of_its_own() {
    let barrier = Barrier::new(50);
    assert_eq!(barrier.parties(), 50);
    let mut hands = line(&barrier, 49);
    assert_eq!(ready(barrier.wait()), Ok(49));
    assert_eq!(wakes(&hands), [1; 49]);
    assert_eq!(outcomes(&mut hands), (0..49).map(Ok).collect::<Vec<_>>());
}

#[test]
fn barr_03_a_barrier_for_one_holds_nobody_up() {
    let barrier = Barrier::new(1);
    for _ in 0..3 {
        assert_eq!(ready(barrier.wait()), Ok(0));
        assert_eq!(barrier.n_waiting(), 0);
    }
}

#[test]
fn barr_04_n_waiting_counts_those_who_have_come_and_none_who_leave() {
    let barrier = Barrier::new(3);
    let mut hands = line(&barrier, 1);
    assert_eq!(barrier.n_waiting(), 1);
    hands.extend(line(&barrier, 1));
    assert_eq!(barrier.n_waiting(), 2);
    assert_eq!(ready(barrier.wait()), Ok(2));
    let early = line(&barrier, 1);
    assert_eq!(barrier.n_waiting(), 0, "it drains");
    assert_eq!(outcomes(&mut hands), [Ok(0), Ok(1)]);
    drop(early);
    assert_eq!(barrier.n_waiting(), 0);
}

#[test]
fn barr_05_06_who_comes_while_others_leave_joins_the_next_generation() {
    let barrier = Barrier::new(3);
    let mut hands = line(&barrier, 2);
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(hands[0].ready(), Ok(0));
    // Enough for a generation, and yet one of the last has not left.
    let mut next = line(&barrier, 3);
    assert_eq!(wakes(&next), [0; 3]);
    assert_eq!(hands[1].ready(), Ok(1));
    assert_eq!(wakes(&next), [1, 0, 0], "they may come in, and one of them does for all");
    assert_eq!(barrier.n_waiting(), 3);
    assert_eq!(next[2].ready(), Ok(2));
    assert_eq!(barrier.n_waiting(), 0);
    assert_eq!(outcomes(&mut next[..2]), [Ok(0), Ok(1)]);
}

/// One leaves, and comes again at once with others, before those have run who waited outside.
#[test]
fn barr_06_who_waits_outside_is_not_overtaken_by_newcomers() {
    let barrier = Barrier::new(2);
    let mut last = line(&barrier, 1);
    assert_eq!(ready(barrier.wait()), Ok(1));
    let mut outside = line(&barrier, 2);
    for _ in 0..10 {
        assert_eq!(last[0].ready(), Ok(0));
        let newcomers = line(&barrier, 2);
        assert_eq!(outside[1].ready(), Ok(1));
        last = vec![outside.remove(0)];
        outside = newcomers;
    }
}

#[test]
fn barr_07_one_who_leaves_is_not_counted_and_breaks_nothing() {
    let barrier = Barrier::new(3);
    let mut hands = line(&barrier, 2);
    drop(hands.remove(0));
    assert_eq!((barrier.n_waiting(), barrier.broken()), (1, false));
    hands.extend(line(&barrier, 1));
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(outcomes(&mut hands), [Ok(0), Ok(1)]);
}

/// The first of those outside leaves before it has run: the next is told in its place.
#[test]
fn barr_07_one_who_was_told_to_come_in_and_leaves_passes_it_on() {
    let barrier = Barrier::new(3);
    let mut hands = line(&barrier, 2);
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(hands[0].ready(), Ok(0));
    let mut next = line(&barrier, 3);
    assert_eq!(hands[1].ready(), Ok(1));
    assert_eq!(wakes(&next), [1, 0, 0]);
    drop(next.remove(1));
    assert_eq!(wakes(&next), [1, 0], "it was not its turn");
    drop(next.remove(0));
    assert_eq!(wakes(&next), [1]);
    assert!(next[0].poll().is_pending());
    next.extend(line(&barrier, 1));
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(outcomes(&mut next), [Ok(0), Ok(1)]);
}

#[test]
fn barr_09_13_a_reset_means_those_who_came_again_once_one_of_them_has_run() {
    let barrier = Barrier::new(3);
    let mut hands = line(&barrier, 2);
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(hands[0].ready(), Ok(0));
    let mut next = line(&barrier, 2);
    assert_eq!(hands[1].ready(), Ok(1));
    barrier.reset();
    assert!(next[0].poll().is_pending(), "nobody had run");
    barrier.reset();
    assert_eq!(outcomes(&mut next), [Err(Broken), Err(Broken)]);
    let mut last = line(&barrier, 2);
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(outcomes(&mut last), [Ok(0), Ok(1)]);
}

#[test]
fn barr_08_a_reset_with_nobody_there_changes_nothing() {
    let barrier = Barrier::new(2);
    barrier.reset();
    assert!(!barrier.broken());
    let mut hands = line(&barrier, 1);
    assert_eq!(ready(barrier.wait()), Ok(1));
    assert_eq!(hands[0].ready(), Ok(0));
}

#[test]
fn barr_09_12_a_reset_sends_away_who_waits_and_the_barrier_is_good_again() {
    let barrier = Barrier::new(3);
    let mut hands = line(&barrier, 2);
    barrier.reset();
    assert_eq!(barrier.n_waiting(), 0);
    // Who comes before the others have left waits outside.
    let mut next = line(&barrier, 1);
    assert_eq!(barrier.n_waiting(), 0);
    assert_eq!(outcomes(&mut hands), [Err(Broken), Err(Broken)]);
    assert_eq!((next[0].wakes(), barrier.broken()), (1, false));
    assert!(next[0].poll().is_pending());
    next.extend(line(&barrier, 1));
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(outcomes(&mut next), [Ok(0), Ok(1)]);
}

#[test]
fn barr_10_11_a_reset_reaches_those_who_leave_and_not_those_who_come() {
    let barrier = Barrier::new(3);
    let mut hands = line(&barrier, 2);
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(hands[0].ready(), Ok(0));
    let mut next = line(&barrier, 2);
    barrier.reset();
    barrier.reset();
    assert_eq!(hands[1].ready(), Err(Broken));
    assert!(next.iter_mut().all(|one| one.poll().is_pending()));
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(outcomes(&mut next), [Ok(0), Ok(1)]);
}

#[test]
fn barr_13_a_reset_by_the_last_who_leaves_breaks_nothing() {
    let barrier = Barrier::new(3);
    let mut hands = line(&barrier, 2);
    assert_eq!(ready(barrier.wait()), Ok(2));
    let mut next = line(&barrier, 2);
    assert_eq!(outcomes(&mut hands), [Ok(0), Ok(1)]);
    barrier.reset();
    assert!(next.iter_mut().all(|one| one.poll().is_pending()));
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(outcomes(&mut next), [Ok(0), Ok(1)]);
}

#[test]
fn barr_14_15_16_an_abort_sends_everybody_away_until_a_reset() {
    let barrier = Barrier::new(3);
    let mut hands = line(&barrier, 2);
    barrier.abort();
    barrier.abort();
    assert!(barrier.broken());
    assert_eq!(ready(barrier.wait()), Err(Broken));
    barrier.reset();
    assert!(!barrier.broken());
    assert_eq!(outcomes(&mut hands), [Err(Broken), Err(Broken)]);
    let mut hands = line(&barrier, 2);
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(outcomes(&mut hands), [Ok(0), Ok(1)]);
}

#[test]
fn barr_14_an_abort_reaches_those_who_leave_and_those_who_come() {
    let barrier = Barrier::new(3);
    let mut hands = line(&barrier, 2);
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(hands[0].ready(), Ok(0));
    let mut next = line(&barrier, 2);
    barrier.abort();
    assert_eq!(hands[1].ready(), Err(Broken));
    assert_eq!(outcomes(&mut next), [Err(Broken), Err(Broken)]);
    barrier.reset();
    let mut hands = line(&barrier, 2);
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(outcomes(&mut hands), [Ok(0), Ok(1)]);
}

#[test]
fn barr_17_debug_tells_the_state_and_how_many_have_come() {
    let barrier = Barrier::new(3);
    assert_eq!(format!("{barrier:?}"), "Barrier { state: filling, waiters: 0/3 }");
    let hands = line(&barrier, 2);
    assert_eq!(format!("{barrier:?}"), "Barrier { state: filling, waiters: 2/3 }");
    assert_eq!(ready(barrier.wait()), Ok(2));
    assert_eq!(format!("{barrier:?}"), "Barrier { state: draining, waiters: 0/3 }");
    barrier.reset();
    assert_eq!(format!("{barrier:?}"), "Barrier { state: resetting, waiters: 0/3 }");
    barrier.abort();
    assert_eq!(format!("{barrier:?}"), "Barrier { state: broken, waiters: 0/3 }");
    drop(hands);
}

/// Dropped at each point, the others are let go together, with one in its place if it was not there yet.
#[test]
fn barr_18_nobody_is_stuck_whoever_leaves_whenever() {
    for leaver in 0..3 {
        for moment in 0..4 {
            let barrier = Barrier::new(3);
            let mut hands: Vec<_> = (0..3).map(|_| Some(Hand::new(barrier.wait()))).collect();
            let mut passed = 0;
            for step in 0..5 {
                if step == moment {
                    hands[leaver] = None;
                }
                if let Some(Some(one)) = hands.get_mut(step) {
                    passed += usize::from(one.poll().is_ready());
                }
            }
            let mut substitute = Hand::new(barrier.wait());
            let is_needed = barrier.n_waiting() == 2;
            if is_needed {
                assert_eq!(substitute.ready(), Ok(2));
            }
            for one in hands.iter_mut().flatten() {
                if one.wakes() > 0 {
                    assert!(one.ready().is_ok());
                    passed += 1;
                }
            }
            assert_eq!(passed, if moment > 2 && leaver == 2 { 3 } else { 2 }, "{leaver} {moment}");
            assert_eq!((barrier.n_waiting(), barrier.broken()), (0, false));
        }
    }
}

#[test]
fn a_waker_that_panics_leaves_nobody_behind() {
    struct Bad;
    impl std::task::Wake for Bad {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("a bad waker");
        }
    }
    let barrier = Barrier::new(102);
    let mut bad = Box::pin(barrier.wait());
    let waker = std::task::Waker::from(std::sync::Arc::new(Bad));
    assert!(bad.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    let hands = line(&barrier, 100);
    let last = || ready(barrier.wait());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(last)).is_err());
    assert_eq!(wakes(&hands), [1; 100]);
}
