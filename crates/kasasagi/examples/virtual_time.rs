//! A test of a program that waits for hours, done in milliseconds: time stands still while anybody can run, and jumps
//! when nobody can.
//!
//! ```sh
//! cargo run --example virtual_time
//! ```

use kasasagi::time::{Duration, advance, interval, now, sleep, timeout};
use kasasagi::{Runtime, spawn};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A service that fails until it has been asked often enough.
struct Flaky {
    fails: AtomicU32,
}

impl Flaky {
    async fn ask(&self) -> Result<&'static str, &'static str> {
        // It is slow, too.
        sleep(Duration::from_secs(2)).await;
        let failed =
            self.fails.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        if failed.is_ok() { Err("not now") } else { Ok("kachi kachi") }
    }
}

/// The code to be tested: asks again after one second, two, four, and so on, for an hour at most.
async fn ask_until_it_answers(service: &Flaky) -> Result<&'static str, &'static str> {
    let answer = timeout(Duration::from_secs(3600), async {
        let mut pause = Duration::from_secs(1);
        loop {
            if let Ok(answer) = service.ask().await {
                return answer;
            }
            sleep(pause).await;
            pause *= 2;
        }
    });
    answer.await.map_err(|_| "no answer for an hour")
}

async fn scenario() -> Result<(), Box<dyn Error>> {
    let start = now();
    let service = Flaky { fails: AtomicU32::new(3) };
    assert_eq!(ask_until_it_answers(&service).await, Ok("kachi kachi"));
    // Four times two seconds, and 1 + 2 + 4 between them: to the nanosecond.
    assert_eq!(now() - start, Duration::from_secs(15));
    println!("answered after {:?}", now() - start);

    let start = now();
    let service = Flaky { fails: AtomicU32::new(u32::MAX) };
    assert_eq!(ask_until_it_answers(&service).await, Err("no answer for an hour"));
    assert_eq!(now() - start, Duration::from_secs(3600));
    println!("given up after {:?}", now() - start);

    // Moved by hand: what is due on the way has happened when it is done.
    let ticks = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&ticks);
    let ticker = spawn(async move {
        let mut every = interval(Duration::from_secs(60));
        loop {
            every.tick().await;
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    advance(Duration::from_secs(86_430)).await;
    println!("{} ticks in a day and half a minute", ticks.load(Ordering::Relaxed));
    // One for each minute, and the first, at once.
    assert_eq!(ticks.load(Ordering::Relaxed), 1441);
    ticker.cancel();
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    // On one worker and on several: when things happen does not depend on it.
    for workers in [1, 2] {
        let runtime = Runtime::builder().workers(workers).virtual_time().build()?;
        runtime.run(scenario())??;
    }
    Ok(())
}
