//! The scheduler with what else there is: a second one, semaphores, timers.

use super::house::spawn;
use super::wakes::Bell;
use super::*;
use kasasagi_reactor::time::{sleep, timeout};
use kasasagi_sync::{Queue, Semaphore};
use std::time::Duration;

/// Two schedulers whose tasks spawn on, wake and join each other's; the one is closed first.
#[test]
fn two_runtimes_wake_each_other() {
    schedules("two_runtimes", 120, || {
        let (here, there) = (House::new(4), House::new(4));
        let ledger = Ledger::new();
        let bell = Arc::new(Bell::default());
        here.run(async {
            let mut tasks = Vec::new();
            for _ in 0..2 {
                let (other, ledger, bell) =
                    (there.spawner.clone(), Arc::clone(&ledger), Arc::clone(&bell));
                tasks.push(here.spawn(&Arc::clone(&ledger), async move {
                    let away = spawn(&other, &ledger, async move {
                        bell.ring();
                        yield_now().await;
                        7
                    });
                    away.await.expect("it ends")
                }));
            }
            let listener = there.spawn(&ledger, async move { bell.heard(2).await });
            for task in tasks {
                assert_eq!(task.await.expect("it ends"), 7);
            }
            listener.await.expect("it ends");
        });
        here.end();
        there.end();
        ledger.all_ended();
    });
}

/// Counts who holds a permit. Declared after the permit, it is dropped before it.
struct Held(Arc<AtomicUsize>);

impl Held {
    fn new(holders: Arc<AtomicUsize>) -> Self {
        assert!(holders.fetch_add(1, Ordering::AcqRel) < 2, "too many hold a permit");
        Self(holders)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Two permits and five tasks, two of which give up: never more than two hold one, and none is lost.
#[test]
fn permits_pass_from_task_to_task() {
    schedules("semaphore", 120, || {
        let house = House::new(SEATS);
        let ledger = Ledger::new();
        let semaphore = Arc::new(Semaphore::new(2));
        let holders = Arc::new(AtomicUsize::new(0));
        house.run(async {
            let tasks: Vec<_> = (0..5)
                .map(|_| {
                    let (semaphore, holders) = (Arc::clone(&semaphore), Arc::clone(&holders));
                    house.spawn(&ledger, async move {
                        let permit = semaphore.acquire().await.expect("it is open");
                        let held = Held::new(holders);
                        yield_now().await;
                        // Off the list before the permit goes to another.
                        drop(held);
                        drop(permit);
                    })
                })
                .collect();
            let givers: Vec<_> = tasks[3..].iter().map(Task::handle).collect();
            // While they wait, hold a permit, or were given one and have not looked.
            let stranger = thread::spawn(move || {
                for task in givers {
                    task.cancel();
                }
            });
            for (i, task) in tasks.into_iter().enumerate() {
                assert!(task.await.is_ok() || i >= 3, "nobody cancels the others");
            }
            stranger.join().expect("no panic");
        });
        assert_eq!(semaphore.available_permits(), 2, "every permit came back");
        house.end();
        ledger.all_gone();
    });
}

/// Two put through room for two, and two of four who get give up at any moment: each item comes once, and all are done.
#[test]
fn items_pass_from_task_to_task() {
    schedules("queue", 120, || {
        let house = House::new(SEATS);
        let ledger = Ledger::new();
        let queue = Queue::bounded(2);
        let got = Arc::new(Mutex::new(Vec::new()));
        house.run(async {
            let producers: Vec<_> = (0..2)
                .map(|of| {
                    let queue = queue.clone();
                    house.spawn(&ledger, async move {
                        for number in 0..3 {
                            queue.put((of, number)).await.expect("it is open");
                        }
                    })
                })
                .collect();
            let getters: Vec<_> = (0..4)
                .map(|_| {
                    let (queue, got) = (queue.clone(), Arc::clone(&got));
                    house.spawn(&ledger, async move {
                        while let Ok(item) = queue.get_guarded().await {
                            got.lock().push(*item);
                            yield_now().await;
                        }
                    })
                })
                .collect();
            let givers: Vec<_> = getters[2..].iter().map(Task::handle).collect();
            // While they wait, hold an item, or were woken for one and have not looked.
            let stranger = thread::spawn(move || {
                for task in givers {
                    task.cancel();
                }
            });
            for producer in producers {
                producer.await.expect("nobody cancels it");
            }
            queue.join().await;
            queue.shutdown(false);
            for (i, getter) in getters.into_iter().enumerate() {
                assert!(getter.await.is_ok() || i >= 2, "nobody cancels the others");
            }
            stranger.join().expect("no panic");
        });
        let mut got = std::mem::take(&mut *got.lock());
        got.sort_unstable();
        assert_eq!(got, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
        house.end();
        ledger.all_gone();
    });
}

/// Sleeps on every seat and a stranger that lets time pass; one sleep is dropped before its time.
#[test]
fn timers_wake_whoever_sleeps() {
    schedules("timers", 90, || {
        let house = House::with_timers(SEATS);
        let ledger = Ledger::new();
        let time = house.time();
        let asleep = Arc::new((Mutex::new(0), Condvar::new()));
        let clock = {
            let asleep = Arc::clone(&asleep);
            thread::spawn(move || {
                // Not before all have begun to sleep: a clock that stops has to have passed every deadline.
                let mut now = asleep.0.lock();
                while *now < 5 {
                    asleep.1.wait(&mut now);
                }
                drop(now);
                (0..4).for_each(|_| time.advance(Duration::from_millis(2)));
            })
        };
        house.run(async {
            let tasks: Vec<_> = (0..5_u64)
                .map(|i| {
                    let asleep = Arc::clone(&asleep);
                    house.spawn(&ledger, async move {
                        let mut sleep = std::pin::pin!(sleep(Duration::from_millis(1 + i)));
                        let mut told = false;
                        let slept = std::future::poll_fn(|cx| {
                            let poll = sleep.as_mut().poll(cx);
                            if !std::mem::replace(&mut told, true) {
                                *asleep.0.lock() += 1;
                                asleep.1.notify_one();
                            }
                            poll
                        });
                        if i == 4 {
                            // Either may come first: time goes on while the task waits for its turn.
                            let _ = timeout(Duration::from_millis(2), slept).await;
                        } else {
                            slept.await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("it ends");
            }
        });
        clock.join().expect("no panic");
        house.end();
        ledger.all_ended();
    });
}
