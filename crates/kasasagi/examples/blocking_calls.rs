//! Why a call that blocks has no place in a task, and what to do instead: the same program, wrong and right.
//!
//! `await` is where a task lets others run. A call that blocks, or a long computation, has no `await`: on one worker
//! everything stands still meanwhile. On several, the others go on; with as many such tasks as workers, nobody does.
//!
//! ```sh
//! cargo run --example blocking_calls
//! ```

use kasasagi::{JoinError, Runtime, gather, time, to_thread, yield_now};
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

const WORK: Duration = Duration::from_millis(60);

/// Says three times how late it is.
async fn tick() -> Duration {
    let mut late = Duration::ZERO;
    for _ in 0..3 {
        let due = Instant::now() + Duration::from_millis(10);
        time::sleep_until(due).await;
        late = late.max(due.elapsed());
    }
    late
}

/// Wrong: the worker sleeps, and whatever else it has to do sleeps with it.
async fn blocks() {
    thread::sleep(WORK);
}

/// Right: the task sleeps, and the worker does something else.
async fn waits() {
    time::sleep(WORK).await;
}

/// Right for a call that can only block, or computes: a thread of the pool does it.
async fn on_a_thread() -> Result<u64, JoinError> {
    to_thread(|| {
        thread::sleep(WORK);
        42
    })
    .await
}

/// Right for a computation that is not worth a thread: lets others run now and then, and can be cancelled there.
async fn computes(steps: u64) -> u64 {
    let mut sum = 0_u64;
    for n in 0..steps {
        sum = sum.wrapping_add(n * n);
        if n % 4096 == 0 {
            yield_now().await;
        }
    }
    sum
}

fn main() -> Result<(), Box<dyn Error>> {
    let alone = Runtime::builder().current_thread().build()?;
    alone.run(async {
        let (late, _) = gather!(tick(), blocks()).await;
        let late = late?;
        println!("one worker, a call that blocks: a tick was {late:.0?} late");
        assert!(late >= WORK / 2, "it blocks");

        for (what, late) in [
            ("an await", gather!(tick(), waits()).await.0?),
            ("a thread", gather!(tick(), on_a_thread()).await.0?),
            ("a computation that yields", gather!(tick(), computes(1_000_000)).await.0?),
        ] {
            println!("one worker, {what}: a tick was {late:.0?} late");
        }
        Ok::<(), kasasagi::JoinError>(())
    })??;

    // Three computations without an `await`, gathered: on one worker one after the other, on three side by side,
    // if the machine has as many processors.
    for workers in [1, 3] {
        let runtime = Runtime::builder().workers(workers).build()?;
        let start = Instant::now();
        runtime.run(async {
            let heavy =
                || async { (0..3_000_000_u64).fold(0, |sum: u64, n| sum.wrapping_mul(31) ^ n) };
            gather([heavy(), heavy(), heavy()]).await
        })?;
        println!("{workers} workers, three computations: {:.0?}", start.elapsed());
    }
    Ok(())
}
