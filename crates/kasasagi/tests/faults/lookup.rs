//! What needs threads of the pool: names that are looked up, closures that block.

use crate::echo::{Notes, with_runtime};
use crate::outcome::{Outcome, Settings};
use kasasagi::spawn;
use kasasagi_blocking::{BlockingError, Pool};

/// Looks `localhost` up `n` times, five at once.
pub(crate) fn lookup(settings: &Settings) -> Outcome {
    let n = settings.number("n", 20);
    let notes = Notes::default();
    let main = async {
        let mut outcome = Outcome { wanted: n, ..Outcome::default() };
        for _ in 0..n / 5 {
            let tasks: Vec<_> =
                (0..5).map(|_| spawn(kasasagi::net::lookup_host("localhost:80"))).collect();
            for task in tasks {
                match task.await.expect("a lookup does not panic") {
                    Ok(_) => outcome.done += 1,
                    Err(error) => {
                        outcome.error("lookup", &error);
                        outcome.lost += 1;
                    }
                }
            }
        }
        outcome
    };
    let result = with_runtime(settings, &notes, main);
    let mut outcome = notes.take();
    outcome.add(result.unwrap_or_default());
    outcome
}

/// Hands `n` closures to the pool at once; each gives its result, or an error that says why not.
pub(crate) fn pool(settings: &Settings) -> Outcome {
    let n = settings.number("n", 60);
    let notes = Notes::default();
    let main = async {
        let pool = Pool::current().expect("a runtime has a pool");
        let mut outcome = Outcome { wanted: n, ..Outcome::default() };
        let closures: Vec<_> = (0..n)
            .map(|i| {
                pool.unblock(move || {
                    // Long enough that one thread is not enough for all.
                    std::thread::sleep(std::time::Duration::from_millis(1));
                    i
                })
            })
            .collect();
        for (i, closure) in (0..).zip(closures) {
            match closure.await {
                Ok(result) if result == i => outcome.done += 1,
                Ok(_) => outcome.fail("a closure gave another's result"),
                Err(BlockingError::NoThread(error)) => {
                    outcome.error("no_thread", &error);
                    outcome.lost += 1;
                }
                Err(error) => outcome.fail(error),
            }
        }
        outcome
    };
    let result = with_runtime(settings, &notes, main);
    let mut outcome = notes.take();
    outcome.add(result.unwrap_or_default());
    outcome
}
