//! No more than so many at a time: a semaphore.
//!
//! Ten jobs of a second each, three at a time: four seconds. Time is virtual, so nobody waits for it.
//!
//! ```sh
//! cargo run --example semaphore_limit
//! ```

use kasasagi::sync::{BoundedSemaphore, Semaphore, TryAcquireError};
use kasasagi::{JoinError, Runtime, gather, time};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[derive(Default)]
struct Seen {
    now: AtomicU32,
    most: AtomicU32,
}

async fn job(n: u32, limit: Arc<Semaphore>, seen: Arc<Seen>) -> u32 {
    // Waits here for its turn; the permit returns when the job ends, however it ends.
    let _permit = limit.acquire().await.expect("nobody closes it");
    let now = seen.now.fetch_add(1, Ordering::Relaxed) + 1;
    seen.most.fetch_max(now, Ordering::Relaxed);
    time::sleep(Duration::from_secs(1)).await;
    seen.now.fetch_sub(1, Ordering::Relaxed);
    n
}

async fn ten(limit: usize) -> Result<(Duration, u32), JoinError> {
    let (semaphore, seen) = (Arc::new(Semaphore::new(limit)), Arc::new(Seen::default()));
    let start = time::now();
    for n in gather((0..10).map(|n| job(n, Arc::clone(&semaphore), Arc::clone(&seen)))).await {
        n?;
    }
    Ok((time::now() - start, seen.most.load(Ordering::Relaxed)))
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder().current_thread().virtual_time().build()?;
    runtime.run(async {
        for (limit, seconds) in [(3, 4), (10, 1)] {
            let (time, most) = ten(limit).await?;
            println!("at most {limit:>2}: {time:?}, never more than {most} at once");
            assert_eq!((time.as_secs(), most as usize), (seconds, limit));
        }

        // Without waiting: who comes first is served, who comes too late is told so.
        let gate = Semaphore::new(1);
        let permit = gate.try_acquire()?;
        assert_eq!(gate.try_acquire().err(), Some(TryAcquireError::NoPermits));
        drop(permit);

        // A bounded one tells of a release too many.
        let bounded = BoundedSemaphore::new(1);
        bounded.acquire().await?.forget();
        bounded.add_permits(1)?;
        println!("one too many: {}", bounded.add_permits(1).expect_err("it had all it can have"));
        Ok::<(), Box<dyn Error>>(())
    })?
}
