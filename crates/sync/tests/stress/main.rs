//! Many threads for a while: 2 s, or `KASASAGI_STRESS_SECS`.

mod channels;

use kasasagi_primitive::park::Parker;
use kasasagi_sync::{Queue, Semaphore};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Far more than any wait here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Parker::new();
    let waker = parker.unparker().into_waker();
    let mut future = pin!(future);
    let start = Instant::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        // It may return early for no reason; only the clock tells that nobody woke us.
        parker.park_timeout(LIMIT);
        assert!(start.elapsed() < LIMIT, "nobody woke a waiter for {LIMIT:?}");
    }
}

/// How long to go on.
fn time() -> Duration {
    let seconds = std::env::var("KASASAGI_STRESS_SECS").ok().and_then(|n| n.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

/// Never more than `n` holders, no permit lost: also when every third request is dropped after its first poll.
#[test]
fn sem_16_never_more_holders_than_permits() {
    const PERMITS: usize = 3;
    const THREADS: usize = 8;
    let time = time();
    let semaphore = Semaphore::new(PERMITS);
    let (holders, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let end = Instant::now() + time;
    std::thread::scope(|scope| {
        for seed in 1..=THREADS {
            let (semaphore, holders, taken) = (&semaphore, &holders, &taken);
            scope.spawn(move || {
                let mut random = seed;
                while Instant::now() < end {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
                    let permits = 1 + (random >> 40) % 2;
                    let mut acquire = Box::pin(semaphore.acquire_many(permits));
                    if (random >> 50) % 3 == 0 {
                        let mut noop = Context::from_waker(Waker::noop());
                        drop(acquire.as_mut().poll(&mut noop));
                        continue;
                    }
                    let permit = block_on(acquire).expect("it is open");
                    let now = holders.fetch_add(permits, Ordering::Relaxed) + permits;
                    assert!(now <= PERMITS, "{now} hold {PERMITS} permits");
                    taken.fetch_add(1, Ordering::Relaxed);
                    holders.fetch_sub(permits, Ordering::Relaxed);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!(semaphore.available_permits(), PERMITS);
    println!("{} acquired in {time:?}", taken.load(Ordering::Relaxed));
}

/// Each item comes out once, those of one thread in the order in which it put them, and never more are inside than there
/// is room for: also when every third put and get is dropped after its first poll.
#[test]
fn que_35_each_item_comes_once_though_futures_are_dropped() {
    const ROOM: usize = 3;
    const THREADS: usize = 4;
    let time = time();
    let queue = Queue::bounded(ROOM);
    let end = Instant::now() + time;
    let (put, got) = std::thread::scope(|scope| {
        let queue = &queue;
        let getters: Vec<_> =
            (0..THREADS).map(|seed| scope.spawn(move || take(queue, seed))).collect();
        let putters: Vec<_> =
            (0..THREADS).map(|seed| scope.spawn(move || give(queue, seed, end))).collect();
        let put: Vec<_> =
            putters.into_iter().map(|putter| putter.join().expect("no panic")).collect();
        queue.shutdown(false);
        let mut got = vec![Vec::new(); THREADS];
        for getter in getters {
            for (of, number) in getter.join().expect("no panic") {
                got[of].push(number);
            }
        }
        (put, got)
    });
    for (numbers, mut got) in put.into_iter().zip(got) {
        got.sort_unstable();
        assert!(got == numbers, "of {} items {} came", numbers.len(), got.len());
    }
    assert_eq!((queue.len(), queue.unfinished()), (0, 0));
}

fn next(random: &mut usize) -> usize {
    *random =
        random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 40
}

/// Puts numbers until the end; the ones that were put.
fn give(queue: &Queue<(usize, usize)>, seed: usize, end: Instant) -> Vec<usize> {
    let (mut random, mut numbers) = (seed, Vec::new());
    for number in 0.. {
        if Instant::now() >= end {
            break;
        }
        let mut put = Box::pin(queue.put((seed, number)));
        if next(&mut random) % 3 == 0 {
            let mut noop = Context::from_waker(Waker::noop());
            if put.as_mut().poll(&mut noop).is_pending() {
                continue;
            }
        } else {
            block_on(put).expect("it is open");
        }
        numbers.push(number);
    }
    numbers
}

/// Takes items until the end; and looks whether those of each thread come in order.
fn take(queue: &Queue<(usize, usize)>, seed: usize) -> Vec<(usize, usize)> {
    let (mut random, mut items) = (seed, Vec::new());
    let mut last = [None; 16];
    loop {
        let mut get = Box::pin(queue.get());
        let answer = if next(&mut random) % 3 == 0 {
            let mut noop = Context::from_waker(Waker::noop());
            match get.as_mut().poll(&mut noop) {
                Poll::Ready(answer) => answer,
                Poll::Pending => continue,
            }
        } else {
            block_on(get)
        };
        let Ok((of, number)) = answer else { return items };
        assert!(last[of] < Some(number), "{number} of {of} after {:?}", last[of]);
        last[of] = Some(number);
        items.push((of, number));
        queue.task_done().expect("it was put");
    }
}
