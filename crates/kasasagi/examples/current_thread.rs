//! A runtime on one thread: tasks may share what is not `Send`, and the order of events is the same in each run.
//!
//! ```sh
//! cargo run --example current_thread
//! ```

use kasasagi::{Runtime, spawn_local, yield_now};
use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder().current_thread().build()?;
    let log = Rc::new(RefCell::new(Vec::new()));

    // It borrows `log`, and is polled on this thread only.
    runtime.run(async {
        let tasks: Vec<_> = ["kachi", "sasagi"]
            .map(|name| {
                let log = Rc::clone(&log);
                spawn_local(async move {
                    for step in 1..=2 {
                        log.borrow_mut().push(format!("{name} {step}"));
                        yield_now().await;
                    }
                })
            })
            .into();
        for task in tasks {
            task.await?;
        }
        Ok::<(), kasasagi::JoinError>(())
    })??;

    println!("{}", log.borrow().join(", "));
    assert_eq!(*log.borrow(), ["kachi 1", "sasagi 1", "kachi 2", "sasagi 2"]);

    // What is spawned from outside runs as well, on a thread that is started when there is a need for it.
    let task = runtime.handle().spawn(async { 6 * 7 });
    println!("{}", runtime.handle().block_on(task)?);
    println!("{}", runtime.shutdown(std::time::Duration::from_secs(1)));
    Ok(())
}
