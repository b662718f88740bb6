//! Tasks that belong together: all end before the group does, and one failure ends them all.
//!
//! ```sh
//! cargo run --example task_group
//! ```

use kasasagi::{FutureExt, TaskGroup, time};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

async fn fetch(name: &'static str, millis: u64) -> Result<u64, String> {
    time::sleep(Duration::from_millis(millis)).await;
    if name == "broken" { Err("connection refused".to_owned()) } else { Ok(millis) }
}

fn main() {
    kasasagi::run(async {
        // The values are there when they are awaited; whatever is not awaited is waited for all the same.
        let sum = TaskGroup::scope(|tg| async move {
            let users = tg.spawn(fetch("users", 20));
            let orders = tg.spawn(fetch("orders", 10));
            tg.spawn(async { println!("a child that nobody awaits") });
            Ok::<_, String>(users.await.unwrap_or(0) + orders.await.unwrap_or(0))
        });
        println!("sum: {:?}", sum.await);

        // One fails: its siblings are cancelled, the body is dropped where it waits, and every error has its name.
        let failed = TaskGroup::<String>::scope(|tg| async move {
            tg.spawn(fetch("slow", 60_000).named("slow"));
            tg.spawn(fetch("broken", 5).named("broken"));
            time::sleep(Duration::from_secs(60)).await;
            Ok(())
        });
        if let Err(error) = failed.await {
            println!("{error}");
        }

        // Children may spawn more, and a limit holds back those that are too many.
        let total = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&total);
        let tree = TaskGroup::<String>::scope(|tg| async move {
            tg.limit(4);
            for n in 1..=3 {
                let (tg, count) = (tg.clone(), Arc::clone(&count));
                tg.clone().spawn(async move {
                    for m in 1..=n {
                        let count = Arc::clone(&count);
                        tg.spawn(async move {
                            time::sleep(Duration::from_millis(m)).await;
                            count.fetch_add(m, Ordering::Relaxed);
                        });
                    }
                });
            }
            Ok(())
        });
        println!("{:?}: {}", tree.await, total.load(Ordering::Relaxed));

        // Found what was looked for: the others need not go on.
        let found = TaskGroup::<String>::scope(|tg| async move {
            let first = tg.spawn(fetch("near", 5));
            tg.spawn(fetch("far", 60_000));
            let first = first.await;
            tg.cancel();
            Ok(first)
        });
        println!("found: {:?}", found.await);
    });
}
