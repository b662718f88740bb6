//! Many wait for one signal: an event.
//!
//! A server warms up while its clients wait outside; it opens, closes for a moment, and opens again.
//!
//! ```sh
//! cargo run --example event
//! ```

use kasasagi::sync::Event;
use kasasagi::{FutureExt, JoinError, spawn, time};
use std::sync::Arc;
use std::time::Duration;

async fn client(n: u32, open: Arc<Event>) -> u32 {
    // Over at once if it is set already.
    open.wait().await;
    println!("client {n} is served");
    n
}

fn main() -> Result<(), JoinError> {
    kasasagi::run(async {
        let open = Arc::new(Event::new());
        let early: Vec<_> = (1..=3)
            .map(|n| spawn(client(n, Arc::clone(&open)).named(format!("client-{n}"))))
            .collect();

        println!("warming up");
        time::sleep(Duration::from_millis(10)).await;
        open.set();
        // All who wait are let through, though it is cleared at once; who comes now waits.
        open.clear();
        for client in early {
            client.await?;
        }

        let late = spawn(client(4, Arc::clone(&open)));
        let waited = time::timeout(Duration::from_millis(10), open.wait()).await;
        println!("closed: {}, and nobody got in", waited.is_err());
        assert!(!late.is_finished());

        // From any thread, a plain one too.
        let opener = Arc::clone(&open);
        std::thread::spawn(move || opener.set());
        assert_eq!(late.await?, 4);
        Ok(())
    })
}
