//! Slots: nobody is passed over, nothing is lost, and no more is lent than there is.

use super::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};

struct Magpie {
    jobs: u32,
    left: Sender<u32>,
}

impl Tenant for Magpie {
    fn may_stay(&self) -> bool {
        self.jobs < 3
    }

    fn leave(self) {
        let _ = self.left.send(self.jobs);
    }
}

fn slots(max: usize) -> (Arc<Slots<Magpie>>, Sender<u32>, Receiver<u32>) {
    let (left, leaving) = channel();
    (Slots::new(max), left, leaving)
}

fn lease(slots: &Arc<Slots<Magpie>>) -> Lease<Magpie> {
    match slots.take() {
        Ok(Place::Lease(lease)) => lease,
        _ => panic!("there is a lease"),
    }
}

fn line(slots: &Arc<Slots<Magpie>>) -> oneshot::Receiver<Lease<Magpie>> {
    match slots.take() {
        Ok(Place::Line(receiver)) => receiver,
        _ => panic!("there is none"),
    }
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn no_more_is_lent_than_there_is() {
    let (slots, ..) = slots(2);
    let leases = [lease(&slots), lease(&slots)];
    let mut waits = line(&slots);
    assert!(waits.try_recv().is_err());
    assert_eq!(slots.counts(), (0, 2, 1));
    drop(leases);
    assert!(waits.try_recv().is_ok());
}

#[test]
fn who_came_first_is_served_first_and_gets_what_was_given_back() {
    let (slots, left, _leaving) = slots(1);
    let mut first = lease(&slots);
    let (mut second, mut third) = (line(&slots), line(&slots));
    first.tenant = Some(Magpie { jobs: 1, left });
    drop(first);
    assert!(third.try_recv().is_err());
    let got = second.try_recv().expect("it is the second's turn");
    assert_eq!(got.tenant.as_ref().map(|magpie| magpie.jobs), Some(1));
    drop(got);
    assert!(third.try_recv().is_ok());
}

#[test]
fn a_place_that_was_given_up_is_passed_over_even_if_it_was_served() {
    let (slots, ..) = slots(1);
    let first = lease(&slots);
    let (gone, mut served, mut last) = (line(&slots), line(&slots), line(&slots));
    drop(gone);
    drop(first);
    assert_eq!(slots.counts(), (0, 1, 1));
    // Served, and dropped before it was looked at.
    served.close();
    drop(served);
    assert!(last.try_recv().is_ok());
    assert_eq!(slots.counts(), (0, 0, 0));
}

#[test]
fn who_is_worn_out_leaves_and_its_slot_stays() {
    let (slots, left, leaving) = slots(1);
    let mut first = lease(&slots);
    first.tenant = Some(Magpie { jobs: 3, left: left.clone() });
    let mut second = line(&slots);
    drop(first);
    assert_eq!(leaving.try_recv(), Ok(3));
    let mut second = second.try_recv().expect("it is its turn");
    assert!(second.tenant.is_none());
    second.tenant = Some(Magpie { jobs: 3, left });
    drop(second);
    assert_eq!(leaving.try_recv(), Ok(3));
    assert_eq!(slots.counts(), (0, 0, 0));
}

#[test]
fn who_cannot_start_one_waits_for_another_before_all_who_wait() {
    let (slots, left, _leaving) = slots(2);
    let mut works = lease(&slots);
    let fails = lease(&slots);
    let mut waits = line(&slots);
    let Ok(Place::Line(mut front)) = fails.wait_for_another() else { panic!("there is another") };
    works.tenant = Some(Magpie { jobs: 0, left });
    assert!(waits.try_recv().is_err());
    drop(works);
    assert!(front.try_recv().expect("it is at the front").tenant.is_some());
    assert!(waits.try_recv().is_ok());
}

#[test]
fn a_worker_that_comes_back_has_one_of_those_who_wait_try_another_start() {
    let (slots, left, _leaving) = slots(3);
    let (mut works, fails, fails_too) = (lease(&slots), lease(&slots), lease(&slots));
    let Ok(Place::Line(mut second)) = fails.wait_for_another() else { panic!("there is another") };
    let Ok(Place::Line(mut first)) = fails_too.wait_for_another() else { panic!("there is one") };
    works.tenant = Some(Magpie { jobs: 0, left });
    assert_eq!(slots.counts(), (0, 1, 2));
    drop(works);
    let first = first.try_recv().expect("it is at the front");
    let second = second.try_recv().expect("there is room for it");
    assert!(first.tenant.is_some() && second.tenant.is_none());
    assert_eq!(slots.counts(), (0, 2, 0));
    drop((first, second));
    assert_eq!(slots.counts(), (1, 0, 0));
}

#[test]
fn who_cannot_start_one_and_is_alone_has_to_fail_and_so_has_the_next() {
    let (slots, ..) = slots(2);
    let (one, two) = (lease(&slots), lease(&slots));
    let Ok(Place::Line(mut front)) = one.wait_for_another() else { panic!("there is another") };
    let Err(two) = two.wait_for_another() else { panic!("it is the last") };
    assert!(front.try_recv().is_err());
    drop(two);
    let front = front.try_recv().expect("it is its turn to try");
    assert!(front.tenant.is_none() && front.wait_for_another().is_err());
    assert_eq!(slots.counts(), (0, 0, 0));
}

#[test]
fn who_comes_while_others_wait_for_room_does_not_overtake() {
    let (slots, ..) = slots(2);
    let (works, fails) = (lease(&slots), lease(&slots));
    let Ok(Place::Line(mut front)) = fails.wait_for_another() else { panic!("there is another") };
    let mut newcomer = line(&slots);
    assert!(front.try_recv().is_ok_and(|lease| lease.tenant.is_none()));
    assert!(newcomer.try_recv().is_ok());
    drop(works);
}

#[test]
fn a_close_serves_who_waits_and_lets_the_idle_leave() {
    let (slots, left, leaving) = slots(2);
    let mut idle = lease(&slots);
    idle.tenant = Some(Magpie { jobs: 1, left: left.clone() });
    let mut works = lease(&slots);
    drop(idle);
    works.tenant = Some(Magpie { jobs: 2, left });
    let spare = lease(&slots);
    let mut waits = line(&slots);
    slots.close(false);
    assert!(slots.take().is_err());
    drop(works);
    let served = waits.try_recv().expect("it is served");
    assert!(poll(slots.emptied()).is_pending());
    drop(served);
    drop(spare);
    assert!(poll(slots.emptied()).is_ready());
    let mut left: Vec<_> = leaving.try_iter().collect();
    left.sort_unstable();
    assert_eq!(left, [1, 2]);
}

#[test]
fn a_close_that_sends_away_tells_who_waits() {
    let (slots, ..) = slots(1);
    let works = lease(&slots);
    let waits = slots.take().expect("it is open").wait();
    slots.close(true);
    assert!(matches!(poll(waits), Poll::Ready(Err(Closed))));
    drop(works);
    assert!(poll(slots.emptied()).is_ready());
}

#[test]
fn many_threads_take_and_give_back_and_all_come_to_their_turn() {
    let (slots, left, _leaving) = slots(3);
    let lent = kasasagi_primitive::sync::Mutex::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (slots, left, lent) = (&slots, &left, &lent);
            scope.spawn(move || {
                for round in 0..1_000 {
                    let place = slots.take().expect("it is open");
                    let mut lease = match place {
                        Place::Lease(lease) => lease,
                        Place::Line(turn) if (round + thread) % 5 == 0 => {
                            drop(turn);
                            continue;
                        }
                        Place::Line(turn) => turn.blocking_recv().expect("it is served"),
                    };
                    let now = {
                        let mut lent = lent.lock();
                        *lent += 1;
                        *lent
                    };
                    assert!(now <= 3);
                    let jobs = lease.tenant.take().map_or(1, |magpie| magpie.jobs + 1);
                    *lent.lock() -= 1;
                    if round % 7 != 0 {
                        lease.tenant = Some(Magpie { jobs, left: left.clone() });
                    }
                }
            });
        }
    });
    let (_, lent, waiting) = slots.counts();
    assert_eq!((lent, waiting), (0, 0));
}
