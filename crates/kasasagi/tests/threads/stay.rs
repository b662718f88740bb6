//! A pool's thread is in the runtime of the closure that it runs, and keeps none when it rests.

use crate::support::eventually;
use kasasagi::{Handle, Runtime, ThreadPool, run_in_executor};
use std::sync::Arc;

fn named(name: &str) -> Runtime {
    Runtime::builder().workers(2).name(name).build().expect("a runtime can be built")
}

fn here() -> Option<String> {
    Handle::try_current().ok().map(|handle| handle.name().to_owned())
}

#[test]
fn each_closure_is_in_its_own_runtime_whatever_the_thread_did_before() {
    let pool = ThreadPool::new(1);
    let (first, second) = (named("first"), named("second"));
    let one = || async { run_in_executor(&pool, here).await.expect("it ends") };
    for _ in 0..1_000 {
        assert_eq!(first.run(one()).expect("main ends").as_deref(), Some("first"));
        assert_eq!(second.run(one()).expect("main ends").as_deref(), Some("second"));
        assert_eq!(pool.submit(here).wait().ok(), Some(None), "a thread without a runtime asked");
    }
    // Without a pause in between.
    let handles = [Some(first.handle()), None, Some(second.handle()), Some(second.handle()), None];
    let submitted: Vec<_> = (0..1_000)
        .map(|i| {
            let name = handles[i % 5].as_ref().map(|handle| handle.name().to_owned());
            let seen = match &handles[i % 5] {
                Some(handle) => handle.run_in_executor(&pool, here),
                None => first.handle().run_in_executor(&pool, || Some("first".to_owned())),
            };
            (name.or(Some("first".to_owned())), seen, pool.submit(here))
        })
        .collect();
    for (name, seen, outside) in submitted {
        assert_eq!(first.run(seen).expect("main ends").expect("it ends"), name);
        assert_eq!(outside.wait().ok(), Some(None));
    }
}

#[test]
fn a_thread_that_rests_keeps_no_runtime() {
    let pool = ThreadPool::new(1);
    let token = Arc::new(());
    let kept = Arc::clone(&token);
    let hook = move |_: &kasasagi::Report| drop(Arc::clone(&kept));
    let runtime =
        Runtime::builder().workers(2).exception_hook(hook).build().expect("a runtime can be built");
    let inside = runtime.run(async { run_in_executor(&pool, here).await.expect("it ends") });
    assert!(inside.expect("main ends").is_some());
    drop(runtime);
    eventually("nobody keeps the runtime", || Arc::strong_count(&token) == 1);
    assert_eq!(pool.metrics().threads, 1, "the thread is still there");
}

#[test]
fn a_closure_may_run_another_runtime_and_is_back_in_its_own() {
    let pool = ThreadPool::new(1);
    let outer = named("outer");
    let seen = outer.run(async {
        let nested = || {
            let inner = named("inner").run(async { here() }).expect("main ends");
            (inner, here())
        };
        run_in_executor(&pool, nested).await.expect("it ends")
    });
    let (inner, back) = seen.expect("main ends");
    assert_eq!((inner.as_deref(), back.as_deref()), (Some("inner"), Some("outer")));
}
