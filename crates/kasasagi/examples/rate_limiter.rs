//! Fifteen requests of half a second, five starts in two seconds: the limiter starts them in three fives, and the last
//! ends after 4.5 s. Time is virtual, so it takes none.

use kasasagi::sync::{RateLimiter, Semaphore};
use kasasagi::time::{Duration, Instant, now, sleep};
use kasasagi::{FutureExt, Runtime, catch_cancel, gather};
use std::sync::Arc;

const MAX: usize = 5;
const PERIOD: Duration = Duration::from_secs(2);
const REQUESTS: usize = 15;

/// A request to a server with a quota; it says when it was sent.
async fn request(limiter: Arc<RateLimiter>, number: usize, begin: Instant) -> Duration {
    limiter.acquire().await;
    let start = now() - begin;
    println!("request {number:2} starts at {start:.1?}");
    sleep(Duration::from_millis(500)).await;
    start
}

async fn fifteen() {
    let begin = now();
    let limiter = Arc::new(RateLimiter::new(MAX, PERIOD));
    let requests = (1..=REQUESTS).map(|number| {
        request(Arc::clone(&limiter), number, begin).named(format!("request-{number}"))
    });
    let mut starts = Vec::new();
    for start in gather(requests).await {
        starts.push(start.expect("no request fails"));
    }
    let time = now() - begin;
    println!("{REQUESTS} requests, {MAX} starts in {PERIOD:?}: {time:?}");
    assert_eq!(time, Duration::from_millis(4500));
    starts.sort_unstable();
    // Of any six starts the last is two seconds after the first, or later.
    for (first, last) in starts.iter().zip(starts.iter().skip(MAX)) {
        assert!(*last - *first >= PERIOD);
    }
}

/// Who is cancelled while it waits has used nothing up.
async fn cancelled() {
    let limiter = Arc::new(RateLimiter::new(1, PERIOD));
    limiter.acquire().await;
    let theirs = Arc::clone(&limiter);
    let waiting = kasasagi::spawn(async move {
        let waited = catch_cancel(theirs.acquire()).await;
        assert!(waited.is_err(), "it is cancelled while it waits");
    });
    sleep(Duration::from_secs(1)).await;
    waiting.cancel();
    waiting.await.expect("it has caught the cancellation");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(limiter.available(), 1);
    println!("cancelled: {} of 1 may start", limiter.available());
}

/// A limit on starts is none on how many run at once: this is both.
async fn both() {
    let begin = now();
    let (limiter, at_once) = (RateLimiter::new(10, Duration::from_secs(1)), Semaphore::new(3));
    let calls = (0..12).map(|_| async {
        let _permit = at_once.acquire().await.expect("nobody closes it");
        limiter.acquire().await;
        sleep(Duration::from_millis(500)).await;
    });
    futures_util::future::join_all(calls).await;
    println!("12 calls, 3 at a time, 10 a second: {:?}", now() - begin);
    assert_eq!(now() - begin, Duration::from_secs(2));
}

fn main() {
    let runtime = Runtime::builder().workers(2).virtual_time().build().expect("a runtime");
    let main = async {
        fifteen().await;
        cancelled().await;
        both().await;
    };
    runtime.run(main).expect("nobody cancels main");
}
