//! Limits in time, limits that move, and a task that a limit does not reach.
//!
//! ```sh
//! cargo run --example timeout_and_shield
//! ```

use kasasagi::{shield, spawn, time};
use std::time::Duration;

async fn work(millis: u64) -> u64 {
    time::sleep(Duration::from_millis(millis)).await;
    millis
}

fn main() {
    kasasagi::run(async {
        let limit = Duration::from_millis(20);
        println!("quick: {:?}", time::timeout(limit, work(1)).await);
        println!("slow: {:?}", time::timeout(limit, work(60_000)).await);

        let patient = time::timeout_scope(limit, |scope| async move {
            let first = work(1).await;
            let later = time::now() + Duration::from_secs(60);
            scope.reschedule(later).map(|()| first).ok()
        });
        println!("moved: {:?}", patient.await);

        let mut save = spawn(work(60));
        let early = time::timeout(limit, shield(save.by_ref())).await;
        println!("shielded: over in time: {}", early.is_ok());
        println!("the task went on: {:?}", save.await.ok());
    });
}
