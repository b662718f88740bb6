//! Context variables: each task has its own values, and begins with those of the one that spawned it.
//!
//! ```sh
//! cargo run --example context_vars
//! ```

use kasasagi::{Context, spawn, yield_now};

kasasagi::context_var! {
    /// Which request this is.
    static REQUEST: u64 = 0;
}

async fn handle(request: u64) -> String {
    REQUEST.set(request);
    yield_now().await;
    let child = spawn(async { REQUEST.get() }).await;
    format!("request {}, in a child {:?}", REQUEST.get(), child.ok())
}

fn main() {
    kasasagi::run(async {
        for task in [1, 2, 3].map(|n| spawn(handle(n))) {
            println!("{:?}", task.await.ok());
        }
        println!("here it is still {}", REQUEST.get());

        let copy = Context::current().copy();
        copy.run(|| REQUEST.set(7));
        println!("in the copy {}, here {}", copy.run(|| REQUEST.get()), REQUEST.get());
    });
}
