//! Many threads for a while: 2 s, or `KASASAGI_STRESS_SECS`.

mod channels;

use kasasagi_primitive::park::Parker;
use kasasagi_sync::Semaphore;
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
