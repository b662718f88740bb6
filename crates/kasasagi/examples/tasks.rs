//! What a task is: a coroutine that was started, has a name, can be asked how it is, and awaited when it suits.
//!
//! ```sh
//! cargo run --example tasks
//! ```

use kasasagi::{FutureExt, JoinError, Runtime, spawn, task, time, yield_now};
use std::error::Error;
use std::time::Duration;

async fn fetch(id: u32) -> Result<String, String> {
    time::sleep(Duration::from_secs(2)).await;
    if id % 2 == 0 { Err(format!("{id} is even")) } else { Ok(format!("data {id}")) }
}

/// Runs it where two seconds take no time.
fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder().current_thread().virtual_time().build()?;
    runtime.run(async {
        lazy().await;
        one_after_the_other_or_together().await?;
        order().await?;
        asked().await;
        Ok::<(), JoinError>(())
    })??;
    Ok(())
}

/// Calling an `async fn` makes a future, and does nothing else. Awaiting it runs it, here; spawning it runs it as a task.
async fn lazy() {
    let start = time::now();
    let future = fetch(1);
    assert_eq!(time::now(), start, "nobody has fetched anything");
    println!("{:?} after {:?}", future.await, time::now() - start);
}

/// What is only awaited comes one after the other; what was spawned before it is awaited runs meanwhile.
async fn one_after_the_other_or_together() -> Result<(), JoinError> {
    let start = time::now();
    for id in [1, 2, 3] {
        let _ = fetch(id).await;
    }
    println!("three futures, awaited: {:?}", time::now() - start);

    let start = time::now();
    let tasks = [1, 2, 3].map(|id| spawn(fetch(id)));
    for task in tasks {
        // The outer `?` is for a panic or a cancellation; the inner `Result` is the program's own.
        match task.await? {
            Ok(data) => println!("  {data}"),
            Err(error) => println!("  failed: {error}"),
        }
    }
    println!("three tasks, awaited: {:?}", time::now() - start);
    Ok(())
}

/// A task is due at once, and begins when there is a worker for it: on one thread, when this task waits.
async fn order() -> Result<(), JoinError> {
    let background = spawn(async {
        println!("2 the background work begins");
        time::sleep(Duration::from_secs(1)).await;
        println!("4 the background work is done");
    });
    println!("1 spawned; something else first");
    yield_now().await;
    println!("3 something else is done");
    background.await
}

/// What asyncio's `done`, `result`, `exception`, `cancel` and `add_done_callback` are here.
async fn asked() {
    let mut task = spawn(fetch(3).named("long operation"));
    task.on_done(|task| println!("callback: `{}` is done", task.name()));
    println!("`{}` is done: {}", task.name(), task.is_finished());
    println!("its output so far: {:?}", task.try_take());
    for info in task::all() {
        println!("  {}: {}", info.name, info.state.as_str());
    }
    // `&mut task` keeps the handle; a plain `task` gives it up.
    println!("awaited: {:?}", (&mut task).await);
    println!("is done: {}, was cancelled: {}", task.is_finished(), task.is_cancelled());

    let task = spawn(fetch(5).named("unwanted"));
    task.cancel_with("nobody wants it");
    match task.await {
        Ok(output) => println!("{output:?}"),
        Err(error) => println!("{error} (cancelled: {})", error.is_cancelled()),
    }
}
