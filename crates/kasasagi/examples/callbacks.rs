//! Callbacks: soon, later, at the end of a task; and taken back.
//!
//! ```sh
//! cargo run --example callbacks
//! ```

use kasasagi::{FutureExt, Handle, spawn, time};
use std::time::Duration;

fn main() {
    kasasagi::run(async {
        let handle = Handle::current();
        handle.call_later(Duration::from_millis(20), || println!("after 20 ms"));
        handle.call_later(Duration::from_millis(10), || println!("after 10 ms"));
        handle.call_soon(|| println!("soon"));
        let never = handle.call_later(Duration::from_secs(60), || println!("never"));
        println!("taken back: {}", never.cancel());

        let task = spawn(time::sleep(Duration::from_millis(5)).named("nap"));
        task.on_done(|task| println!("{} has ended", task.name()));
        let id = task.on_done(|_| println!("not called"));
        println!("removed: {}", task.remove_on_done(id));
        println!("awaited: {:?}", task.await.is_ok());
        time::sleep(Duration::from_millis(40)).await;
    });
}
