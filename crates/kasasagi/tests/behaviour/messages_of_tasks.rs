//! What is said around tasks: used twice, used where it cannot work, cancelled by something that has a reason.

use crate::flavour::{in_each_flavour, one, two};
use crate::hand::{panic_of, text_of, until};
use kasasagi::sync::Semaphore;
use kasasagi::time::{self, timeout, timeout_scope};
use kasasagi::{
    FutureExt, JoinError, Resource, TaskGroup, catch_cancel, context_var, gather, map_concurrent,
    promise, race, shield, spawn, stream, task, try_gather, wait, yield_now,
};
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

const HERE: &str = "crates/kasasagi/tests/behaviour/messages_of_tasks.rs";

/// What polling a future says that has given its output already.
async fn polled_again<F: Future>(future: F) -> String {
    let mut future = pin!(future);
    drop(future.as_mut().await);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    panic_of(|| future.as_mut().poll(&mut cx).is_ready())
}

#[test]
fn what_gives_its_output_once_says_so_when_it_is_awaited_again() {
    in_each_flavour(async || {
        for (text, what) in [
            (polled_again(gather([async { 1 }])).await, "a gather"),
            (polled_again(try_gather([async { Ok::<_, String>(1) }])).await, "a gather"),
            (polled_again(gather([async { Ok::<_, String>(1) }]).first_error()).await, "a gather"),
            (polled_again(gather!(async { 1 }, async { "2" })).await, "a gather"),
            (polled_again(wait([async { 1 }])).await, "a wait"),
            (polled_again(race([async { 1 }])).await, "a race"),
            (polled_again(shield(async { 1 })).await, "a shield"),
            (polled_again(catch_cancel(async { 1 })).await, "`catch_cancel`"),
        ] {
            assert!(text.starts_with(what), "{text}");
            assert!(
                text.contains(" again after it ") && text.ends_with(": await it once"),
                "{text}"
            );
        }
        let mut task = spawn(async { 1 }.named("once"));
        assert_eq!((&mut task).await.expect("it ends"), 1);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert_eq!(
            panic_of(|| Pin::new(&mut &mut task).poll(&mut cx).is_ready()),
            "task `once` was awaited again after it had given its output: await a task once"
        );
    });
}

/// What became of watched futures.
#[derive(Default)]
struct Seen {
    begun: AtomicUsize,
    told: Mutex<Vec<String>>,
}

impl Seen {
    async fn begun(&self, count: usize) {
        until("it begins", || self.begun.load(Ordering::SeqCst) == count).await;
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().expect("no panic in here").clone()
    }
}

/// Waits for ever, and keeps what it is told when it is cancelled.
fn watched(seen: &Arc<Seen>) -> impl Future<Output = Result<(), String>> + Send + use<> {
    let seen = Arc::clone(seen);
    async move {
        let wait = async {
            seen.begun.fetch_add(1, Ordering::SeqCst);
            pending::<()>().await;
        };
        if let Err(cancelled) = catch_cancel(wait).await {
            seen.told.lock().expect("no panic in here").push(cancelled.to_string());
            cancelled.rethrow::<()>().await;
        }
        Ok(())
    }
}

/// Starts what `make` makes of a watched future, drops it once that waits, and gives what it was told.
async fn told_on_drop<F: Future>(make: impl FnOnce(Arc<Seen>) -> F) -> String {
    let seen = Arc::new(Seen::default());
    {
        let mut future = pin!(make(Arc::clone(&seen)));
        poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
        seen.begun(1).await;
    }
    until("it is told", || !seen.told().is_empty()).await;
    seen.told().remove(0)
}

#[test]
fn a_child_is_told_what_ended_it() {
    in_each_flavour(async || {
        for (told, text) in [
            (told_on_drop(|seen| gather([watched(&seen)])).await, "its gather was dropped"),
            (told_on_drop(|seen| try_gather([watched(&seen)])).await, "its gather was dropped"),
            (
                told_on_drop(|seen| async move { gather!(watched(&seen), async {}).await }).await,
                "its gather was dropped",
            ),
            (told_on_drop(|seen| race([watched(&seen)])).await, "its race was dropped"),
            (
                told_on_drop(|seen| {
                    TaskGroup::scope(|tg| async move {
                        tg.spawn(watched(&seen));
                        pending::<Result<(), String>>().await
                    })
                })
                .await,
                "its task group was dropped",
            ),
            (
                told_on_drop(|seen| {
                    stream::for_each_concurrent(
                        futures_util::stream::iter([seen]),
                        1,
                        |seen| async move {
                            let _ = watched(&seen).await;
                        },
                    )
                })
                .await,
                "its `for_each_concurrent` was dropped",
            ),
            (
                told_on_drop(|seen| async move {
                    let futures = futures_util::stream::iter([watched(&seen)]);
                    let mut ahead = pin!(stream::buffered(futures, 1));
                    futures_util::StreamExt::next(&mut ahead).await
                })
                .await,
                "its `buffered` was dropped",
            ),
        ] {
            assert_eq!(told, format!("cancelled: {text}"));
        }
    });
}

#[test]
fn a_sibling_is_told_that_another_failed_or_won() {
    in_each_flavour(async || {
        let seen = Arc::new(Seen::default());
        let bad = |count| {
            let seen = Arc::clone(&seen);
            async move {
                seen.begun(count).await;
                Err::<(), _>("no".to_owned())
            }
        };
        let two = |count| {
            [
                Box::pin(watched(&seen)) as Pin<Box<dyn Future<Output = _> + Send>>,
                Box::pin(bad(count)),
            ]
        };
        assert!(try_gather(two(1)).await.is_err());
        assert!(race(two(2)).await.is_err());
        let group = TaskGroup::<String>::scope(|tg| {
            drop(two(3).map(|child| tg.spawn(child)));
            async { Ok(()) }
        });
        assert!(group.await.is_err());
        let group = TaskGroup::<String>::scope(|tg| {
            tg.spawn(watched(&seen));
            bad(4)
        });
        assert!(group.await.is_err());
        let ours = &seen;
        let group = TaskGroup::<String>::scope(|tg| async move {
            tg.spawn(watched(ours));
            ours.begun(5).await;
            tg.cancel();
            Ok(())
        });
        assert!(group.await.is_ok());
        assert_eq!(
            seen.told(),
            [
                "cancelled: a sibling in its gather failed",
                "cancelled: another won the race",
                "cancelled: a task of its group failed",
                "cancelled: the body of its group failed",
                "cancelled: its task group was cancelled",
            ]
        );
    });
}

#[test]
fn a_race_or_a_map_without_a_value_names_the_call() {
    let runtime = two();
    let said = |future: Pin<Box<dyn Future<Output = ()>>>| panic_of(|| runtime.run(future));
    let text = said(Box::pin(async { race::<[std::future::Ready<()>; 0]>([]).await }));
    assert!(text.starts_with(&format!("`race` at {HERE}:")), "{text}");
    assert!(
        text.ends_with(" was given nothing, and will never have a winner: ask whether there is something to run before"),
        "{text}"
    );
    let cancelled = || async {
        task::current().cancel_with("enough");
        yield_now().await;
    };
    let text = said(Box::pin(async move { race([cancelled()]).await }));
    assert!(text.starts_with(&format!("`race` at {HERE}:")), "{text}");
    assert!(
        text.contains(" has no value to give: task `Task-")
            && text.ends_with("` was cancelled: enough"),
        "{text}"
    );
    let text =
        said(Box::pin(async move { drop(map_concurrent([1], 1, move |_| cancelled()).await) }));
    assert!(text.starts_with(&format!("`map_concurrent` at {HERE}:")), "{text}");
}

#[test]
fn a_spawn_that_is_refused_says_why_and_what_to_do() {
    let kept = one().run(async {
        let mut kept = None;
        let _ = TaskGroup::<String>::scope(|tg| {
            kept = Some(tg.clone());
            async { Ok(()) }
        })
        .await;
        let over = kept.expect("it was kept").spawn(async {}).await.expect_err("refused");
        let ending = TaskGroup::<String>::scope(|tg| async move {
            tg.cancel();
            Ok(tg.spawn(async {}).await.expect_err("refused"))
        });
        (over.to_string(), ending.await.expect("the body has a value").to_string())
    });
    let (over, ending) = kept.expect("main ends");
    assert!(
        over.ends_with(
            " was cancelled: its task group is finished, and takes no more children: spawn inside \
             `TaskGroup::scope`, or use `kasasagi::spawn` for a task that outlives it"
        ),
        "{over}"
    );
    assert!(
        ending.ends_with(
            " was cancelled: its task group is shutting down, and takes no more children: spawn before it fails or \
             is cancelled"
        ),
        "{ending}"
    );

    let runtime = two();
    let handle = runtime.handle();
    let seen = Arc::new(Seen::default());
    runtime.run(async { drop(spawn(watched(&seen))) }).expect("main ends");
    handle.block_on(seen.begun(1));
    assert!(runtime.shutdown(Duration::from_secs(10)).is_clean());
    let error = one().run(handle.spawn(async {})).expect("main ends").expect_err("refused");
    assert_eq!(
        error.reason(),
        Some("the runtime is shut down: spawn before `shutdown`, or on another runtime")
    );
    assert_eq!(seen.told(), ["cancelled: the runtime is shutting down"]);
}

#[test]
fn a_task_that_awaits_itself_is_told_that_this_never_ends() {
    in_each_flavour(async || {
        let (give, own) = promise::<kasasagi::TaskId, String>();
        let (hand_over, handed) =
            futures_channel::oneshot::channel::<kasasagi::Task<Result<(), JoinError>>>();
        let task = spawn(async move {
            let own = handed.await.expect("main gives it");
            give.set_result(own.id()).expect("main waits");
            // Its own handle.
            let error: JoinError = match own.await {
                Ok(_) => unreachable!("it has not ended"),
                Err(error) => error,
            };
            assert_eq!(
                error.to_string(),
                "task `ouroboros` cannot await itself: it would wait for ever. Await the handle in another task, or \
                 return the value instead"
            );
            Ok(())
        }.named("ouroboros"));
        assert!(hand_over.send(task).is_ok());
        assert!(own.await.is_ok());
    });
}

#[test]
fn errors_of_promises_semaphores_and_times_say_what_to_do() {
    let (answer, pending) = promise::<i32, String>();
    assert_eq!(
        pending.result().expect_err("not yet").to_string(),
        "the promise is not kept yet: await it, or ask `is_done` first"
    );
    answer.set_result(1).expect("once");
    let (answer, pending) = promise::<i32, String>();
    pending.cancel();
    assert_eq!(pending.result().expect_err("cancelled").to_string(), "the promise was cancelled");
    assert_eq!(
        answer.set_result(1).expect_err("twice").to_string(),
        "the promise has its result already, or was cancelled: it is kept once; `Promise::is_cancelled` asks \
         whether anybody still wants it"
    );
    let (answer, pending) = promise::<i32, String>();
    drop(answer);
    assert_eq!(
        pending.result().expect_err("broken").to_string(),
        "the promise is broken: its `Promise` was dropped before `set_result` or `set_error` was called"
    );
    let (answer, pending) = promise::<i32, String>();
    answer.set_error("no twigs".to_owned()).expect("once");
    assert_eq!(pending.result().expect_err("failed").to_string(), "no twigs");

    let semaphore = Semaphore::new(0);
    let text = semaphore.try_acquire().expect_err("none is free").to_string();
    assert_eq!(text, "no permit is free, or others wait for one already");
    semaphore.close();
    assert_eq!(semaphore.try_acquire().expect_err("closed").to_string(), "the semaphore is closed");
    let error = one().run(async move { semaphore.acquire().await.map(drop) }).expect("main ends");
    assert_eq!(
        error.expect_err("closed").to_string(),
        "it was closed: nothing more is given, and nobody waits any longer"
    );
    assert_eq!(
        panic_of(|| Semaphore::new(usize::MAX)),
        "a semaphore has at most `MAX_PERMITS` permits"
    );
}

#[test]
fn errors_of_timeouts_say_what_to_do() {
    in_each_flavour(async || {
        let elapsed = timeout(Duration::ZERO, pending::<()>()).await.expect_err("it never ends");
        assert_eq!(elapsed.to_string(), "the time had passed before the future was ready");

        let mut kept = None;
        let scope = timeout_scope(Duration::from_secs(3600), |limit| {
            kept = Some(limit);
            async {}
        });
        let limit = kept.expect("it was kept");
        let said = || limit.reschedule(time::now()).expect_err("it is not active").to_string();
        assert_eq!(
            said(),
            "the timeout scope was not entered yet: move its deadline once it is awaited, inside the async block"
        );
        scope.await.expect("it is ready at once");
        assert_eq!(said(), "the timeout scope has finished: make another one");

        let mut kept = None;
        let scope = timeout_scope(Duration::ZERO, |limit| {
            kept = Some(limit);
            pending::<()>()
        });
        let limit = kept.expect("it was kept");
        scope.await.expect_err("it never ends");
        let error = limit.reschedule(time::now()).expect_err("it has expired");
        assert_eq!(error.to_string(), "the timeout scope has expired: make another one");
    });
}

context_var! {
    static UNSET: u32;
}

context_var! {
    static OTHER: u32;
}

#[test]
fn errors_of_context_variables_say_what_to_do() {
    in_each_flavour(async || {
        assert_eq!(
            panic_of(|| UNSET.get()),
            "the context variable `UNSET` has no value here and no default: call `UNSET.set(…)` before, in this \
             task or in the one that spawned it, or use `try_get`"
        );
        let token = OTHER.set(1);
        let error = UNSET.reset(token).expect_err("another one's").to_string();
        assert_eq!(
            error,
            "the token is another variable's: give it to the variable whose `set` returned it"
        );
        let token = UNSET.set(1);
        let error =
            spawn(async move { UNSET.reset(token).map_err(|error| error.to_string()) }).await;
        assert_eq!(
            error.expect("it ends").expect_err("another task's"),
            "the token was made in another context: reset the variable in the task, and the `Context::run`, in \
             which it was set"
        );
    });
}

#[test]
fn virtual_time_without_a_runtime_names_the_call_and_the_way_out() {
    for (call, text) in [
        ("pause", panic_of(|| time::pause())),
        ("resume", panic_of(|| time::resume())),
        ("advance", panic_of(|| time::advance(Duration::ZERO))),
    ] {
        assert!(
            text.starts_with(&format!(
                "`time::{call}` was called where no runtime runs, at {HERE}:"
            )),
            "{text}"
        );
        assert!(
            text.ends_with("call it inside `kasasagi::run(async { … })`, or build a runtime with `Builder::virtual_time`"),
            "{text}"
        );
    }
}

#[test]
fn a_group_that_fails_names_each_child() {
    let error = one().run(TaskGroup::<String>::scope(|tg| async move {
        let begun = Arc::new(AtomicUsize::new(0));
        let begins = Arc::clone(&begun);
        let nest = async move {
            // Else the other one could be told before it begins, and would not panic.
            crate::gather::until(&begun, 1).await;
            Err::<(), _>("no twigs".to_owned())
        };
        let nest = tg.spawn(nest.named("nest"));
        tg.spawn(
            async move {
                begins.fetch_add(1, Ordering::SeqCst);
                let _ = catch_cancel(pending::<()>()).await;
                panic!("no wind")
            }
            .named("flight"),
        );
        let error = nest.await.expect_err("it fails");
        assert_eq!(error.to_string(), "task `nest` failed; its group has the error");
        Ok(())
    }));
    let text = error.expect("main ends").expect_err("both fail").to_string();
    let start = format!(
        "a task group failed, with 2 errors:\n  task `nest` failed: no twigs\n  task `flight` panicked at {HERE}:"
    );
    assert!(text.starts_with(&start) && text.ends_with(": no wind"), "{text}");

    let ended = one().run(TaskGroup::<String>::scope(|tg| async move {
        tg.cancel();
        pending::<Result<(), String>>().await
    }));
    assert_eq!(
        ended.expect("main ends").expect_err("no value").to_string(),
        "the task group was cancelled before its body had a value"
    );
}

struct Never;

impl Resource for Never {
    type Error = String;

    async fn enter(&mut self) -> Result<(), String> {
        Err("no such host".into())
    }

    async fn exit(self, _: &kasasagi::Outcome<String>) -> kasasagi::Exit {
        unreachable!("it was not entered")
    }
}

#[test]
fn errors_of_the_program_s_own_pass_through_as_they_are() {
    in_each_flavour(async || {
        let entered = kasasagi::with(Never, async |_: &mut Never| Ok(())).await;
        assert_eq!(entered, Err("no such host".to_owned()));
        let error = try_gather([async { Err::<(), _>("no twigs") }.named("nest")]).await;
        let error = error.expect_err("it fails");
        assert_eq!(error.to_string(), "task `nest` failed: no twigs");
        assert_eq!(error.into_error().ok(), Some("no twigs"));
        let payload = spawn(async { panic!("out of {}", "magpies") }).await.map(|(): ()| ());
        let payload = payload.expect_err("it panics").into_panic().expect("a payload");
        assert_eq!(text_of(&*payload), "out of magpies");
    });
}
