//! Bars for what takes its time: tasks as they end, what a pool maps, any stream. In a pipe nothing of them is written.
//!
//! ```sh
//! cargo run --example progress --features progress
//! ```

use futures_util::StreamExt;
use kasasagi::{ThreadPool, as_completed, stream, time, to_thread};
use std::time::Duration;

async fn fetch(page: u64) -> u64 {
    time::sleep(Duration::from_millis(20 * (page % 7))).await;
    page
}

fn sum_of_squares(n: u64) -> u64 {
    (0..n).map(|i| i.wrapping_mul(i)).fold(0, u64::wrapping_add)
}

fn main() {
    kasasagi::run(async {
        let mut pages = as_completed((0..40).map(fetch)).progress("pages");
        let mut fetched = 0;
        while let Some(page) = pages.next().await {
            page.expect("a page comes");
            fetched += 1;
        }
        println!("{fetched} pages");

        let pool = ThreadPool::new(2);
        let sums = pool.map((1..=40).map(|n| n * 20_000), sum_of_squares).into_stream();
        let sums = stream::progress(sums, "sums").filter_map(async |sum| sum.ok());
        println!("{} sums", sums.count().await);

        // On a thread a map is an iterator, and has its bar there.
        let lengths = move || pool.map(["one", "two", "three"], str::len).progress("words").count();
        println!("{} words", to_thread(lengths).await.expect("they are counted"));
    });
}
