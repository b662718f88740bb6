//! Calls that are made later: soon, at a moment, when a task is done; and context variables.
//!
//! Run with `cargo run --example callbacks`.

use kasasagi::time::{Duration, sleep};
use kasasagi::{Handle, context_var, spawn};

context_var! {
    /// For whom the program works.
    static USER: &'static str = "nobody";
}

fn main() {
    kasasagi::run(async {
        let handle = Handle::current();
        USER.set("ada");
        handle.call_soon(|| println!("soon, for {}", USER.get()));
        handle.call_later(Duration::from_millis(5), || println!("later, for {}", USER.get()));
        let never = handle.call_later(Duration::from_millis(5), || unreachable!("taken back"));
        assert!(never.cancel() && never.is_cancelled());

        // Children get a copy: what they set is theirs.
        let task = spawn(async {
            USER.set("grace");
            USER.get()
        });
        task.on_done(|task| println!("{} is done, says a callback of {}", task.name(), USER.get()));
        println!("the task worked for {}", task.await.expect("it ends"));
        println!("and main works for {}", USER.get());
        sleep(Duration::from_millis(20)).await;
    });
}
