//! Many things at once, and their results in order: three requests take as long as the slowest.
//!
//! ```sh
//! cargo run --example gather
//! ```

use kasasagi::{gather, map_concurrent, time};
use std::time::{Duration, Instant};

async fn fetch(page: &'static str, millis: u64) -> String {
    time::sleep(Duration::from_millis(millis)).await;
    format!("{page} after {millis} ms")
}

fn main() {
    kasasagi::run(async {
        let start = Instant::now();
        // A known few, even of different types: each result is a `Result`, since a task may panic.
        let (slow, fast, length) = gather!(fetch("slow", 30), fetch("fast", 10), async {
            fetch("medium", 20).await.len()
        },)
        .await;
        println!("{slow:?}, {fast:?}, {length:?}");
        println!("three requests took {:.0?}", start.elapsed());

        // As many as there are: the results stand where their arguments stood.
        let numbers = [1, 2, 3, 4, 5];
        let doubled = gather(numbers.map(|n| async move {
            time::sleep(Duration::from_millis(10 - n)).await;
            n * 2
        }))
        .await;
        let doubled: Vec<_> = doubled.into_iter().flatten().collect();
        assert_eq!(doubled, [2, 4, 6, 8, 10]);
        println!("{doubled:?}");

        // A thousand, and no more than a hundred at a time.
        let start = Instant::now();
        let squares = map_concurrent(0..1000_u64, 100, |n| async move {
            time::sleep(Duration::from_millis(1)).await;
            n * n
        })
        .await;
        println!("{} squares in {:.0?}", squares.len(), start.elapsed());
    });
}
