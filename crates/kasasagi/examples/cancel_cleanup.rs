//! A cancelled task cleans up, as long as it takes, and passes the cancellation on.
//!
//! ```sh
//! cargo run --example cancel_cleanup
//! ```

use kasasagi::{catch_cancel, spawn, time};
use std::time::Duration;

async fn transfer() -> &'static str {
    let upload = async {
        time::sleep(Duration::from_secs(60)).await;
        "uploaded"
    };
    match catch_cancel(upload).await {
        Ok(done) => done,
        Err(cancelled) => {
            println!("cleaning up, since {cancelled}");
            time::sleep(Duration::from_millis(20)).await;
            println!("cleaned up");
            cancelled.rethrow().await
        }
    }
}

fn main() {
    kasasagi::run(async {
        let task = spawn(transfer());
        time::sleep(Duration::from_millis(20)).await;
        task.cancel_with("the user left");
        // It goes on once the cleanup has ended.
        match task.await {
            Ok(done) => println!("{done}"),
            Err(error) => println!("{error}"),
        }

        // A timeout waits for the cleanup too.
        let limited = time::timeout(Duration::from_millis(20), transfer()).await;
        println!("in time: {}", limited.is_ok());
    });
}
