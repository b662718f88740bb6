//! Runtimes: for one future, for several, without one, one inside another, and from a thread outside.
//!
//! ```sh
//! cargo run --example runtimes
//! ```

use kasasagi::{Handle, Runtime, spawn, task, time};
use std::error::Error;
use std::panic::catch_unwind;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    once();
    several_times()?;
    nested()?;
    from_a_thread()?;
    Ok(())
}

/// `asyncio.run`: a runtime for one future. Each call makes its own, and leaves nothing of it.
fn once() {
    for round in 1..=2 {
        let value = kasasagi::run(async move {
            drop(spawn(time::sleep(Duration::from_secs(3600)))); // cancelled at the end, and awaited
            round * 21
        });
        println!("run {round}: {value}");
    }
    println!("no runtime here: {}", Handle::try_current().is_err());
}

/// `asyncio.Runner`, or a loop of one's own with `run_until_complete` and `close`: tasks live on between two runs.
fn several_times() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder().workers(2).name("errands").build()?;
    let task = runtime.run(async {
        spawn(async {
            time::sleep(Duration::from_millis(5)).await;
            "begun in the first run, awaited in the second"
        })
    })?;
    println!("{}", runtime.run(task)??);

    runtime.run(async { drop(spawn(time::sleep(Duration::from_secs(3600)))) })?;
    let report = runtime.shutdown(Duration::from_secs(1));
    println!(
        "at the end {} task was left; all ended: {}",
        report.cancelled.len(),
        report.is_clean()
    );
    Ok(())
}

/// `asyncio.run() cannot be called from a running event loop`: here neither. Inside, there is `await`.
fn nested() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder().workers(1).build()?;
    let other = Runtime::new()?;
    runtime.run(async {
        match other.run(async { 1 }) {
            Ok(value) => println!("nested: {value}"),
            Err(error) => println!("refused: {error}"),
        }
        println!("awaited instead: {}", async { 1 }.await);
        println!("this is `{}`", task::current().name());
    })?;
    Ok(())
}

/// `run_coroutine_threadsafe`: a thread that is no worker spawns with a handle, and may block until there is a result.
fn from_a_thread() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    let handle = runtime.handle();
    let thread = std::thread::spawn(move || {
        let task = handle.spawn(async { 40 });
        handle.block_on(async { task.await.map(|n| n + 2) })
    });
    let answer = thread.join().map_err(|_| "the thread panicked")??;
    println!("from a thread: {answer}");

    // Where no runtime runs, a spawn says so and what to write instead.
    std::panic::set_hook(Box::new(|_| ()));
    let refused = catch_unwind(|| drop(spawn(async {})));
    drop(std::panic::take_hook());
    let why = refused.expect_err("no runtime runs on this thread");
    println!("refused: {}", why.downcast_ref::<String>().map_or("", |text| text));
    Ok(())
}
