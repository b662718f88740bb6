//! What does it cost to take a lock or a permit, alone and among others; to set an event, to meet at a barrier?
//!
//! kasasagi's, tokio's and async-lock's, each under its own runtime. kasasagi and tokio hand a lock over to who has waited
//! longest, and pay for it with a switch of tasks; async-lock lets a newcomer overtake for a while, and its figures say
//! nothing of how long one may wait.

use futures_lite::future::block_on;
use kasasagi_benches::column::THREADS;
use kasasagi_benches::{Beside, Locks, Peer, Row, Suite, per_op};
use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

/// So many tasks that do the same at once, each its part of `ops`; the time of each.
async fn by_tasks<P: Peer, T, F>(
    peer: P,
    shared: T,
    (tasks, ops): (u64, u64),
    part: fn(Arc<T>, u64) -> F,
) -> f64
where
    T: Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let each = (ops / tasks).max(1);
    let shared = Arc::new(shared);
    let start = Instant::now();
    let all: Vec<_> = (0..tasks).map(|_| peer.spawn(part(Arc::clone(&shared), each))).collect();
    for task in all {
        task.await;
    }
    per_op(start, each * tasks)
}

/// Nobody else wants it.
struct LockAlone;

impl Row for LockAlone {
    fn name(&self) -> String {
        "lock and unlock, one task".into()
    }

    fn ops(&self) -> u64 {
        1_000_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let lock = P::Locks::lock();
            let start = Instant::now();
            for _ in 0..ops {
                *P::Locks::locked(black_box(&lock)).await += 1;
            }
            per_op(start, ops)
        })
    }
}

struct PermitAlone;

impl Row for PermitAlone {
    fn name(&self) -> String {
        "acquire and release a permit, one task".into()
    }

    fn ops(&self) -> u64 {
        1_000_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let semaphore = P::Locks::semaphore(10);
            let start = Instant::now();
            for _ in 0..ops {
                drop(P::Locks::permit(black_box(&semaphore)).await);
            }
            per_op(start, ops)
        })
    }
}

/// It is set before it is waited for, and cleared for the next time.
struct EventAlone;

impl Row for EventAlone {
    fn name(&self) -> String {
        "set an event, wait and clear it, one task".into()
    }

    fn ops(&self) -> u64 {
        1_000_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let event = P::Locks::event();
            let start = Instant::now();
            for _ in 0..ops {
                P::Locks::set(black_box(&event));
                P::Locks::wait(&event).await;
                P::Locks::clear(&event);
            }
            per_op(start, ops)
        })
    }
}

/// Held over a yield, so that the others come meanwhile.
struct Held(u64);

impl Row for Held {
    fn name(&self) -> String {
        format!("lock held over a yield, {} tasks", self.0)
    }

    fn ops(&self) -> u64 {
        100_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(by_tasks(peer, P::Locks::lock(), (self.0, ops), |lock, each| async move {
            for _ in 0..each {
                let mut guard = P::Locks::locked(&lock).await;
                *guard += 1;
                P::yield_now().await;
            }
        }))
    }
}

/// Held for a moment.
struct Short;

impl Row for Short {
    fn name(&self) -> String {
        "short lock, 1000 tasks".into()
    }

    fn ops(&self) -> u64 {
        200_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(by_tasks(peer, P::Locks::lock(), (1_000, ops), |lock, each| async move {
            for _ in 0..each {
                *P::Locks::locked(&lock).await += 1;
            }
        }))
    }
}

/// A hundred at a time, each over a yield.
struct Limited;

impl Row for Limited {
    fn name(&self) -> String {
        "semaphore of 100, 1000 tasks".into()
    }

    fn ops(&self) -> u64 {
        100_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let permits = P::Locks::semaphore(100);
        peer.inside(by_tasks(peer, permits, (1_000, ops), |semaphore, each| async move {
            for _ in 0..each {
                let _permit = P::Locks::permit(&semaphore).await;
                P::yield_now().await;
            }
        }))
    }
}

/// Of twenty, one writes; nobody awaits meanwhile.
struct MostlyRead;

impl Row for MostlyRead {
    fn name(&self) -> String {
        "RwLock, 95 % reads, 100 tasks".into()
    }

    fn ops(&self) -> u64 {
        200_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(by_tasks(peer, P::Locks::rw_lock(), (100, ops), |lock, each| async move {
            for i in 0..each {
                if i % 20 == 0 {
                    *P::Locks::written(&lock).await += 1;
                } else {
                    drop(P::Locks::read(&lock).await);
                }
            }
        }))
    }
}

/// The same, and all of them over a yield.
struct MostlyReadOverYields;

impl Row for MostlyReadOverYields {
    fn name(&self) -> String {
        "RwLock, 95 % reads over a yield, 100 tasks".into()
    }

    fn ops(&self) -> u64 {
        100_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(by_tasks(peer, P::Locks::rw_lock(), (100, ops), |lock, each| async move {
            for i in 0..each {
                if i % 20 == 0 {
                    let mut guard = P::Locks::written(&lock).await;
                    P::yield_now().await;
                    *guard += 1;
                } else {
                    let _guard = P::Locks::read(&lock).await;
                    P::yield_now().await;
                }
            }
        }))
    }
}

/// All wait for an event, and for the next one when it is set; the time for each that waits.
struct EventOfMany;

impl Row for EventOfMany {
    fn name(&self) -> String {
        "event set with 1000 waiters, each".into()
    }

    fn ops(&self) -> u64 {
        100_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        const WAITERS: u64 = 1_000;
        let rounds = (ops / WAITERS).max(1);
        peer.inside(async move {
            let events: Arc<[_]> = (0..=rounds).map(|_| P::Locks::event()).collect();
            let through = Arc::new(AtomicU64::new(0));
            let tasks: Vec<_> = (0..WAITERS)
                .map(|_| {
                    let (events, through) = (Arc::clone(&events), Arc::clone(&through));
                    peer.spawn(async move {
                        for event in &*events {
                            P::Locks::wait(event).await;
                            through.fetch_add(1, Ordering::Release);
                        }
                    })
                })
                .collect();
            let mut start = Instant::now();
            for (round, event) in (1..).zip(&*events) {
                P::Locks::set(event);
                while through.load(Ordering::Acquire) < round * WAITERS {
                    P::yield_now().await;
                }
                // The first round is of those who have just been spawned.
                if round == 1 {
                    start = Instant::now();
                }
            }
            let time = per_op(start, rounds * WAITERS);
            for task in tasks {
                task.await;
            }
            time
        })
    }
}

/// A hundred meet, again and again; the time for each of them.
struct Meeting;

impl Row for Meeting {
    fn name(&self) -> String {
        "barrier of 100, each".into()
    }

    fn ops(&self) -> u64 {
        100_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(by_tasks(
            peer,
            P::Locks::barrier(100),
            (100, ops),
            |barrier, each| async move {
                for _ in 0..each {
                    P::Locks::meet(&barrier).await;
                }
            },
        ))
    }
}

/// A thread that is no worker, and nobody else.
struct OneThread;

impl Row for OneThread {
    fn name(&self) -> String {
        "lock and unlock, a thread".into()
    }

    fn ops(&self) -> u64 {
        1_000_000
    }

    fn run<P: Peer>(&self, _: P, ops: u64) -> f64 {
        let lock = P::Locks::lock();
        block_on(async move {
            let start = Instant::now();
            for _ in 0..ops {
                *P::Locks::locked(black_box(&lock)).await += 1;
            }
            per_op(start, ops)
        })
    }

    fn beside(&self) -> Vec<Beside> {
        let mutex = |ops| {
            let lock = parking_lot::Mutex::new(0_u64);
            let start = Instant::now();
            for _ in 0..ops {
                *black_box(&lock).lock() += 1;
            }
            per_op(start, ops)
        };
        vec![Beside::new(THREADS, mutex)]
    }
}

/// Threads that are no workers, all at the same lock.
struct Threads(u64);

impl Threads {
    fn all(&self, ops: u64, part: impl Fn(u64) + Sync) -> f64 {
        let each = (ops / self.0).max(1);
        let start = Instant::now();
        thread::scope(|scope| {
            for _ in 0..self.0 {
                scope.spawn(|| part(each));
            }
        });
        per_op(start, each * self.0)
    }
}

impl Row for Threads {
    fn name(&self) -> String {
        format!("short lock, {} threads", self.0)
    }

    fn ops(&self) -> u64 {
        50_000
    }

    fn run<P: Peer>(&self, _: P, ops: u64) -> f64 {
        let lock = P::Locks::lock();
        self.all(ops, |each| {
            block_on(async {
                for _ in 0..each {
                    *P::Locks::locked(&lock).await += 1;
                }
            });
        })
    }

    fn beside(&self) -> Vec<Beside> {
        let threads = Self(self.0);
        let mutex = move |ops| {
            let lock = parking_lot::Mutex::new(0_u64);
            threads.all(ops, |each| (0..each).for_each(|_| *lock.lock() += 1))
        };
        vec![Beside::new(THREADS, mutex)]
    }
}

pub(crate) fn rows(suite: &Suite) {
    suite.row(&LockAlone);
    suite.row(&PermitAlone);
    suite.row(&EventAlone);
    for tasks in [2, 100, 1_000] {
        suite.row(&Held(tasks));
    }
    suite.row(&Short);
    suite.row(&Limited);
    suite.row(&MostlyRead);
    suite.row(&MostlyReadOverYields);
    suite.row(&EventOfMany);
    suite.row(&Meeting);
    suite.row(&OneThread);
    suite.row(&Threads(4));
}
