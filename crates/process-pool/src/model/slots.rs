//! Slots: what comes back meets those who wait, come, go, or close.

use super::block_on;
use crate::slots::{Closed, Lease, Place, Slots, Tenant};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread;
use kasasagi_sync::oneshot;

/// A worker. It counts those that left, or were dropped (killed), each once.
struct Magpie {
    gone: Arc<AtomicUsize>,
}

impl Tenant for Magpie {
    fn may_stay(&self) -> bool {
        true
    }

    fn leave(self) {
        drop(self);
    }
}

impl Drop for Magpie {
    fn drop(&mut self) {
        self.gone.fetch_add(1, Ordering::Relaxed);
    }
}

type Shared = std::sync::Arc<Slots<Magpie>>;

fn lease(slots: &Shared) -> Lease<Magpie> {
    match slots.take() {
        Ok(Place::Lease(lease)) => lease,
        _ => panic!("there is a lease"),
    }
}

fn line(slots: &Shared) -> oneshot::Receiver<Lease<Magpie>> {
    match slots.take() {
        Ok(Place::Line(turn)) => turn,
        _ => panic!("there is none"),
    }
}

/// One slot, with a worker in it, lent out.
fn busy() -> (Shared, Lease<Magpie>, Arc<AtomicUsize>) {
    let (slots, gone) = (Slots::new(1), Arc::new(AtomicUsize::new(0)));
    let mut lease = lease(&slots);
    lease.tenant = Some(Magpie { gone: Arc::clone(&gone) });
    (slots, lease, gone)
}

/// Race: a job is answered, and gives its worker back, while another comes: that one gets it, and does not wait for ever.
///
/// Mutation `process-pool-line-joined-late`: who found no slot gets in line under another lock.
#[test]
fn loom_slots_answer_meets_a_newcomer() {
    explore("slots_answer_meets_a_newcomer", || {
        let (slots, answered, gone) = busy();
        let ends = thread::spawn(move || drop(answered));
        let next =
            block_on(slots.take().expect("it is open").wait()).expect("it comes to its turn");
        assert!(next.tenant.is_some(), "with the worker in it");
        ends.join().expect("it does not panic");
        drop(next);
        assert_eq!((slots.counts(), gone.load(Ordering::Relaxed)), ((1, 0, 0), 0));
    });
}

/// Race: a job is answered, and gives its worker to the first in line, who is dropped: it goes to the next, whole.
///
/// Mutation `process-pool-refused-lease-lost`: a lease that its receiver refused is given to nobody else.
#[test]
fn loom_slots_answer_meets_a_drop_in_the_line() {
    explore("slots_answer_meets_a_drop_in_the_line", || {
        let (slots, answered, gone) = busy();
        let (dropped, waits) = (line(&slots), line(&slots));
        let ends = thread::spawn(move || drop(answered));
        drop(dropped);
        let next = block_on(waits).expect("it comes to its turn");
        assert!(next.tenant.is_some(), "with the worker in it");
        ends.join().expect("it does not panic");
        drop(next);
        assert_eq!((slots.counts(), gone.load(Ordering::Relaxed)), ((1, 0, 0), 0));
    });
}

/// Race: a job is dropped, and its worker killed, while one that waits for the slot is dropped and another waits behind
/// it: that one starts a worker of its own; the slot is neither lost nor lent twice.
#[test]
fn loom_slots_dropped_job_meets_a_drop_and_its_replacement() {
    explore("slots_dropped_job_meets_a_drop_and_its_replacement", || {
        let (slots, mut job, gone) = busy();
        let (dropped, waits) = (line(&slots), line(&slots));
        let ends = thread::spawn(move || {
            drop(job.tenant.take());
            drop(job);
        });
        drop(dropped);
        let next = block_on(waits).expect("it comes to its turn");
        assert!(next.tenant.is_none(), "the worker went with its job");
        assert_eq!(slots.counts(), (0, 1, 0));
        ends.join().expect("it does not panic");
        drop(next);
        assert_eq!((slots.counts(), gone.load(Ordering::Relaxed)), ((0, 0, 0), 1));
    });
}

/// Race: the pool closes while a job gives its worker back: it leaves, once, and a shutdown does not wait for ever.
///
/// Mutation `process-pool-close-forgets-who-works`: what comes back after the close is idle, and stays.
#[test]
fn loom_slots_close_meets_answer() {
    explore("slots_close_meets_answer", || {
        let (slots, answered, gone) = busy();
        let ends = thread::spawn(move || drop(answered));
        slots.close(false);
        block_on(slots.emptied());
        assert_eq!(gone.load(Ordering::Relaxed), 1, "the worker left before");
        ends.join().expect("it does not panic");
        assert_eq!(slots.counts(), (0, 0, 0));
    });
}

/// Race: the pool closes while a job is dropped with its worker: a shutdown does not wait for ever.
///
/// Mutation `process-pool-close-looks-early`: a close looks for what is lent under one lock, and closes under another.
#[test]
fn loom_slots_close_meets_dropped_job() {
    explore("slots_close_meets_dropped_job", || {
        let (slots, mut job, gone) = busy();
        let ends = thread::spawn(move || {
            drop(job.tenant.take());
            drop(job);
        });
        slots.close(false);
        block_on(slots.emptied());
        assert_eq!(gone.load(Ordering::Relaxed), 1);
        ends.join().expect("it does not panic");
        assert_eq!(slots.counts(), (0, 0, 0));
    });
}

/// Two slots with a worker in each, lent out.
fn two_busy() -> (Shared, [Lease<Magpie>; 2], Arc<AtomicUsize>) {
    let (slots, gone) = (Slots::new(2), Arc::new(AtomicUsize::new(0)));
    let leases = [lease(&slots), lease(&slots)].map(|mut lease: Lease<Magpie>| {
        lease.tenant = Some(Magpie { gone: Arc::clone(&gone) });
        lease
    });
    (slots, leases, gone)
}

/// Race: the two last jobs of a closed pool are answered: a shutdown is over when both workers were told to leave, and not
/// when one of them has only lost its slot.
///
/// Mutation `process-pool-leaves-uncounted`: a slot is free before its worker was told to leave.
#[test]
fn loom_slots_two_answers_meet_a_shutdown() {
    explore("slots_two_answers_meet_a_shutdown", || {
        let (slots, [one, two], gone) = two_busy();
        slots.close(false);
        let ends = thread::spawn(move || drop(one));
        drop(two);
        block_on(slots.emptied());
        assert_eq!(gone.load(Ordering::Relaxed), 2, "both have left before");
        ends.join().expect("it does not panic");
    });
}

/// Race: the pool closes while one worker is idle and the job of the other is answered: who waits for the end of the pool
/// waits for both.
///
/// Mutation `process-pool-idle-leave-uncounted`: a close takes the idle ones out before it tells them to leave.
#[test]
fn loom_slots_close_over_an_idle_one_meets_answer() {
    explore("slots_close_over_an_idle_one_meets_answer", || {
        let (slots, [idle, answered], gone) = two_busy();
        drop(idle);
        let closing = std::sync::Arc::clone(&slots);
        let closes = thread::spawn(move || closing.close(false));
        drop(answered);
        block_on(slots.emptied());
        assert_eq!(gone.load(Ordering::Relaxed), 2, "both have left before");
        closes.join().expect("it does not panic");
        assert_eq!(slots.counts(), (0, 0, 0));
    });
}

/// Race: the pool closes, and sends away who waits, while a worker is handed to that one: it has the worker, or is told.
#[test]
fn loom_slots_close_meets_hand_over() {
    explore("slots_close_meets_hand_over", || {
        let (slots, answered, gone) = busy();
        let waits = slots.take().expect("it is open");
        let ends = thread::spawn(move || drop(answered));
        let closing = std::sync::Arc::clone(&slots);
        let closes = thread::spawn(move || closing.close(true));
        match block_on(waits.wait()) {
            Ok(next) => assert!(next.tenant.is_some(), "with the worker in it"),
            Err(Closed) => {}
        }
        ends.join().expect("it does not panic");
        closes.join().expect("it does not panic");
        block_on(slots.emptied());
        assert_eq!((slots.counts(), gone.load(Ordering::Relaxed)), ((0, 0, 0), 1));
    });
}

/// Race: two cannot start a worker: at least one is told so, and none waits for the other for ever.
///
/// Mutation `process-pool-all-wait-for-another`: whoever cannot start one waits, though nobody is left to wait for.
#[test]
fn loom_slots_two_cannot_start() {
    explore("slots_two_cannot_start", || {
        let slots: Shared = Slots::new(2);
        let leases = [lease(&slots), lease(&slots)];
        let tries = |lease: Lease<Magpie>| match lease.wait_for_another() {
            // On its turn it tries again, and fails again.
            Ok(turn) => block_on(turn.wait()).expect("it is open").wait_for_another().is_err(),
            Err(_) => true,
        };
        let [one, two] = leases;
        let other = thread::spawn(move || tries(one));
        assert!(tries(two));
        assert!(other.join().expect("it does not panic"));
        assert_eq!(slots.counts(), (0, 0, 0));
    });
}

/// Race: one cannot start a worker while another gives its own back: it gets that one, and does not wait for ever.
///
/// Mutation `process-pool-waits-beside-an-idle-one`: whoever cannot start one does not look for an idle one.
#[test]
fn loom_slots_failed_start_meets_answer() {
    explore("slots_failed_start_meets_answer", || {
        let (slots, gone): (Shared, _) = (Slots::new(2), Arc::new(AtomicUsize::new(0)));
        let (mut works, fails) = (lease(&slots), lease(&slots));
        works.tenant = Some(Magpie { gone: Arc::clone(&gone) });
        let ends = thread::spawn(move || drop(works));
        let Ok(turn) = fails.wait_for_another() else { panic!("there is another") };
        let next = block_on(turn.wait()).expect("it is open");
        assert!(next.tenant.is_some(), "with the worker in it");
        ends.join().expect("it does not panic");
        drop(next);
        assert_eq!((slots.counts(), gone.load(Ordering::Relaxed)), ((1, 0, 0), 0));
    });
}
