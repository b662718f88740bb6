//! Ctrl-C cancels main, so that it cleans up; pressed again, it does not wait for that.
//!
//! A program that is run by `kasasagi::run` needs nothing for it. This one says goodbye with words of its own, so it
//! builds a runtime. It presses Ctrl-C by itself; `-- wait` leaves that to you.
//!
//! ```sh
//! cargo run --example interrupt
//! ```

use kasasagi::{RunError, Runtime, catch_cancel, finally, spawn, time};
use std::error::Error;
use std::process::Command;
use std::time::Duration;

/// A worker with a connection that has to be closed.
async fn serve(name: &'static str) {
    let goodbye = async move {
        time::sleep(Duration::from_millis(5)).await;
        println!("{name}: closed");
    };
    finally(time::sleep(Duration::from_secs(3600)), goodbye).await;
}

async fn program() -> &'static str {
    let workers = ["a", "b"].map(|name| spawn(serve(name)));
    println!("at work; Ctrl-C ends it");
    let work = async {
        for worker in workers {
            let _ = worker.await;
        }
        "an hour is over"
    };
    match catch_cancel(work).await {
        Ok(done) => done,
        Err(cancelled) => {
            println!("main: cleaning up, since {cancelled}");
            time::sleep(Duration::from_millis(20)).await;
            println!("main: cleaned up");
            // Whoever does not pass it on goes on working, as if nobody had pressed anything.
            cancelled.rethrow().await
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let wait = std::env::args().any(|argument| argument == "wait");
    let runtime = Runtime::builder().handle_ctrl_c(true).build()?;
    let run = runtime.run(async {
        if !wait && !cfg!(unix) {
            return "there are no signals here";
        }
        if !wait {
            drop(spawn(async {
                time::sleep(Duration::from_millis(20)).await;
                let me = std::process::id().to_string();
                let sent = Command::new("kill").args(["-INT", &me]).status();
                assert!(sent.is_ok_and(|status| status.success()), "`kill` is there");
            }));
        }
        program().await
    });
    match run {
        Ok(done) => println!("{done}"),
        Err(RunError::Interrupted) => println!("interrupted; everything was cleaned up"),
        Err(error) => return Err(error.into()),
    }
    // The tasks that main left are cancelled here, and have their cleanups too.
    println!(
        "{}",
        if runtime.shutdown(Duration::from_secs(1)).is_clean() { "all ended" } else { "?" }
    );
    Ok(())
}
