//! What computes: one after the other, on threads, split by itself, and on rayon.
//!
//! ```sh
//! cargo run --release --example cpu_bound [SIZE]
//! cargo run --release --features rayon --example cpu_bound
//! ```

use kasasagi::sync::Event;
use kasasagi::{Runtime, ThreadPool, par_map, scoped_map, spawn, time};
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The sum of the squares below `n`, as slow as it is written.
fn sum_of_squares(n: u64) -> u64 {
    (0..n).map(black_box).fold(0, |sum, i| sum.wrapping_add(i.wrapping_mul(i)))
}

/// Twenty numbers, such as the articles take, and a smaller size, so that the example ends soon.
fn numbers() -> Vec<u64> {
    let size = std::env::args().nth(1).and_then(|size| size.parse().ok()).unwrap_or(200_000);
    (0..20).map(|x| size + x).collect()
}

fn show(what: &str, start: Instant, sums: &[u64], expected: &[u64]) {
    println!("{what:<24} {:>8.1} ms", start.elapsed().as_secs_f64() * 1e3);
    assert_eq!(sums, expected);
}

/// Sleeps until `end` is set; how late it was woken at most.
async fn lateness(end: Arc<Event>) -> Duration {
    let mut late = Duration::ZERO;
    while !end.is_set() {
        let due = Instant::now() + Duration::from_micros(500);
        time::sleep_until(due).await;
        late = late.max(due.elapsed());
    }
    late
}

fn main() -> Result<(), Box<dyn Error>> {
    let numbers = numbers();
    let start = Instant::now();
    let expected: Vec<u64> = numbers.iter().map(|n| sum_of_squares(*n)).collect();
    show("one after the other", start, &expected, &expected);

    let processors = std::thread::available_parallelism()?.get();
    let pool = ThreadPool::new(processors);
    let start = Instant::now();
    let sums: Vec<u64> = pool.map(numbers.clone(), sum_of_squares).collect::<Result<_, _>>()?;
    show("ThreadPool::map", start, &sums, &expected);

    // Borrowed: this thread waits, and works, too.
    let start = Instant::now();
    let sums = scoped_map(&pool, &numbers, |n| sum_of_squares(*n));
    show("scoped_map", start, &sums, &expected);

    let runtime = Runtime::builder().current_thread().build()?;
    runtime.run(async {
        let end = Arc::new(Event::new());
        let watch = spawn(lateness(Arc::clone(&end)));
        let start = Instant::now();
        let sums = par_map(numbers.clone(), sum_of_squares).await;
        show("par_map, in a task", start, &sums, &expected);
        end.set();
        println!("  another task was {:.0?} late at most", watch.await?);
        Ok::<_, kasasagi::JoinError>(())
    })??;

    #[cfg(feature = "rayon")]
    {
        let start = Instant::now();
        let sums = runtime.run(kasasagi::par_map_on(&kasasagi::Rayon, numbers, sum_of_squares))?;
        show("par_map_on(&Rayon)", start, &sums, &expected);
    }
    Ok(())
}
