//! When workers share what is queued: small tasks stay together, large ones spread, and who awaits many is not polled
//! after each.

use crate::flavour::{for_each_flavour, for_one_worker, for_several_workers};
use crate::hand::{compute, median};
use crate::promises::{TRIES, assert_served};
use kasasagi::{Runtime, SeatMetrics, Task, spawn, yield_now};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

const ROUNDS: usize = 20;

async fn end<T>(tasks: Vec<Task<T>>) -> Vec<T> {
    let mut outputs = Vec::new();
    for task in tasks {
        outputs.push(task.await.expect("it ends"));
    }
    outputs
}

/// Small tasks, until workers have found out that they are small.
async fn small_ones(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        end((0..200).map(|_| spawn(async {})).collect()).await;
    }
}

/// How long it takes from the spawn of tasks that compute for `each` until another worker runs one of them.
async fn until_one_runs_elsewhere(each: Duration) -> Duration {
    small_ones(Duration::from_millis(30)).await;
    let start = Instant::now();
    // For 100 ms of one worker.
    let count = 100_000 / each.as_micros().max(1);
    let tasks = (0..count).map(|_| {
        spawn(async move {
            let begun = (thread::current().id(), start.elapsed());
            compute(each);
            begun
        })
    });
    let begun = end(tasks.collect()).await;
    let here: ThreadId = thread::current().id();
    begun
        .iter()
        .filter(|(thread, _)| *thread != here)
        .map(|(_, at)| *at)
        .min()
        .unwrap_or(start.elapsed())
}

#[test]
fn large_tasks_after_many_small_ones_are_spread_within_20_ms() {
    for_several_workers(|build| {
        let runtime = build();
        for micros in [50, 1_000, 4_000] {
            let each = Duration::from_micros(micros);
            assert_served(&format!("a task of {each:?} behind small ones"), || {
                let rounds = async {
                    let mut waits = Vec::new();
                    for _ in 0..ROUNDS {
                        waits.push(until_one_runs_elsewhere(each).await);
                    }
                    waits
                };
                runtime.run(rounds).expect("main ends")
            });
        }
    });
}

/// Polls, steals and sleeps of all seats.
fn sums(runtime: &Runtime) -> [u64; 3] {
    let metrics = runtime.handle().metrics();
    let of = |f: fn(&SeatMetrics) -> u64| metrics.seats.iter().map(f).sum();
    [of(|seat| seat.polls), of(|seat| seat.steals), of(|seat| seat.parks)]
}

#[test]
fn small_tasks_are_kept_together() {
    for_several_workers(|build| {
        let runtime = build();
        let mut tries = Vec::new();
        while tries.len() < TRIES {
            let before = sums(&runtime);
            let start = Instant::now();
            runtime.run(small_ones(Duration::from_millis(200))).expect("main ends");
            let (time, after) = (start.elapsed(), sums(&runtime));
            let [polls, steals, parks] = [0, 1, 2].map(|i| after[i] - before[i]);
            println!("{polls} polls, {steals} steals, {parks} sleeps in {time:?}");
            // Where nothing is optimised, and where the processors are busy, they are not small: then this shows nothing,
            // and the same by hand, in the scheduler, has to do.
            let small = time.as_nanos() / u128::from(polls) < 1_000;
            // Each other worker comes to help once in some milliseconds, and the watch looks as often.
            let few = time.as_millis() as u64 * runtime.handle().metrics().seats.len() as u64;
            if small && steals <= few && parks <= few {
                return;
            }
            tries.push((polls, steals, parks, small));
        }
        assert!(tries.iter().all(|(_, _, _, small)| !small), "{tries:?}");
    });
}

/// How often a parent of 1,000 children is polled.
async fn polls_of_a_parent() -> usize {
    let mut polls = 0;
    let mut parent = pin!(async {
        let children = (0..1_000).map(|i| spawn(async move { i })).collect();
        assert_eq!(end(children).await.len(), 1_000);
    });
    poll_fn(|cx| {
        polls += 1;
        parent.as_mut().poll(cx)
    })
    .await;
    polls
}

#[test]
fn a_parent_of_a_thousand_is_polled_a_few_times() {
    for_each_flavour(|build| {
        let polls = build().run(async {
            let mut polls = Vec::new();
            for _ in 0..ROUNDS {
                polls.push(polls_of_a_parent().await);
                polls.push(spawn(polls_of_a_parent()).await.expect("it ends"));
            }
            polls
        });
        let polls = polls.expect("main ends");
        // Once to begin, and once for each 128 children, which are its budget. Looks outside, and children that ran
        // elsewhere, add some: it must not be one for each child.
        println!("{:?} at the median of {polls:?}", median(&polls));
        assert!(median(&polls) <= 32, "{polls:?}");
    });
}

/// On one worker, where nothing else can come in between, it is exact.
#[test]
fn a_task_that_awaits_a_thousand_is_polled_once_for_each_budget() {
    for_one_worker(|build| {
        let polls = build().run(async { spawn(polls_of_a_parent()).await.expect("it ends") });
        // The first poll spawns, the second finds all ended, and takes 128 at a time.
        assert_eq!(polls.expect("main ends"), 1 + 1_000_usize.div_ceil(128));
    });
}

/// Main awaits a task while others yield for ever.
#[test]
fn main_that_awaits_is_served_at_the_next_look_outside_though_the_queue_is_never_empty() {
    for_one_worker(|build| {
        let waits = build().run(async {
            let stop = Arc::new(AtomicBool::new(false));
            let polls = Arc::new(AtomicUsize::new(0));
            let busy: Vec<_> = (0..3)
                .map(|_| {
                    let (stop, polls) = (Arc::clone(&stop), Arc::clone(&polls));
                    spawn(async move {
                        while !stop.load(Ordering::Relaxed) {
                            polls.fetch_add(1, Ordering::Relaxed);
                            yield_now().await;
                        }
                    })
                })
                .collect();
            let mut waits = Vec::new();
            for _ in 0..ROUNDS {
                let polls_then = Arc::clone(&polls);
                let task = spawn(async move { polls_then.load(Ordering::Relaxed) });
                let ended = task.await.expect("it ends");
                waits.push(polls.load(Ordering::Relaxed) - ended);
            }
            stop.store(true, Ordering::Relaxed);
            end(busy).await;
            waits
        });
        let waits = waits.expect("main ends");
        assert!(waits.iter().all(|polls| *polls <= 512), "{waits:?}");
    });
}
