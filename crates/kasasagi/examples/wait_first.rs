//! Takes the first of several, then decides what becomes of the others.
//!
//! ```sh
//! cargo run --example wait_first
//! ```

use kasasagi::{FutureExt, ReturnWhen, Task, spawn, time, wait};
use std::time::Duration;

fn worker(name: &'static str, millis: u64) -> Task<&'static str> {
    let work = async move {
        time::sleep(Duration::from_millis(millis)).await;
        name
    };
    spawn(work.named(name))
}

fn main() {
    kasasagi::run(async {
        let tasks = [worker("a", 30), worker("b", 5), worker("c", 15)];

        // `wait` stops waiting, and stops nothing else.
        let waited = wait(tasks).until(ReturnWhen::FirstCompleted).await;
        for task in waited.done {
            println!("first: {:?}", task.await);
        }
        println!("{} go on", waited.pending.len());

        // The rest have a limit.
        let waited = wait(waited.pending).timeout(Duration::from_millis(20)).await;
        for task in waited.done {
            println!("in time: {:?}", task.await);
        }
        for task in waited.pending {
            println!("too late: {}", task.name());
            task.cancel();
        }

        // Until something goes wrong, or all have ended.
        let job = |name, millis, result| {
            let job = async move {
                time::sleep(Duration::from_millis(millis)).await;
                result
            };
            spawn(job.named(name))
        };
        let jobs =
            [job("good", 2, Ok(1)), job("bad", 4, Err("no twigs")), job("slow", 60_000, Ok(3))];
        let waited = wait(jobs).first_error().await;
        for task in waited.done {
            println!("ended: `{}`, {:?}", task.name(), task.await);
        }
        for task in waited.pending {
            println!("not worth while any more: {}", task.name());
            task.cancel();
        }

        // A wait that only borrows its tasks loses none of them, not even when it is cancelled.
        let mut tasks = vec![worker("d", 20), worker("e", 20)];
        let waiting = wait(tasks.iter_mut().map(Task::by_ref));
        let in_time = time::timeout(Duration::from_millis(2), waiting).await.is_ok();
        println!("both in time: {in_time}");
        for task in tasks {
            println!("still there: {:?}", task.await);
        }
    });
}
