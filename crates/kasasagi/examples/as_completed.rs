//! Results as they come, with a count, and with a limit in time.
//!
//! ```sh
//! cargo run --example as_completed
//! ```

use kasasagi::{FutureExt, as_completed, time};
use std::time::Duration;

async fn search(engine: &'static str, millis: u64) -> &'static str {
    time::sleep(Duration::from_millis(millis)).await;
    engine
}

fn main() {
    kasasagi::run(async {
        let engines = [("Google", 15), ("Bing", 20), ("DuckDuckGo", 10)];

        let mut answers = as_completed(engines.map(|(name, millis)| search(name, millis)));
        let all = answers.len();
        while let Some(answer) = answers.next().await {
            println!("{}/{all}: {answer:?}", all - answers.len());
        }

        // Which task it was, for those who want to know.
        let named = engines.map(|(name, millis)| search(name, millis).named(name));
        let mut answers = as_completed(named);
        while let Some(task) = answers.next_task().await {
            println!("{} is done", task.name());
        }

        // Until the time is over; what is left runs on, and can be had.
        let mut answers = as_completed(engines.map(|(name, millis)| search(name, millis)))
            .timeout(Duration::from_millis(12));
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(answer) => println!("in time: {answer:?}"),
                Err(elapsed) => println!("{elapsed}"),
            }
        }
        for task in answers.into_pending() {
            println!("late: {:?}", task.await);
        }
    });
}
