//! Futures that were given a lock and are polled no more: others go on, and they come first when they are polled again.

use crate::flavour::{for_each_flavour, for_one_worker, run};
use crate::meeting::{Log, all, are_waiting, until, waiters};
use kasasagi::sync::{Event, Lock, RwLock, Semaphore};
use kasasagi::time::sleep;
use kasasagi::{Task, spawn, yield_now};
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Has a future begin to wait, as the nth who does, as a `select` does that another arm wins.
async fn begin<F: Future>(mut future: Pin<&mut F>, primitive: &impl Debug, n: usize) {
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending(), "it has to wait");
        // A poll that is refused, for want of a budget or by chaos, has woken the task, and put nobody in line.
        if are_waiting(primitive, n) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// A task that holds the lock until the event is set.
fn holder(lock: &Arc<Lock<()>>, end: &Arc<Event>) -> Task<()> {
    let (lock, end) = (Arc::clone(lock), Arc::clone(end));
    spawn(async move {
        let _guard = lock.lock().await;
        end.wait().await;
    })
}

async fn held(lock: &Arc<Lock<()>>) -> (Task<()>, Arc<Event>) {
    let end = Arc::new(Event::new());
    let task = holder(lock, &end);
    until(|| lock.is_locked()).await;
    (task, end)
}

#[test]
fn futurelock_the_known_program_goes_on() {
    for_each_flavour(|build| {
        run(&build(), async {
            let lock = Arc::new(Lock::new(()));
            let (holder, end) = held(&lock).await;
            let of_task = Arc::clone(&lock);
            let task = spawn(async move {
                let mut waits = pin!(of_task.lock());
                let mut timeout = pin!(sleep(Duration::from_millis(5)));
                poll_fn(|cx| {
                    assert!(waits.as_mut().poll(cx).is_pending());
                    timeout.as_mut().poll(cx)
                })
                .await;
                drop(of_task.lock().await);
                drop(waits.await);
            });
            waiters(&lock, 2).await;
            end.set();
            task.await.expect("it goes on");
            holder.await.expect("it ends");
            assert!(!lock.is_locked());
        });
    });
}

#[test]
fn futurelock_a_task_that_is_waited_for_gets_the_lock() {
    for_each_flavour(|build| {
        run(&build(), async {
            let lock = Arc::new(Lock::new(()));
            let (holder, end) = held(&lock).await;
            let done = Arc::new(Event::new());
            let (of_task, of_other) = ((Arc::clone(&lock), Arc::clone(&done)), Arc::clone(&done));
            let task = spawn(async move {
                let mut waits = pin!(of_task.0.lock());
                begin(waits.as_mut(), &of_task.0, 1).await;
                of_task.1.wait().await;
                drop(waits.await);
            });
            waiters(&lock, 1).await;
            let other = Arc::clone(&lock);
            let other = spawn(async move {
                let _guard = other.lock().await;
                of_other.set();
            });
            waiters(&lock, 2).await;
            end.set();
            task.await.expect("it goes on");
            other.await.expect("it got the lock");
            holder.await.expect("it ends");
            assert!(!lock.is_locked());
        });
    });
}

#[test]
fn futurelock_one_who_comes_later_gets_the_lock() {
    for_each_flavour(|build| {
        run(&build(), async {
            let lock = Arc::new(Lock::new(()));
            let (holder, end) = held(&lock).await;
            let mut waits = pin!(lock.lock());
            begin(waits.as_mut(), &lock, 1).await;
            end.set();
            holder.await.expect("it ends");
            // Nobody else was in line: it is free, for whoever comes.
            poll_again(3).await;
            assert!(!lock.is_locked());
            drop(lock.try_lock().expect("nobody has it"));
            drop(lock.lock().await);
            let other = Arc::clone(&lock);
            spawn(async move { drop(other.lock().await) }).await.expect("it got it");
            drop(waits.await);
            drop(lock.try_lock().expect("nobody has it"));
        });
    });
}

/// Suspends so often, without a turn that is to come: another thread wakes the task.
async fn poll_again(times: usize) {
    for _ in 0..times {
        sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn futurelock_readers_and_writers_go_on() {
    for_each_flavour(|build| {
        run(&build(), async {
            let lock = Arc::new(RwLock::new(0));
            let writes = lock.write().await;
            let mut left = pin!(lock.write());
            begin(left.as_mut(), &lock, 1).await;
            let mut read = pin!(lock.read());
            begin(read.as_mut(), &lock, 2).await;
            let mut others = Vec::new();
            for n in 0..2 {
                let of_task = Arc::clone(&lock);
                others.push(spawn(async move {
                    if n == 0 {
                        assert_eq!(*of_task.read().await, 0);
                    } else {
                        *of_task.write().await += 1;
                    }
                }));
                waiters(&lock, 3 + n).await;
            }
            drop(writes);
            all(others).await;
            assert_eq!(*read.await, 1);
            *left.await += 1;
            assert_eq!(*lock.read().await, 2);
        });
    });
}

#[test]
fn futurelock_permits_go_on_to_those_who_want_fewer_or_more() {
    for_each_flavour(|build| {
        run(&build(), async {
            let limit = Arc::new(Semaphore::new(3));
            let all_permits = limit.acquire_many(3).await.expect("it is open");
            let mut left = pin!(limit.acquire_many(2));
            begin(left.as_mut(), &limit, 1).await;
            let of_others = [3, 1, 2].map(|n| {
                let limit = Arc::clone(&limit);
                spawn(async move {
                    drop(limit.acquire_many(n).await.expect("it is open"));
                })
            });
            waiters(&limit, 4).await;
            drop(all_permits);
            all(of_others.into()).await;
            poll_again(2).await;
            assert_eq!(limit.available_permits(), 3);
            drop(limit.try_acquire().expect("nobody has it"));
            drop(left.await.expect("it is open"));
            assert_eq!(limit.available_permits(), 3);
        });
    });
}

#[test]
fn futurelock_who_missed_its_turn_comes_first_when_it_asks_again() {
    for_each_flavour(|build| {
        run(&build(), async {
            let (lock, log) = (Arc::new(Lock::new(())), Log::default());
            let (first, end) = held(&lock).await;
            let mut one = pin!(lock.lock());
            begin(one.as_mut(), &lock, 1).await;
            let mut two = pin!(lock.lock());
            begin(two.as_mut(), &lock, 2).await;
            end.set();
            first.await.expect("it ends");
            poll_again(4).await;
            let (second, end) = held(&lock).await;
            let (other, of_other) = (Arc::clone(&lock), log.clone());
            let other = spawn(async move {
                let _guard = other.lock().await;
                of_other.note(3);
            });
            waiters(&lock, 1).await;
            begin(two.as_mut(), &lock, 2).await;
            begin(one.as_mut(), &lock, 3).await;
            end.set();
            let both = async {
                let guard = one.await;
                log.note(1);
                drop(guard);
            };
            let mut both = pin!(both);
            let mut two = pin!(async {
                let guard = two.await;
                log.note(2);
                drop(guard);
            });
            let mut ended = [false; 2];
            poll_fn(|cx| {
                ended[0] = ended[0] || both.as_mut().poll(cx).is_ready();
                ended[1] = ended[1] || two.as_mut().poll(cx).is_ready();
                if ended == [true; 2] { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            other.await.expect("it gets the lock");
            second.await.expect("it ends");
            assert_eq!(log.take(), [1, 2, 3]);
        });
    });
}

#[test]
fn futurelock_dropping_who_missed_its_turn_loses_nothing() {
    for_each_flavour(|build| {
        run(&build(), async {
            for wakes in 0..4 {
                let lock = Arc::new(Lock::new(()));
                let (holder, end) = held(&lock).await;
                let mut waits = Box::pin(lock.lock());
                begin(waits.as_mut(), &lock, 1).await;
                end.set();
                holder.await.expect("it ends");
                // Offered, left once, taken back.
                poll_again(wakes).await;
                drop(waits);
                assert!(!lock.is_locked());
                drop(lock.try_lock().expect("nobody has it"));
            }
        });
    });
}

#[test]
fn futurelock_a_future_that_was_moved_gets_its_turn_in_the_other_task() {
    for_each_flavour(|build| {
        run(&build(), async {
            for moved_first in [false, true] {
                let lock = Arc::new(Lock::new(()));
                let (holder, end) = held(&lock).await;
                let mut waits = Box::pin(Lock::lock_owned(Arc::clone(&lock)));
                begin(waits.as_mut(), &lock, 1).await;
                let go = Arc::new(Event::new());
                let (of_task, in_task) = (Arc::clone(&go), Arc::clone(&lock));
                let task = spawn(async move {
                    if moved_first {
                        begin(waits.as_mut(), &in_task, 1).await;
                    }
                    of_task.wait().await;
                    drop(waits.await);
                });
                if moved_first {
                    until(|| format!("{go:?}").contains("waiters: 1")).await;
                }
                let other = Arc::clone(&lock);
                let other = spawn(async move { drop(other.lock().await) });
                waiters(&lock, 2).await;
                end.set();
                other.await.expect("it gets the lock");
                holder.await.expect("it ends");
                go.set();
                task.await.expect("it gets the lock");
                assert!(!lock.is_locked());
            }
        });
    });
}

#[test]
fn futurelock_closing_tells_who_missed_its_turn() {
    for_each_flavour(|build| {
        run(&build(), async {
            let limit = Arc::new(Semaphore::new(1));
            let permit = limit.acquire().await.expect("it is open");
            let mut left = pin!(limit.acquire());
            begin(left.as_mut(), &limit, 1).await;
            drop(permit);
            poll_again(3).await;
            assert_eq!(limit.available_permits(), 1);
            limit.close();
            assert!(left.await.is_err());
            assert_eq!(limit.available_permits(), 1);
        });
    });
}

#[test]
fn futurelock_who_only_waits_never_misses_its_turn() {
    const TASKS: usize = 8;
    for_each_flavour(|build| {
        run(&build(), async {
            for _ in 0..50 {
                let (lock, log) = (Arc::new(Lock::new(())), Log::default());
                let (holder, end) = held(&lock).await;
                let over = Arc::new(AtomicBool::new(false));
                let mut tasks = Vec::new();
                for n in 0..TASKS {
                    let (of_task, log) = (Arc::clone(&lock), log.clone());
                    let wakers = Arc::new(std::sync::Mutex::new(None));
                    let (over, woken) = (Arc::clone(&over), Arc::clone(&wakers));
                    tasks.push(spawn(async move {
                        let mut waits = pin!(of_task.lock());
                        let guard = poll_fn(|cx| {
                            *wakers.lock().expect("nobody panics") = Some(cx.waker().clone());
                            waits.as_mut().poll(cx)
                        })
                        .await;
                        log.note(n);
                        drop(guard);
                    }));
                    waiters(&lock, n + 1).await;
                    // Woken again and again, for nothing.
                    tasks.push(spawn(async move {
                        while !over.load(Ordering::Relaxed) {
                            let waker: Option<Waker> = woken.lock().expect("nobody panics").clone();
                            if let Some(waker) = waker {
                                waker.wake();
                            }
                            yield_now().await;
                        }
                    }));
                }
                end.set();
                holder.await.expect("it ends");
                while log.len() < TASKS {
                    yield_now().await;
                }
                over.store(true, Ordering::Relaxed);
                all(tasks).await;
                assert_eq!(log.take(), (0..TASKS).collect::<Vec<_>>());
            }
        });
    });
}

/// A branch that is polled only when it was woken itself.
struct Branch {
    woken: AtomicBool,
    task: Waker,
}

impl Wake for Branch {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.task.wake_by_ref();
    }
}

/// Waits for the lock in a branch, whose turn comes only after some polls in which others have theirs.
async fn in_a_branch(lock: &Lock<()>, yields: bool) {
    let mut waits = pin!(lock.lock());
    let mut branch = None::<Arc<Branch>>;
    let mut others = 0;
    let mut turn = Box::pin(yield_now());
    poll_fn(|cx| {
        let branch = branch.get_or_insert_with(|| {
            let task = cx.waker().clone();
            Arc::new(Branch { woken: AtomicBool::new(true), task })
        });
        if !branch.woken.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        if others > 0 {
            others -= 1;
            if yields {
                if turn.as_mut().poll(cx).is_ready() {
                    turn = Box::pin(yield_now());
                    cx.waker().wake_by_ref();
                }
            } else {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        others = 5;
        branch.woken.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(branch));
        waits.as_mut().poll(&mut Context::from_waker(&waker)).map(drop)
    })
    .await;
}

#[test]
fn futurelock_a_branch_that_is_polled_on_its_own_wake_keeps_its_turn() {
    for_one_worker(|build| {
        run(&build(), async {
            for yields in [false, true] {
                let (lock, log) = (Arc::new(Lock::new(())), Log::default());
                let (holder, end) = held(&lock).await;
                let (of_task, of_log) = (Arc::clone(&lock), log.clone());
                let task = spawn(async move {
                    in_a_branch(&of_task, yields).await;
                    of_log.note(1);
                });
                waiters(&lock, 1).await;
                let (other, of_log) = (Arc::clone(&lock), log.clone());
                let other = spawn(async move {
                    let _guard = other.lock().await;
                    of_log.note(2);
                });
                waiters(&lock, 2).await;
                end.set();
                task.await.expect("it gets the lock");
                other.await.expect("it gets the lock");
                holder.await.expect("it ends");
                assert_eq!(log.take(), [1, 2]);
            }
        });
    });
}
