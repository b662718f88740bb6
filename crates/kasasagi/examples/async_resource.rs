//! A connection that is opened and closed with `await`, and rows that come one after the other: `async with` around
//! `async for`. The exit runs after a value, an error and a cancellation.
//!
//! ```sh
//! cargo run --example async_resource
//! ```

use futures_util::{Stream, StreamExt};
use kasasagi::{Exit, Outcome, Resource, spawn, stream, time, with};
use std::pin::pin;
use std::time::Duration;

const MOMENT: Duration = Duration::from_millis(5);

struct Database {
    name: &'static str,
    is_open: bool,
}

impl Resource for Database {
    type Error = String;

    /// `__aenter__`. If it fails, or is cancelled, there is nothing to leave.
    async fn enter(&mut self) -> Result<(), String> {
        time::sleep(2 * MOMENT).await;
        if self.name == "nowhere" {
            return Err("no such host".into());
        }
        self.is_open = true;
        println!("{}: open", self.name);
        Ok(())
    }

    /// `__aexit__`: told how the body ended, and asked what becomes of that.
    async fn exit(self, outcome: &Outcome<String>) -> Exit {
        time::sleep(MOMENT).await;
        println!("{}: closed, after {outcome:?}", self.name);
        match outcome {
            Outcome::Err(error) if error == "not worth mentioning" => Exit::Suppress,
            _ => Exit::Propagate,
        }
    }
}

impl Database {
    fn of(name: &'static str) -> Self {
        Self { name, is_open: false }
    }

    /// A cursor: executes first, and then gives row after row.
    async fn execute(
        &self,
        _query: &str,
    ) -> Result<impl Stream<Item = &'static str> + use<>, String> {
        if !self.is_open {
            return Err("not open".into());
        }
        time::sleep(MOMENT).await;
        Ok(stream::from_fn(|rows| async move {
            for row in ["Alice", "Bob", "Charlie"] {
                time::sleep(MOMENT).await;
                rows.emit(row).await;
            }
        }))
    }
}

/// The body borrows the resource, so nobody can use it after its exit.
async fn names(database: &mut Database) -> Result<Vec<&'static str>, String> {
    let mut rows = pin!(database.execute("SELECT name FROM users").await?);
    let mut names = Vec::new();
    while let Some(row) = rows.next().await {
        println!("  {row}");
        names.push(row);
    }
    Ok(names)
}

fn main() {
    kasasagi::run(async {
        println!("{:?}", with(Database::of("users"), async |users| names(users).await).await);

        // It could not be entered: no body, no exit.
        println!("{:?}", with(Database::of("nowhere"), async |users| names(users).await).await);

        // An error goes on, once the connection is closed; unless the exit says that it ends here.
        for error in ["disk full", "not worth mentioning"] {
            let failed = with(Database::of("orders"), async |_| Err::<(), _>(error.to_owned()));
            println!("{:?}", failed.await);
        }

        // Two at a time, one inside the other: closed in the opposite order.
        let nested = with(Database::of("outer"), async |_| {
            with(Database::of("inner"), async |_| Ok("both were open")).await
        });
        println!("{:?}", nested.await);

        // A cancellation has the exit wait as well; the task is not done before.
        let task = spawn(async {
            with(Database::of("logs"), async |_| {
                time::sleep(Duration::from_secs(3600)).await;
                Ok(())
            })
            .await
        });
        time::sleep(6 * MOMENT).await;
        task.cancel_with("enough read");
        println!("{:?}", task.await.map_err(|error| error.to_string()));
    });
}
