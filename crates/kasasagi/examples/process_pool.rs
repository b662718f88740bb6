//! Functions in worker processes: one that crashes, one that never ends, one that panics, and the rest, unharmed.
//!
//! `cargo run --release --features process --example process_pool`

use kasasagi::process_pool::{Job, JobError};
use kasasagi::{ProcessPool, time};
use std::time::{Duration, Instant};

/// What a library of someone else might do with some inputs.
fn price(item: u32) -> u64 {
    match item {
        7 => std::process::abort(),
        11 => loop {
            std::hint::spin_loop();
        },
        13 => panic!("no price for unlucky items"),
        _ => (0..=u64::from(item)).map(|n| n * n).sum(),
    }
}

/// Gives a job three seconds, its time in the line included.
async fn in_time(item: u32, job: Job<u64>) -> (u32, String) {
    let told = match time::timeout(Duration::from_secs(3), job).await {
        Ok(Ok(price)) => format!("costs {price}"),
        Ok(Err(JobError::Broken(broken))) => format!("crashed with signal {:?}", broken.signal()),
        Ok(Err(JobError::Panicked(panic))) => format!("panicked: {}", panic.message()),
        Ok(Err(error)) => format!("failed: {error}"),
        // Dropped with the timeout, the job's process was killed. No other was.
        Err(_) => "took too long, and was killed".into(),
    };
    (item, told)
}

fn main() {
    kasasagi::run(async {
        let pool = ProcessPool::builder().max_workers(3).max_tasks_per_child(100).build();
        let start = Instant::now();

        let jobs = (0..16).map(|item| in_time(item, pool.submit(price, item)));
        let mut lost = 0;
        for told in kasasagi::gather(jobs).await {
            let (item, told) = told.expect("nothing here panics or is cancelled");
            lost += u32::from(!told.starts_with("costs"));
            println!("item {item:2} {told}");
        }
        assert_eq!(lost, 3, "the rest is unharmed");

        // All or the first error, in the order of the arguments.
        let prices = pool.map(price, [1, 2, 3, 4]).await.expect("these are well");
        println!("and in order: {prices:?}");

        pool.shutdown(false).await;
        println!("{} processes left after {:.1?}", pool.processes(), start.elapsed());
    });
}
