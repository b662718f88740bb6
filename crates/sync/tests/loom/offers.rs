//! Offers to tasks: taken back, looked at and dropped at the same time. The runner of the tasks is made by hand.

use crate::hand::{Data, block_on};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::park::Parker;
use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering};
use kasasagi_primitive::sync::{Arc, Mutex};
use kasasagi_primitive::task_context::{self, TaskContext};
use kasasagi_primitive::{offers, thread};
use kasasagi_sync::{Lock, LockingOwned, Semaphore};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering as Real};
use std::task::{Context, Poll, Wake, Waker};

/// A task: this thread polls it.
#[repr(C)]
struct Hand {
    // First: a task's waker is made of where its context is.
    context: TaskContext,
    waker: Waker,
    // Not one that loom sees: that a wake was made happens before what follows, by whatever else is seen of it.
    woken: std::sync::Arc<Woken>,
    parker: Parker,
}

struct Woken {
    count: AtomicUsize,
    inner: Waker,
}

impl Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.count.fetch_add(1, Real::SeqCst);
        self.inner.wake_by_ref();
    }
}

/// A waker of the hand with this context.
#[expect(unsafe_code, reason = "as the task cell does it")]
unsafe fn waker_of(context: *const TaskContext) -> Waker {
    // SAFETY: only hands are entered here, and begin with their context.
    unsafe { &*context.cast::<Hand>() }.waker.clone()
}

impl Hand {
    #[expect(unsafe_code, reason = "this is the runner")]
    fn new() -> Self {
        // SAFETY: only hands are entered here.
        unsafe { task_context::set_make_waker(waker_of) };
        let parker = Parker::new();
        let inner = parker.unparker().into_waker();
        let woken = std::sync::Arc::new(Woken { count: AtomicUsize::new(0), inner });
        let waker = Waker::from(std::sync::Arc::clone(&woken));
        Self { context: TaskContext::new(7), waker, woken, parker }
    }

    /// Does something as this task.
    #[expect(unsafe_code, reason = "this is the runner")]
    fn inside<R>(&self, f: impl FnOnce() -> R) -> R {
        // SAFETY: as in `poll`.
        let _entered = unsafe { task_context::enter(std::ptr::from_ref(self).cast()) };
        f()
    }

    /// One poll; says what it gave, and whether the task is to be polled again at once.
    #[expect(unsafe_code, reason = "this is the runner")]
    fn poll<R>(&self, f: impl FnOnce(&mut Context<'_>) -> Poll<R>) -> (Poll<R>, bool) {
        let before = self.woken.count.load(Real::SeqCst);
        // SAFETY: the context outlives the guard, and this thread alone polls.
        let entered = unsafe { task_context::enter(std::ptr::from_ref(self).cast()) };
        self.context.begin();
        let polled = f(&mut Context::from_waker(&self.waker));
        let is_woken = || self.woken.count.load(Real::SeqCst) != before;
        let ends = || self.context.end_looks() || !offers::take_back();
        let again = polled.is_pending() && (is_woken() || !ends() || is_woken());
        self.context.renew_looks();
        drop(entered);
        (polled, again)
    }

    /// Polls, and waits for wakes, until it is ready.
    fn run<R>(&self, mut f: impl FnMut(&mut Context<'_>) -> Poll<R>) -> R {
        loop {
            match self.poll(&mut f) {
                (Poll::Ready(result), _) => return result,
                (Poll::Pending, true) => {}
                (Poll::Pending, false) => self.parker.park(),
            }
        }
    }

    /// Has a future begin to wait.
    fn begin<F: Future>(&self, future: Pin<&mut F>) {
        self.begin_under(future, &self.waker);
    }

    /// The same, under this waker.
    fn begin_under<F: Future>(&self, mut future: Pin<&mut F>, waker: &Waker) {
        let (polled, _) = self.poll(|_| {
            assert!(future.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
            Poll::<()>::Pending
        });
        assert!(polled.is_pending());
    }
}

/// A flag that wakes the task.
struct Done(AtomicBool, Waker);

impl Done {
    fn set(&self) {
        self.0.store(true, Ordering::Release);
        self.1.wake_by_ref();
    }

    fn poll(&self) -> Poll<()> {
        if self.0.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Race: a lock is released to a future that its task does not poll, while the task goes on and another one is in line
/// for the lock, whom the task waits for.
///
/// Mutation `sync-offer-not-passed-on`: what is taken back goes to nobody: the other waits for ever.
/// Mutation `sync-offer-unseen`: a line does not say that it has offers: nobody takes them back.
#[test]
fn offers_a_grant_meets_the_end_of_a_poll() {
    explore("offers_a_grant_meets_the_end_of_a_poll", || {
        let lock = Arc::new(Lock::new(Data::new()));
        let guard = Lock::try_lock_owned(&lock).expect("nobody has it");
        let hand = Hand::new();
        let mut left = pin!(lock.lock());
        hand.begin(left.as_mut());
        let done = Arc::new(Done(AtomicBool::new(false), hand.waker.clone()));
        let other = {
            let (lock, done) = (Arc::clone(&lock), Arc::clone(&done));
            thread::spawn(move || {
                block_on(lock.lock()).touch();
                done.set();
            })
        };
        let giver = thread::spawn(move || {
            guard.touch();
            drop(guard);
        });
        hand.run(|_| done.poll());
        hand.run(|cx| left.as_mut().poll(cx)).touch();
        other.join().expect("it gets the lock");
        giver.join().expect("it releases the lock");
    });
}

/// The lock was offered to a future of the hand's, and left once.
fn left_once() -> (Arc<Lock<Data>>, Hand, Pin<Box<LockingOwned<Data>>>) {
    let lock = Arc::new(Lock::new(Data::new()));
    let guard = Lock::try_lock_owned(&lock).expect("nobody has it");
    let hand = Hand::new();
    let mut left = Box::pin(Lock::lock_owned(Arc::clone(&lock)));
    hand.begin(left.as_mut());
    drop(guard);
    let (_, again) = hand.poll(|_| Poll::<()>::Pending);
    assert!(again, "it is polled once more first");
    (lock, hand, left)
}

/// Race: an offer is taken back while its future is dropped elsewhere, and another comes.
///
/// Mutation `sync-offer-given-twice`: who missed its turn gives back, as it is dropped, what it has not: two have the
/// lock.
#[test]
fn offers_one_taken_back_meets_a_drop() {
    explore("offers_one_taken_back_meets_a_drop", || {
        let (lock, hand, left) = left_once();
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || block_on(lock.lock()).touch())
        };
        let dropper = thread::spawn(move || drop(left));
        let _ = hand.poll(|_| Poll::<()>::Pending);
        block_on(lock.lock()).touch();
        other.join().expect("it gets the lock");
        dropper.join().expect("it drops");
        assert!(!lock.is_locked());
    });
}

/// Race: an offer is taken back while its future is polled elsewhere, outside of tasks.
///
/// Mutation `sync-offer-missed-for-good`: who missed its turn asks for no other: it waits for ever.
#[test]
fn offers_one_taken_back_meets_a_look() {
    explore("offers_one_taken_back_meets_a_look", || {
        let (lock, hand, left) = left_once();
        let looker = thread::spawn(move || block_on(left).touch());
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || block_on(lock.lock()).touch())
        };
        let _ = hand.poll(|_| Poll::<()>::Pending);
        looker.join().expect("it gets the lock");
        other.join().expect("it gets the lock");
        assert!(!lock.is_locked());
    });
}

/// Race: a task that waits, and has left a wait elsewhere unpolled, is polled for nothing while the lock is released to it: it
/// gets it, and not the one behind.
///
/// Mutation `sync-offer-hasty`: an offer is taken back at the end of the poll in which it was made.
#[test]
fn offers_who_waits_keeps_its_turn() {
    explore("offers_who_waits_keeps_its_turn", || {
        let lock = Arc::new(Lock::new(0));
        let guard = Lock::try_lock_owned(&lock).expect("nobody has it");
        let hand = Hand::new();
        let never = Semaphore::new(0);
        let mut left = Box::pin(never.acquire());
        hand.begin(left.as_mut());
        let mut first = Box::pin(lock.lock());
        hand.begin(first.as_mut());
        let mut second = Box::pin(Lock::lock_owned(Arc::clone(&lock)));
        let behind = second.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(behind.is_pending());
        let giver = thread::spawn(move || drop(guard));
        let other = thread::spawn(move || {
            let mut count = block_on(second);
            assert_eq!(*count, 1, "the first one was before");
            *count += 1;
        });
        *hand.run(|cx| first.as_mut().poll(cx)) += 1;
        giver.join().expect("it releases the lock");
        other.join().expect("it gets the lock");
    });
}

/// Race: permits that are taken back, with nobody in line, meet a newcomer that does not wait, one that does, and a release.
///
/// Mutation `sync-offer-spare-lost`: what was taken back is free, and a newcomer does not find it.
#[test]
fn offers_permits_taken_back_are_free() {
    explore("offers_permits_taken_back_are_free", || {
        let semaphore = Arc::new(Semaphore::new(0));
        let hand = Hand::new();
        let mut left = Box::pin(Semaphore::acquire_owned(Arc::clone(&semaphore)));
        hand.begin(left.as_mut());
        semaphore.add_permits(1);
        let (_, again) = hand.poll(|_| Poll::<()>::Pending);
        assert!(again, "it is polled once more first");
        let giver = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(1))
        };
        let newcomer = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || drop(block_on(semaphore.acquire_many(2)).expect("it is open")))
        };
        let _ = hand.poll(|_| Poll::<()>::Pending);
        drop(semaphore.try_acquire());
        newcomer.join().expect("it gets them");
        giver.join().expect("it gives one");
        assert_eq!(semaphore.available_permits(), 2);
        drop(semaphore.try_acquire().expect("nobody has them"));
    });
}

/// Race: a lock is released to a future whose waker wakes nobody, while its task goes to sleep; another one is in line, for
/// whom the task waits.
///
/// Mutation `sync-offer-task-unwoken`: who serves a future under a foreign waker does not wake its task: nothing is taken
/// back.
#[test]
fn offers_a_grant_whose_wake_stays_meets_the_end_of_a_poll() {
    explore("offers_a_grant_whose_wake_stays_meets_the_end_of_a_poll", || {
        let lock = Arc::new(Lock::new(Data::new()));
        let guard = Lock::try_lock_owned(&lock).expect("nobody has it");
        let hand = Hand::new();
        let mut left = pin!(lock.lock());
        hand.begin_under(left.as_mut(), Waker::noop());
        let done = Arc::new(Done(AtomicBool::new(false), hand.waker.clone()));
        let other = {
            let (lock, done) = (Arc::clone(&lock), Arc::clone(&done));
            thread::spawn(move || {
                block_on(lock.lock()).touch();
                done.set();
            })
        };
        let giver = thread::spawn(move || {
            guard.touch();
            drop(guard);
        });
        hand.run(|_| done.poll());
        hand.run(|cx| left.as_mut().poll(cx)).touch();
        other.join().expect("it gets the lock");
        giver.join().expect("it releases the lock");
    });
}

/// A flag that tells a branch, and nobody else, that it is to be polled.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Race: a lock is released to a branch that is polled on a wake of its own alone, and whose wake its combinator keeps: its
/// task is woken, and finds the branch due.
///
/// Mutation `sync-offer-task-first`: the task is woken before the branch is due: it sleeps again, and the branch with it.
#[test]
fn offers_a_branch_is_due_when_its_task_is_woken() {
    explore("offers_a_branch_is_due_when_its_task_is_woken", || {
        let lock = Arc::new(Lock::new(Data::new()));
        let guard = Lock::try_lock_owned(&lock).expect("nobody has it");
        let hand = Hand::new();
        let flag = std::sync::Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(std::sync::Arc::clone(&flag));
        let mut branch = pin!(lock.lock());
        hand.begin_under(branch.as_mut(), &waker);
        let giver = thread::spawn(move || {
            guard.touch();
            drop(guard);
        });
        let guard = hand.run(|_| {
            if !flag.0.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            branch.as_mut().poll(&mut Context::from_waker(&waker))
        });
        guard.touch();
        drop(guard);
        giver.join().expect("it releases the lock");
    });
}

/// Drops what it has, when it is woken.
struct Ender(Mutex<Option<Pin<Box<LockingOwned<Data>>>>>);

impl Wake for Ender {
    fn wake(self: std::sync::Arc<Self>) {
        let left = self.0.lock().take();
        drop(left);
    }
}

/// Race: a lock is released to a future that its foreign waker drops, while its task ends polls and then is gone; another
/// one is in line.
///
/// Mutation `sync-offer-dropped-keeps`: who is dropped with an offer keeps it: the other waits for ever.
#[test]
fn offers_one_that_its_waker_drops_meets_the_end_of_its_task() {
    explore("offers_one_that_its_waker_drops_meets_the_end_of_its_task", || {
        let lock = Arc::new(Lock::new(Data::new()));
        let guard = Lock::try_lock_owned(&lock).expect("nobody has it");
        let hand = Hand::new();
        let ender = std::sync::Arc::new(Ender(Mutex::new(None)));
        let waker = Waker::from(std::sync::Arc::clone(&ender));
        let mut left = Box::pin(Lock::lock_owned(Arc::clone(&lock)));
        hand.begin_under(left.as_mut(), &waker);
        *ender.0.lock() = Some(left);
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || block_on(lock.lock()).touch())
        };
        let giver = thread::spawn(move || drop(guard));
        for _ in 0..2 {
            let _ = hand.poll(|_| Poll::<()>::Pending);
        }
        drop(hand);
        other.join().expect("it gets the lock");
        giver.join().expect("it releases the lock");
        assert!(!lock.is_locked());
    });
}

/// Race: a task serves two at once, of whom it wakes the first last, while that one's task is polled for something else: the
/// first keeps its turn until it was told of it, and the third one waits.
///
/// Mutation `sync-offer-lead-overtaken`: an offer is taken back although not all who were served were woken yet.
#[test]
fn offers_to_several_are_kept_until_all_are_woken() {
    explore("offers_to_several_are_kept_until_all_are_woken", || {
        let semaphore = Arc::new(Semaphore::new(0));
        let hand = Hand::new();
        let flag = std::sync::Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(std::sync::Arc::clone(&flag));
        let mut first = pin!(semaphore.acquire());
        hand.begin_under(first.as_mut(), &waker);
        let mut others = [0; 2].map(|_| Box::pin(semaphore.acquire()));
        for other in &mut others {
            let polled = other.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
        }
        let giver = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || Hand::new().inside(|| semaphore.add_permits(2)))
        };
        let mut look = |_: &mut Context<'_>| {
            if !flag.0.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            let polled = first.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_ready(), "it is its turn");
            polled
        };
        // While not all are woken, it would be polled again and again.
        let found = (0..3).map(|_| hand.poll(&mut look).0).find(Poll::is_ready);
        giver.join().expect("it gives two");
        let permit = found.unwrap_or_else(|| Poll::Ready(hand.run(look)));
        let [second, third] = &mut others;
        let mut cx = Context::from_waker(Waker::noop());
        let behind = second.as_mut().poll(&mut cx);
        assert!(behind.is_ready() && third.as_mut().poll(&mut cx).is_pending());
        drop((permit, behind));
    });
}
