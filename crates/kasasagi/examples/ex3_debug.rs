//! Exercise: a loop of ten million steps without an `await`, in debug mode. Who notices?
//!
//! asyncio warns, after the fact, that a step took too long. Here any thread can look on while it lasts, in a plain build
//! too: a task that waits for nothing, on a worker that has made no poll since the last look, keeps that worker from
//! everything else. Debug mode tells, at the end, of tasks that were left, with the place where they waited.
//!
//! ```sh
//! cargo run --example ex3_debug
//! ```

use kasasagi::{FutureExt, Handle, Runtime, spawn, time};
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Ten million steps, and as many more as it takes to be seen on a fast machine.
async fn heavy(until: Instant) -> u64 {
    let mut sum = 0_u64;
    for n in 0..10_000_000 {
        sum = black_box(sum.wrapping_add(n * n));
    }
    while Instant::now() < until {
        sum = black_box(sum.wrapping_add(1));
    }
    sum
}

/// Looks every few milliseconds; gives the names of the tasks that waited for nothing while no poll ended.
fn watch(handle: &Handle, is_over: &AtomicBool) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    let mut polls = 0;
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(10));
        let polls_now = handle.metrics().seats.iter().map(|seat| seat.polls).sum();
        let stands_still = std::mem::replace(&mut polls, polls_now) == polls_now;
        for task in handle.tasks() {
            let name = task.name.to_string();
            if stands_still && task.wait.is_none() && !seen.contains(&name) {
                println!("`{name}`, spawned at {}, computes and does not let go", task.spawned_at);
                seen.push(name);
            }
        }
    }
    seen
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder().current_thread().debug(true).build()?;
    let is_over = Arc::new(AtomicBool::new(false));
    let watcher = {
        let (handle, is_over) = (runtime.handle(), Arc::clone(&is_over));
        thread::spawn(move || watch(&handle, &is_over))
    };

    runtime.run(async {
        let due = Instant::now() + Duration::from_millis(5);
        let heavy = spawn(heavy(due + Duration::from_millis(150)).named("heavy"));
        time::sleep_until(due).await;
        println!("a sleep of 5 ms ended {:.0?} late", due.elapsed());
        drop(heavy.await);
        // Debug mode tells of this one on stderr: its name, where it was spawned, and where it waits.
        drop(spawn(time::sleep(Duration::from_secs(3600)).named("left behind")));
        kasasagi::yield_now().await;
    })?;
    is_over.store(true, Ordering::Relaxed);
    let seen = watcher.join().map_err(|_| "the watcher panicked")?;
    assert!(seen.contains(&"heavy".into()));
    println!("{} left", runtime.shutdown(Duration::from_secs(1)).cancelled.len());
    Ok(())
}
