//! A pool of threads of one's own: `map` in order, `submit`, a limit of the queue, and the way in from tasks.
//!
//! ```sh
//! cargo run --example thread_pool_map
//! ```

use kasasagi::{BlockingError, JobExt, ThreadPool, gather, run_in_executor};
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

/// A request that blocks, the longer the smaller its number.
fn fetch(page: u64) -> String {
    thread::sleep(Duration::from_millis(20 - page));
    format!("page {page}")
}

fn main() -> Result<(), Box<dyn Error>> {
    // As `with ThreadPoolExecutor(max_workers=4) as pool:`; the end of the scope joins the threads.
    let pool = ThreadPool::builder().max_workers(4).thread_name("fetch").build();

    // All are handed in here, and come out in their order, each as soon as it is there.
    let start = Instant::now();
    for page in pool.map(0..8, fetch) {
        println!("{:>3} ms: {}", start.elapsed().as_millis(), page?);
    }

    // Each by itself; `wait` is `future.result()`.
    let first = pool.submit((|| fetch(1)).named("first page"));
    let second = pool.submit(|| fetch(2));
    println!("{:?} and {:?}", first.wait()?, second.wait()?);

    // A panic comes out where the result would have.
    match pool.submit(|| -> u32 { panic!("no such page") }).wait() {
        Err(BlockingError::Panicked(panic)) => {
            println!("failed: {}", panic.message().unwrap_or("?"))
        }
        other => println!("{other:?}"),
    }

    // What has not started can be taken back.
    let _busy: Vec<_> = (0..4).map(|n| pool.submit(move || fetch(n))).collect();
    let waits = pool.submit(|| fetch(9));
    println!("taken back: {}", waits.cancel());

    // From tasks: nothing blocks the workers.
    let pages = kasasagi::run(async {
        let tasks: Vec<_> = (0..4).map(|n| run_in_executor(&pool, move || fetch(n))).collect();
        gather(tasks).await.into_iter().collect::<Result<Vec<_>, _>>()
    })?;
    println!("{pages:?}");

    // Who makes more than the pool can do waits for room in its queue, and so does the memory.
    let slow = ThreadPool::builder().max_workers(1).max_queued(2).build();
    let start = Instant::now();
    let results = kasasagi::run(async {
        let mut results = Vec::new();
        for n in 0..6_u32 {
            let submitted = slow.submit_when_room(move || {
                thread::sleep(Duration::from_millis(5));
                n
            });
            results.push(submitted.await);
        }
        println!("the last of six was handed in after {:.0?}", start.elapsed());
        let mut sum = 0;
        for result in results {
            sum += result.await?;
        }
        Ok::<_, BlockingError>(sum)
    })?;
    assert_eq!(results, 15);

    let report = slow.shutdown(true, false);
    println!("left running: {}", report.still_running);
    Ok(())
}
