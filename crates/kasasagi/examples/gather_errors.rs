//! Three ways to take errors: all of them, the first at once, the first with everything else stopped.
//!
//! ```sh
//! cargo run --example gather_errors
//! ```

use kasasagi::{FutureExt, Named, gather, time, try_gather};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// User 3 does not exist; who it is, is found out soon.
fn users(
    asked: &Arc<AtomicUsize>,
) -> Vec<Named<impl Future<Output = Result<u32, String>> + use<>>> {
    let user = |id: u32| {
        let asked = Arc::clone(asked);
        let user = async move {
            time::sleep(Duration::from_millis(if id == 3 { 5 } else { 30 })).await;
            asked.fetch_add(1, Ordering::Relaxed);
            if id == 3 { Err(format!("no user {id}")) } else { Ok(id) }
        };
        user.named(format!("user-{id}"))
    };
    (1..=5).map(user).collect()
}

fn main() {
    kasasagi::run(async {
        let asked = Arc::new(AtomicUsize::new(0));

        // Everything, errors in their places: asyncio's `return_exceptions=True`.
        for (place, result) in gather(users(&asked)).await.into_iter().enumerate() {
            match result {
                Ok(Ok(user)) => println!("{place}: user {user}"),
                Ok(Err(error)) => println!("{place}: {error}"),
                Err(ended) => println!("{place}: {ended}"),
            }
        }

        // The first error, at once: asyncio's default. The others are not stopped.
        asked.store(0, Ordering::Relaxed);
        match gather(users(&asked)).first_error().await {
            Ok(users) => println!("{users:?}"),
            Err(error) => println!("{error}; {} asked so far", asked.load(Ordering::Relaxed)),
        }
        time::sleep(Duration::from_millis(60)).await;
        println!("a while later, {} were asked: they ran on", asked.load(Ordering::Relaxed));

        // The first error, and nothing goes on behind our back.
        asked.store(0, Ordering::Relaxed);
        if let Err(error) = try_gather(users(&asked)).await {
            println!("{} failed: {:?}", error.name(), error.error());
        }
        time::sleep(Duration::from_millis(60)).await;
        println!(
            "a while later, {} was asked: the rest was cancelled",
            asked.load(Ordering::Relaxed)
        );
    });
}
