//! The least program: two tasks, and what they give.
//!
//! ```sh
//! cargo run --example hello
//! ```

use kasasagi::{FutureExt, spawn, time};
use std::time::Duration;

fn main() {
    let greeting = kasasagi::run(async {
        let hello = async {
            time::sleep(Duration::from_millis(20)).await;
            "hello"
        };
        let hello = spawn(hello.named("greeter"));
        let world = spawn(async { "world" });
        // They run beside each other, and both beside this.
        match (hello.await, world.await) {
            (Ok(hello), Ok(world)) => format!("{hello}, {world}"),
            (Err(error), _) | (_, Err(error)) => format!("no greeting: {error}"),
        }
    });
    println!("{greeting}");
}
