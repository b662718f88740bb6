//! Tasks, timers and closures on runtimes of each size, all of which are gone when `main` returns. A program of its
//! own, so that valgrind sees nothing but the runtime: `.ci/valgrind`.

#![allow(unsafe_code, reason = "a planted fault, for `.ci/valgrind` to see that valgrind sees it")]

use kasasagi::time::{sleep, timeout};
use kasasagi::{FutureExt, Runtime, spawn, spawn_local, yield_now};
use std::future::pending;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(3600);

async fn main_of() -> usize {
    let mut ended = 0;
    for round in 0..20 {
        let counts = spawn(async move {
            yield_now().await;
            vec![round; 10].len()
        });
        let sleeps = spawn(sleep(SOON).named("sleeps"));
        let cancelled = spawn(sleep(LONG).named("cancelled"));
        let panics = spawn(async { resume_unwind(Box::new(String::from("planned"))) });
        let local = Rc::new(round);
        let stays = spawn_local(async move {
            yield_now().await;
            *local
        });
        drop(spawn(async { yield_now().await }));
        ended += counts.await.expect("it ends");
        sleeps.await.expect("it ends");
        cancelled.cancel();
        assert!(cancelled.await.is_err_and(|error| error.is_cancelled()));
        let panicked: Result<(), _> = panics.await;
        assert!(panicked.is_err_and(|error| error.is_panic()));
        assert_eq!(stays.await.expect("it ends"), round);
        assert!(timeout(SOON, pending::<()>()).await.is_err());
    }
    let pool = kasasagi_blocking::Pool::current().expect("a runtime has a pool");
    let closures: Vec<_> = (0..8).map(|n| pool.unblock(move || vec![n; 100])).collect();
    for closure in closures {
        ended += closure.await.expect("it ends").len();
    }
    // Left behind: cancelled when the runtime ends.
    drop(spawn(sleep(LONG)));
    drop(spawn(pending::<()>()));
    ended
}

fn plant(what: &str) {
    match what {
        "leak" => std::mem::forget(std::hint::black_box(vec![1_u8; 777])),
        "freed" => {
            let freed = std::hint::black_box(Box::new(7_u64));
            let at = &raw const *freed;
            drop(freed);
            // SAFETY: none; it was freed.
            std::hint::black_box(unsafe { std::hint::black_box(at).read() });
        }
        _ => {}
    }
}

fn main() {
    for workers in [1, 2, 4] {
        let runtime = Runtime::builder().workers(workers).build().expect("a runtime can be built");
        let outside = runtime.handle().spawn(async { 1 });
        assert_eq!(runtime.run(main_of()).expect("main ends"), 20 * 10 + 8 * 100);
        assert_eq!(runtime.handle().block_on(outside).expect("it ends"), 1);
        let report = runtime.shutdown(Duration::from_secs(60));
        assert!(report.is_clean(), "{report}");
    }
    assert_eq!(kasasagi::run(main_of()), 20 * 10 + 8 * 100);
    plant(&std::env::args().nth(1).unwrap_or_default());
    println!("tasks, timers and closures: all ended");
}
