//! A promise: one side keeps it, everybody who waits for the other gets the result.
//!
//! ```sh
//! cargo run --example future_result
//! ```

use kasasagi::{promise, spawn, time};
use std::time::Duration;

fn main() {
    kasasagi::run(async {
        let (promise, pending) = promise::<_, String>();
        println!("before: {:?}", pending.state());
        let waiting = [1, 2].map(|n| {
            let pending = pending.clone();
            spawn(async move { println!("{n} got {:?}", pending.await) })
        });
        let keeper = spawn(async move {
            time::sleep(Duration::from_millis(20)).await;
            println!("kept: {:?}, again: {:?}", promise.set_result(42), promise.set_result(43));
        });
        for task in waiting.into_iter().chain([keeper]) {
            if let Err(error) = task.await {
                println!("{error}");
            }
        }
        println!("after: {:?} {:?}", pending.state(), pending.result());

        let (promise, pending) = kasasagi::promise::<u32, _>();
        println!("set: {:?}", promise.set_error("out of numbers".to_owned()));
        println!("failed: {:?}", pending.await);

        let (promise, pending) = kasasagi::promise::<u32, String>();
        drop(promise);
        println!("broken: {:?}", pending.await);
    });
}
