//! Tasks in the background: started and forgotten, watched, or kept together and ended with their owner.
//!
//! ```sh
//! cargo run --example background_tasks
//! ```

use kasasagi::{FutureExt, TaskGroup, spawn, task, time};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

fn main() {
    kasasagi::run(async {
        // Fire and forget: it runs whether anybody keeps the handle or not.
        let sent = Arc::new(AtomicU32::new(0));
        for n in 1..=3 {
            let sent = Arc::clone(&sent);
            drop(spawn(
                async move {
                    time::sleep(Duration::from_millis(n)).await;
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                .named(format!("mail-{n}")),
            ));
        }
        let names: Vec<_> = task::all().into_iter().map(|task| task.name.to_string()).collect();
        println!("running: {names:?}");
        while sent.load(Ordering::Relaxed) < 3 {
            time::sleep(Duration::from_millis(1)).await;
        }
        println!("three mails were sent");

        // A heartbeat beside the work, which ends with it: a group that its body cancels.
        let beats = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&beats);
        let worked = TaskGroup::<String>::scope(|tg| async move {
            let heartbeat = async move {
                let mut ticks = time::interval(Duration::from_millis(5));
                loop {
                    ticks.tick().await;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            };
            tg.spawn(heartbeat.named("heartbeat"));
            time::sleep(Duration::from_millis(30)).await;
            tg.cancel();
            Ok("work done")
        });
        println!("{:?}, the heart still beat: {}", worked.await, beats.load(Ordering::Relaxed) > 0);

        // Nothing is left behind but what was detached on purpose; leaving `run` cancels that.
        println!("left: {}", task::all().len() - 1);
    });
}
