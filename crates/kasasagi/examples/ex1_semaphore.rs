//! Exercise: a hundred URLs, and no more than so many at a time. What is the best limit, and why is more not better?
//!
//! The server is played: it serves ten requests at once as fast as one, and with each more it gets slower for all
//! (threads that take turns, caches that do not hold, connections that are set up anew). Time is virtual, so the figures
//! are the same on each machine.
//!
//! ```sh
//! cargo run --example ex1_semaphore
//! ```

use kasasagi::sync::Semaphore;
use kasasagi::{JoinError, Runtime, gather, time};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const URLS: u32 = 100;
const CAPACITY: u32 = 10;
const SERVICE: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Server {
    now: AtomicU32,
    most: AtomicU32,
}

impl Server {
    async fn get(&self, url: &str) -> usize {
        let load = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(load, Ordering::Relaxed);
        let strain = load.saturating_sub(CAPACITY);
        time::sleep(SERVICE + SERVICE * strain * 3 / (2 * CAPACITY)).await;
        self.now.fetch_sub(1, Ordering::Relaxed);
        url.len()
    }
}

/// With a semaphore around each request, as the exercise says.
async fn fetch_all(limit: usize) -> Result<(Duration, u32), JoinError> {
    let server = Arc::new(Server::default());
    let semaphore = Arc::new(Semaphore::new(limit));
    let start = time::now();
    let requests = (0..URLS).map(|n| {
        let (server, semaphore) = (Arc::clone(&server), Arc::clone(&semaphore));
        async move {
            let _permit = semaphore.acquire().await.expect("nobody closes it");
            server.get(&format!("https://example.org/{n}")).await
        }
    });
    for length in gather(requests).await {
        assert!(length? > 20);
    }
    Ok((time::now() - start, server.most.load(Ordering::Relaxed)))
}

/// Shorter, and a request that has to wait is no task yet: the gather itself keeps to the limit.
async fn fetch_all_shorter(limit: usize) -> Duration {
    let server = Arc::new(Server::default());
    let start = time::now();
    let requests = (0..URLS).map(|n| {
        let server = Arc::clone(&server);
        async move { server.get(&format!("https://example.org/{n}")).await }
    });
    let _lengths = gather(requests).limit(limit).await;
    time::now() - start
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder().current_thread().virtual_time().build()?;
    runtime.run(async {
        let mut times = Vec::new();
        for limit in [1, 10, 100] {
            let (time, most) = fetch_all(limit).await?;
            println!("{limit:>3} at a time: {time:>6.2?}, the server had {most} at once");
            assert_eq!(fetch_all_shorter(limit).await, time);
            assert_eq!(most as usize, limit);
            times.push(time);
        }
        println!("1: the server is idle most of the time. 10: it is busy, and nobody waits inside it.");
        println!("100: all wait inside it, for each other, instead of outside, where waiting costs nothing.");
        assert!(times[1] < times[2] && times[2] < times[0]);
        Ok::<(), JoinError>(())
    })??;
    Ok(())
}
