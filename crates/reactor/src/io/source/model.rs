//! Models of the direction word: the poller's thread against tasks that wait, replace their wakers and go.

use super::*;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::park::Parker;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::AtomicUsize;
use kasasagi_primitive::thread;
use std::task::Wake;

use Direction::Read;

/// A waker that counts its wakes; std's reference count tells whether one is left behind.
#[derive(Default)]
struct Counted(std::sync::atomic::AtomicUsize);

impl Counted {
    fn wakes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Counted {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counted() -> (std::sync::Arc<Counted>, Waker) {
    let counted = std::sync::Arc::new(Counted::default());
    (std::sync::Arc::clone(&counted), counted.into())
}

/// The system's side of a stream: what can be read, and whether it has ended.
#[derive(Default)]
struct Kernel {
    data: AtomicUsize,
    ended: AtomicUsize,
}

enum Outcome {
    Some(usize),
    End,
    WouldBlock,
}

impl Kernel {
    fn read(&self) -> Outcome {
        // In this order: what came before the end is seen with it.
        let ended = self.ended.load(Ordering::Acquire);
        match self.data.swap(0, Ordering::AcqRel) {
            0 if ended != 0 => Outcome::End,
            0 => Outcome::WouldBlock,
            some => Outcome::Some(some),
        }
    }

    /// Takes one unit.
    fn accept(&self) -> bool {
        let one = |data: usize| data.checked_sub(1);
        self.data.fetch_update(Ordering::AcqRel, Ordering::Acquire, one).is_ok()
    }
}

/// One read that may wait; `None` at the end. A short count leaves the word as it is.
fn read(source: &Readiness, kernel: &Kernel, parker: &Parker, waker: &Waker) -> Option<usize> {
    loop {
        match source.consume(Read) {
            Consumed::Shut => unreachable!("nobody closes"),
            Consumed::Ready { held } => match kernel.read() {
                Outcome::Some(count) => return Some(count),
                Outcome::End => return None,
                Outcome::WouldBlock => source.drained(Read, held),
            },
            Consumed::Empty => {
                if source.wait(Read, waker) == Left::Waiting {
                    parker.park();
                }
            }
        }
    }
}

/// An edge that comes while an operation is under way is not taken for the one that was used up.
///
/// Mutation `reactor-consume-after`: clear `READY` after a `WouldBlock` instead of before the operation.
#[test]
fn loom_io_no_edge_is_lost() {
    explore("io_no_edge_is_lost", || {
        let shared = Arc::new((Readiness::new(), Kernel::default()));
        let driver = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for _ in 0..2 {
                    shared.1.data.fetch_add(1, Ordering::AcqRel);
                    shared.0.announce(Read, Said::Ready, Waker::wake);
                }
            })
        };
        let parker = Parker::new();
        let waker = parker.unparker().into_waker();
        let mut got = 0;
        while got < 2 {
            got += read(&shared.0, &shared.1, &parker, &waker).expect("it does not end");
        }
        driver.join().expect("the driver does not panic");
    });
}

/// The end of a stream that comes with its last data, in one edge, is read after a short count.
///
/// An earlier `HELD`, refuted by a `WouldBlock`, is cleared; the one that counts must not be cleared with it.
/// Mutations `reactor-held-dropped`: an event does not set `HELD`; `reactor-held-cleared-late`: `drained`
/// clears it although an event came since.
#[test]
fn loom_io_the_end_is_never_lost() {
    explore("io_the_end_is_never_lost", || {
        let shared = Arc::new((Readiness::new(), Kernel::default()));
        let driver = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.0.announce(Read, Said::Held, Waker::wake);
                shared.1.data.fetch_add(1, Ordering::AcqRel);
                shared.1.ended.store(1, Ordering::Release);
                shared.0.announce(Read, Said::Held, Waker::wake);
            })
        };
        let parker = Parker::new();
        let waker = parker.unparker().into_waker();
        while read(&shared.0, &shared.1, &parker, &waker).is_some() {}
        driver.join().expect("the driver does not panic");
    });
}

/// Takes one unit, waits for it if need be; others may take some too.
fn accept(source: &Readiness, kernel: &Kernel) {
    let parker = Parker::new();
    let waker = parker.unparker().into_waker();
    loop {
        match source.consume(Read) {
            Consumed::Shut => unreachable!("nobody closes"),
            Consumed::Ready { held } => {
                if kernel.accept() {
                    source.restore(Read);
                    return;
                }
                source.drained(Read, held);
            }
            Consumed::Empty => {
                if source.wait(Read, &waker) == Left::Waiting {
                    parker.park();
                }
            }
        }
    }
}

/// Of two tasks that accept, both get what one edge announced; the cell belongs to one thread at a time.
///
/// Mutation `reactor-restore-silent`: a success does not wake who began to wait meanwhile.
#[test]
fn loom_io_two_waiters_are_both_served() {
    explore("io_two_waiters_are_both_served", || {
        let shared = Arc::new((Readiness::new(), Kernel::default()));
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept(&shared.0, &shared.1))
        };
        let driver = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1.data.fetch_add(2, Ordering::AcqRel);
                shared.0.announce(Read, Said::Ready, Waker::wake);
            })
        };
        accept(&shared.0, &shared.1);
        other.join().expect("the other task does not panic");
        driver.join().expect("the driver does not panic");
    });
}

/// As above, one unit an edge, the first of which is there already.
#[test]
fn loom_io_the_waker_has_one_owner() {
    explore("io_the_waker_has_one_owner", || {
        let shared = Arc::new((Readiness::new(), Kernel::default()));
        shared.1.data.fetch_add(1, Ordering::AcqRel);
        shared.0.assume(Read);
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept(&shared.0, &shared.1))
        };
        let driver = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1.data.fetch_add(1, Ordering::AcqRel);
                shared.0.announce(Read, Said::Ready, Waker::wake);
            })
        };
        accept(&shared.0, &shared.1);
        other.join().expect("the other task does not panic");
        driver.join().expect("the driver does not panic");
    });
}

/// A task that is polled for no reason uses up an event whose waker is still being taken, and waits anew.
///
/// Mutation `reactor-driver-no-claim`: an event takes the waker without claiming the cell.
/// (The task is the thread that is started: the other way round loom does not come to that interleaving.)
#[test]
fn loom_io_an_event_keeps_others_from_the_cell() {
    explore("io_an_event_keeps_others_from_the_cell", || {
        let source = Arc::new(Readiness::new());
        let (count, waker) = counted();
        assert_eq!(source.wait(Read, &waker), Left::Waiting);
        let task = {
            let (source, waker) = (Arc::clone(&source), waker.clone());
            thread::spawn(move || {
                let consumed = matches!(source.consume(Read), Consumed::Ready { .. });
                (consumed, source.wait(Read, &waker) == Left::Waiting)
            })
        };
        source.announce(Read, Said::Ready, Waker::wake);
        let (consumed, left) = task.join().expect("the task does not panic");
        assert!(count.wakes() == 1 || !left, "a waker was left and not woken");
        assert!(
            !consumed || (count.wakes() == 1 && left),
            "an event that was used up is used twice"
        );
        source.reset();
        drop(waker);
        assert_eq!(std::sync::Arc::strong_count(&count), 1);
    });
}

/// A waker that comes second, to a word that has one, is woken, and so is the first; none is left behind.
///
/// Mutation `reactor-claimed-waker-dropped`: an event that finds the cell claimed leaves nobody to wake whom
/// it held.
#[test]
fn loom_io_every_waker_left_is_woken() {
    explore("io_every_waker_left_is_woken", || {
        let source = Arc::new(Readiness::new());
        let (first, first_waker) = counted();
        let (second, second_waker) = counted();
        let left_first = source.wait(Read, &first_waker) == Left::Waiting;
        let driver = {
            let source = Arc::clone(&source);
            thread::spawn(move || source.announce(Read, Said::Ready, Waker::wake))
        };
        let left_second = source.wait(Read, &second_waker) == Left::Waiting;
        driver.join().expect("the driver does not panic");
        assert!(left_first && first.wakes() == 1);
        assert!(!left_second || second.wakes() == 1, "the second waker was left and not woken");
        drop((first_waker, second_waker));
        assert_eq!(std::sync::Arc::strong_count(&first), 1);
        assert_eq!(std::sync::Arc::strong_count(&second), 1);
    });
}

/// A future replaces its own waker: the last one is woken, and an earlier one only before it was replaced.
///
/// Mutation `reactor-keyed-not-replaced`: the place in the line keeps its first waker.
#[test]
fn loom_io_a_future_replaces_its_waker() {
    explore("io_a_future_replaces_its_waker", || {
        let source = Arc::new(Readiness::new());
        let (first, first_waker) = counted();
        let (second, second_waker) = counted();
        let mut key = 0;
        assert_eq!(source.wait_as(Read, &mut key, &first_waker), Left::Waiting);
        let driver = {
            let source = Arc::clone(&source);
            thread::spawn(move || source.announce(Read, Said::Ready, Waker::wake))
        };
        let left = source.wait_as(Read, &mut key, &second_waker) == Left::Waiting;
        driver.join().expect("the driver does not panic");
        assert!(!left || second.wakes() == 1, "the last waker was left and not woken");
        assert!(first.wakes() + second.wakes() <= 1 || !left);
        source.forget(Read, key);
        drop((first_waker, second_waker));
        assert_eq!(std::sync::Arc::strong_count(&first), 1);
        assert_eq!(std::sync::Arc::strong_count(&second), 1);
    });
}

/// Who stands in line when an event has looked at the line already sees that there was one.
///
/// Mutation `reactor-line-unseen`: who stands in line does not look again.
#[test]
fn loom_io_who_stands_in_line_looks_again() {
    explore("io_who_stands_in_line_looks_again", || {
        let source = Arc::new(Readiness::new());
        let driver = {
            let source = Arc::clone(&source);
            thread::spawn(move || source.announce(Read, Said::Ready, Waker::wake))
        };
        let parker = Parker::new();
        let waker = parker.unparker().into_waker();
        let mut key = 0;
        while source.consume(Read) == Consumed::Empty {
            if source.wait_as(Read, &mut key, &waker) == Left::Waiting {
                parker.park();
            }
        }
        driver.join().expect("the driver does not panic");
    });
}

/// A source goes while its event is on the way, and its slot's next owner waits: it hears of its own event.
///
/// Mutation `reactor-reset-ends-claim`: the reset clears the claim of the event that is on its way.
#[test]
fn loom_io_a_stale_event_harms_nobody() {
    explore("io_a_stale_event_harms_nobody", || {
        let source = Arc::new(Readiness::new());
        let (old, old_waker) = counted();
        assert_eq!(source.wait(Read, &old_waker), Left::Waiting);
        drop(old_waker);
        let stale = {
            let source = Arc::clone(&source);
            thread::spawn(move || source.announce(Read, Said::Held, Waker::wake))
        };
        source.reset();
        let (new, new_waker) = counted();
        let left = source.wait(Read, &new_waker) == Left::Waiting;
        source.announce(Read, Said::Ready, Waker::wake);
        stale.join().expect("the driver does not panic");
        // By its own event, or by the stale one, which came as late as the check of generations lets it.
        assert!(!left || new.wakes() == 1, "the new owner's event was lost");
        assert!(old.wakes() <= 1);
        source.reset();
        drop(new_waker);
        assert_eq!(std::sync::Arc::strong_count(&old), 1);
        assert_eq!(std::sync::Arc::strong_count(&new), 1);
    });
}

/// Closing the reactor wakes who waits, and nobody can wait after.
///
/// Mutation `reactor-shut-waits`: `SHUT` does not keep a waker from being left.
#[test]
fn loom_io_nobody_waits_for_a_closed_reactor() {
    explore("io_nobody_waits_for_a_closed_reactor", || {
        let source = Arc::new(Readiness::new());
        let closer = {
            let source = Arc::clone(&source);
            thread::spawn(move || source.shut(Waker::wake))
        };
        let parker = Parker::new();
        let waker = parker.unparker().into_waker();
        loop {
            match source.consume(Read) {
                Consumed::Shut => break,
                Consumed::Ready { held } => source.drained(Read, held),
                Consumed::Empty => {
                    if source.wait(Read, &waker) == Left::Waiting {
                        parker.park();
                    }
                }
            }
        }
        closer.join().expect("the closer does not panic");
    });
}
