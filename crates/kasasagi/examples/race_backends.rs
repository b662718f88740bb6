//! Asks several servers and takes the fastest answer; the others have ended, clean-up included, when it is there.
//!
//! ```sh
//! cargo run --example race_backends
//! ```

use kasasagi::{catch_cancel, race, shield, spawn, time};
use std::time::{Duration, Instant};

async fn ask(backend: &'static str, millis: u64) -> (&'static str, u64) {
    let answer = async {
        time::sleep(Duration::from_millis(millis)).await;
        (backend, millis)
    };
    match catch_cancel(answer).await {
        Ok(answer) => answer,
        Err(cancelled) => {
            // The loser says goodbye to its server, and that takes a moment.
            time::sleep(Duration::from_millis(2)).await;
            println!("{backend}: closed");
            cancelled.rethrow().await
        }
    }
}

fn main() {
    kasasagi::run(async {
        let start = Instant::now();
        let (backend, millis) =
            race([ask("frankfurt", 40), ask("tokyo", 8), ask("virginia", 25)]).await;
        println!("{backend} answered after {millis} ms; all over after {:.0?}", start.elapsed());

        // A hedge: a second request if the first takes too long. It is shielded, so it may still win.
        let mut first = spawn(ask("frankfurt", 12));
        let patience = Duration::from_millis(5);
        let answer = match time::timeout(patience, shield(first.by_ref())).await {
            Ok(answer) => answer.ok(),
            Err(_) => Some(race([first, spawn(ask("virginia", 30))]).await),
        };
        println!("hedged: {answer:?}");
    });
}
