//! A result that one task promises and others wait for: `loop.create_future` of asyncio.
//!
//! Run with `cargo run --example future_result`.

use kasasagi::time::{Duration, sleep};
use kasasagi::{Handle, PromiseError, promise, spawn};

fn main() {
    kasasagi::run(async {
        // Set by a task; everybody who waits gets it.
        let (answer, pending) = promise::<i32, String>();
        drop(spawn(async move {
            sleep(Duration::from_millis(10)).await;
            answer.set_result(42).expect("it is kept once");
        }));
        let waiters: Vec<_> = (0..3).map(|_| spawn(pending.clone())).collect();
        for waiter in waiters {
            println!("a waiter got {:?}", waiter.await.expect("it ends"));
        }

        // Set by a timer.
        let (done, pending) = promise::<&str, String>();
        Handle::current().call_later(Duration::from_millis(5), move || {
            done.set_result("done").expect("it is kept once");
        });
        println!("the timer said {:?}", pending.await);

        // An error, a broken promise, a cancelled one: nobody hangs.
        let (failed, pending) = promise::<i32, String>();
        failed.set_error("no answer".into()).expect("it is kept once");
        assert_eq!(pending.await, Err(PromiseError::Failed("no answer".into())));
        let (broken, pending) = promise::<i32, String>();
        drop(broken);
        println!("a broken promise: {}", pending.await.expect_err("it was dropped"));
        let (late, pending) = promise::<i32, String>();
        pending.cancel();
        println!("set after the cancel: {:?}", late.set_result(1).map_err(|refused| refused.0));
    });
}
