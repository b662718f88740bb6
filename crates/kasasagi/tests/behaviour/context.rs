//! Context variables: what `contextvars` promises.

use crate::flavour::{for_each_flavour, for_one_worker, in_each_flavour, run};
use crate::hand::{panic_of, until};
use kasasagi::time::{Duration, sleep};
use kasasagi::{
    Context, FutureExt, Handle, TokenError, context_var, promise, spawn, task, yield_now,
};
use std::sync::{Arc, Mutex};

context_var! {
    static COLOUR: &'static str;
    static COUNT: u32 = 0;
    static PRECISION: usize = 2;
    /// Of one task alone.
    #[not_inherited]
    static OWN: u32 = 0;
}

#[test]
fn ctx_01_a_child_gets_a_copy_of_what_is_set_at_its_spawn() {
    in_each_flavour(async || {
        COLOUR.set("nope");
        let child = spawn(async {
            let first = COLOUR.get();
            yield_now().await;
            COLOUR.set("child");
            (first, COLOUR.get())
        });
        COLOUR.set("yes");
        assert_eq!(child.await.expect("it ends"), ("nope", "child"));
        assert_eq!(COLOUR.get(), "yes");
    });
}

#[test]
fn ctx_02_callbacks_run_in_a_copy_of_the_context_of_their_registration() {
    in_each_flavour(async || {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let note = |what: u32| {
            let seen = Arc::clone(&seen);
            move || {
                seen.lock().expect("no panic").push((what, COUNT.get()));
                COUNT.set(100);
            }
        };
        let (kept, pending) = promise::<(), String>();
        let unset = note(0);
        pending.on_done(move |_| unset());
        COUNT.set(1);
        let (done, ended) = (note(1), note(4));
        pending.on_done(move |_| done());
        Handle::current().call_soon(note(2));
        Handle::current().call_later(Duration::from_millis(1), note(3));
        let task = spawn(async {});
        task.on_done(move |_| ended());
        COUNT.set(2);
        kept.set_result(()).expect("it is kept once");
        until("all are called", || seen.lock().expect("no panic").len() == 5).await;
        let mut seen = seen.lock().expect("no panic").clone();
        seen.sort_unstable();
        assert_eq!(seen, [(0, 0), (1, 1), (2, 1), (3, 1), (4, 1)]);
        assert_eq!(COUNT.get(), 2);
    });
}

#[test]
fn ctx_03_a_hundred_tasks_do_not_see_each_others_values() {
    in_each_flavour(async || {
        for round in 0..1_000 {
            let many = if round % 100 == 0 { 100 } else { 5 };
            let tasks: Vec<_> = (0..many)
                .map(|number| {
                    spawn(async move {
                        for step in 0..10 {
                            COUNT.set(number * 100 + step);
                            yield_now().await;
                            assert_eq!(COUNT.get(), number * 100 + step);
                        }
                        COUNT.get()
                    })
                })
                .collect();
            for (number, task) in (0..).zip(tasks) {
                assert_eq!(task.await.expect("it ends"), number * 100 + 9);
            }
        }
        assert_eq!(COUNT.get(), 0);
    });
}

#[test]
fn ctx_04_tasks_that_are_given_one_context_share_it() {
    in_each_flavour(async || {
        let context = Context::new();
        let step = |value: u32| async move {
            let before = COUNT.get();
            COUNT.set(value);
            before
        };
        assert_eq!(spawn(step(1).in_context(&context)).await.expect("it ends"), 0);
        assert_eq!(spawn(step(2).named("second").in_context(&context)).await.expect("it ends"), 1);
        assert_eq!(context.run(|| COUNT.get()), 2);
        assert_eq!(step(3).in_context(&context).await, 2);
        assert_eq!(spawn(step(4).in_context(&context).named("named")).await.expect("it ends"), 3);
        assert_eq!(COUNT.get(), 0, "not here");
    });
}

#[test]
fn ctx_05_a_handle_gives_the_very_context_that_its_task_runs_in() {
    in_each_flavour(async || {
        let context = Context::new();
        let task = spawn(async { Context::current() }.in_context(&context));
        assert!(task.context().is(&context) && task.handle().context().is(&context));
        assert!(task.await.expect("it ends").is(&context));
        let plain = spawn(async { Context::current() });
        let own = plain.context();
        assert!(plain.await.expect("it ends").is(&own));
        assert!(!own.is(&context) && !own.is(&Context::current()));
        assert!(task::current().context().is(&Context::current()));
    });
}

#[test]
fn ctx_06_two_tasks_that_take_turns_have_a_precision_each() {
    in_each_flavour(async || {
        let thirds = |precision: usize| async move {
            PRECISION.set(precision);
            yield_now().await;
            let third = format!("{:.*}", PRECISION.get(), 1.0 / 3.0);
            yield_now().await;
            (third, format!("{:.*}", PRECISION.get(), 1.0 / 9.0))
        };
        let (coarse, fine) = (spawn(thirds(3)), spawn(thirds(6)));
        assert_eq!(coarse.await.expect("it ends"), ("0.333".into(), "0.111".into()));
        assert_eq!(fine.await.expect("it ends"), ("0.333333".into(), "0.111111".into()));
        assert_eq!(PRECISION.get(), 2);
    });
}

#[test]
fn a_token_undoes_one_set_where_it_was_made() {
    in_each_flavour(async || {
        let first = COUNT.set(1);
        let second = COUNT.set(2);
        assert_eq!(COUNT.reset(second), Ok(()));
        assert_eq!(COUNT.get(), 1);
        let elsewhere = spawn(async { COUNT.set(5) }).await.expect("it ends");
        assert_eq!(COUNT.reset(elsewhere), Err(TokenError::OtherContext));
        assert_eq!(COUNT.get(), 1);
        assert_eq!(COUNT.reset(first), Ok(()));
        assert_eq!(COUNT.get(), 0);
        let other = OWN.set(3);
        assert_eq!(COUNT.reset(other), Err(TokenError::OtherVariable));
        assert_eq!(OWN.get(), 3);
    });
}

#[test]
fn a_variable_that_is_not_inherited_is_not() {
    in_each_flavour(async || {
        OWN.set(7);
        COUNT.set(8);
        let child = spawn(async { (OWN.get(), COUNT.get()) });
        assert_eq!(child.await.expect("it ends"), (0, 8));
        assert_eq!(OWN.get(), 7);
    });
}

#[test]
fn a_variable_without_a_value_says_so() {
    assert_eq!(COLOUR.try_get(), None);
    let text = panic_of(|| COLOUR.get());
    assert_eq!(
        text,
        "the context variable `COLOUR` has no value here and no default: call `COLOUR.set(…)` before, in this task \
         or in the one that spawned it, or use `try_get`"
    );
}

#[test]
fn variables_work_outside_tasks_and_main_inherits_them() {
    for_each_flavour(|build| {
        let runtime = build();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let token = COUNT.set(3);
                let inside = run(&runtime, async {
                    let seen = (COUNT.get(), spawn(async { COUNT.get() }).await.expect("it ends"));
                    COUNT.set(4);
                    seen
                });
                assert_eq!(inside, (3, 3));
                assert_eq!(COUNT.get(), 3, "main had a copy");
                let blocked = runtime.handle().block_on(async {
                    COUNT.set(5);
                    spawn(async { COUNT.get() }).await.expect("it ends")
                });
                assert_eq!(blocked, 5);
                assert_eq!(COUNT.get(), 5, "block_on runs in the thread's own");
                assert_eq!(COUNT.reset(token), Ok(()));
            });
        });
        assert_eq!(COUNT.get(), 0);
    });
}

#[test]
fn a_context_is_entered_on_another_thread() {
    in_each_flavour(async || {
        COUNT.set(6);
        let context = Context::current().copy();
        let thread = std::thread::spawn(move || context.run(|| COUNT.get() + 1));
        assert_eq!(thread.join().expect("it does not panic"), 7);
        assert_eq!(COUNT.get(), 6);
    });
}

#[test]
fn a_context_that_is_entered_ends_with_its_closure_and_with_a_panic_of_it() {
    for_one_worker(|build| {
        run(&build(), async {
            COUNT.set(1);
            let context = Context::new();
            let inner = context.run(|| {
                COUNT.set(2);
                let deeper = Context::current().copy();
                deeper.run(|| COUNT.set(3));
                // A task that is spawned here inherits what is entered here.
                (COUNT.get(), spawn(async { COUNT.get() }))
            });
            assert_eq!((inner.0, inner.1.await.expect("it ends")), (2, 2));
            panic_of(|| context.run(|| panic!("in a context")));
            assert_eq!(COUNT.get(), 1);
        });
    });
}

#[test]
fn a_context_that_is_awaited_does_not_leak_into_others_that_take_turns() {
    in_each_flavour(async || {
        let context = Context::new();
        context.run(|| COUNT.set(9));
        let inside = async {
            let mut seen = Vec::new();
            for _ in 0..3 {
                seen.push(COUNT.get());
                sleep(Duration::from_micros(100)).await;
            }
            seen
        };
        let beside = async {
            let mut seen = Vec::new();
            for _ in 0..3 {
                seen.push(COUNT.get());
                yield_now().await;
            }
            seen
        };
        let both =
            futures_util::future::join(inside.in_context(&context).into_future(), beside).await;
        assert_eq!(both, (vec![9; 3], vec![0; 3]));
    });
}

#[test]
fn a_runtime_inside_a_task_s_context_runs_its_tasks_in_their_own() {
    let context = Context::new();
    context.run(|| {
        COUNT.set(4);
        let seen = kasasagi::run(async {
            let task = spawn(async { COUNT.get() }.in_context(&Context::new()));
            (COUNT.get(), task.await.expect("it ends"))
        });
        assert_eq!(seen, (4, 0));
    });
}
