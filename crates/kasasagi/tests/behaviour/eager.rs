//! Eager start: a task whose first poll is made inside its spawn.

use crate::flavour::{in_each_flavour, on_virtual_time, run};
use kasasagi::time::{Duration, sleep};
use kasasagi::{
    Context, FutureExt, Handle, JoinError, Task, TaskGroup, context_var, gather, promise, race,
    spawn, spawn_local, task, try_gather, yield_now,
};
use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

context_var! {
    static COUNT: u32 = 0;
}

#[test]
fn eag_01_a_future_that_does_not_wait_ends_inside_the_spawn() {
    in_each_flavour(async || {
        let done = spawn(async { 7 }.eager());
        assert!(done.is_finished());
        assert_eq!(done.await.expect("it ended"), 7);
        // One that awaits what is ready does not wait.
        let done = spawn(async { ready(8).await }.named("quick").eager());
        assert!(done.is_finished());
        assert_eq!(&*done.name(), "quick");
        let local = spawn_local(async { std::rc::Rc::new(9) }.eager());
        assert!(local.is_finished());
        assert_eq!(*local.await.expect("it ended"), 9);
    });
}

#[test]
fn eag_02_one_that_waits_goes_on_later() {
    in_each_flavour(async || {
        let (tell, told) = promise::<u32, ()>();
        let steps = Arc::new(AtomicUsize::new(0));
        let mine = Arc::clone(&steps);
        let waits = spawn(
            async move {
                mine.fetch_add(1, Ordering::SeqCst);
                let told = told.await;
                mine.fetch_add(1, Ordering::SeqCst);
                told
            }
            .eager(),
        );
        assert_eq!(steps.load(Ordering::SeqCst), 1, "the first step is made");
        assert!(!waits.is_finished());
        tell.set_result(5).expect("it waits");
        assert_eq!(waits.await.expect("it ends"), Ok(5));
        assert_eq!(steps.load(Ordering::SeqCst), 2);
        // And one that only yields.
        let yields = spawn(async { yield_now().await }.eager());
        assert!(!yields.is_finished());
        yields.await.expect("it ends");
    });
}

#[test]
fn eag_03_a_cancellation_after_the_end_changes_nothing() {
    in_each_flavour(async || {
        let done = spawn(async { 1 }.eager());
        assert!(!done.cancel());
        assert_eq!(done.cancelling(), 0);
        assert_eq!(done.await.expect("it ended with a value"), 1);
    });
}

#[test]
fn eag_04_one_that_waits_is_cancelled_as_any_other() {
    in_each_flavour(async || {
        let waits = spawn(pending::<()>().eager());
        assert!(waits.cancel_with("enough"));
        assert!(waits.cancelling() > 0);
        let error = waits.await.expect_err("it was cancelled");
        assert!(error.is_cancelled());
        assert_eq!(error.reason(), Some("enough"));
    });
}

#[test]
fn eag_05_the_current_task_is_the_child_and_then_the_parent_again() {
    in_each_flavour(async || {
        let parent = task::current().id();
        let child = spawn(async { task::current().id() }.eager());
        assert_eq!(task::current().id(), parent);
        let id = child.id();
        assert_ne!(id, parent);
        assert_eq!(child.await.expect("it ended"), id);
        assert_eq!(task::current().id(), parent);
    });
}

#[test]
fn eag_06_it_is_in_the_list_while_it_steps_and_afterwards_if_it_waits() {
    in_each_flavour(async || {
        let listed = || Handle::current().tasks().iter().any(|task| &*task.name == "crow");
        let ends = spawn(async move { listed() }.named("crow").eager());
        assert!(!listed(), "it has ended");
        assert!(ends.await.expect("it ended"), "it stepped");
        let waits = spawn(pending::<()>().named("crow").eager());
        assert!(listed(), "it waits");
        waits.cancel();
        drop(waits.await);
        assert!(!listed());
    });
}

fn tree(
    depth: usize,
    count: Arc<AtomicUsize>,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        count.fetch_add(1, Ordering::SeqCst);
        if depth > 0 {
            let children: Vec<_> =
                (0..5).map(|_| spawn(tree(depth - 1, Arc::clone(&count)).eager())).collect();
            for child in gather(children).await {
                child.expect("it ends");
            }
        }
    })
}

fn groups(
    depth: usize,
    count: Arc<AtomicUsize>,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        count.fetch_add(1, Ordering::SeqCst);
        if depth > 0 {
            TaskGroup::scope(async |group: TaskGroup<()>| {
                for _ in 0..5 {
                    drop(group.spawn(groups(depth - 1, Arc::clone(&count)).eager()));
                }
                Ok(())
            })
            .await
            .expect("no child fails");
        }
    })
}

#[test]
fn eag_07_a_deep_tree_of_eager_children_is_through_at_its_spawn() {
    in_each_flavour(async || {
        let count = Arc::new(AtomicUsize::new(0));
        let root = spawn(tree(4, Arc::clone(&count)).eager());
        assert_eq!(count.load(Ordering::SeqCst), 1 + 5 + 25 + 125 + 625, "before anybody waits");
        root.await.expect("it ends");
        let count = Arc::new(AtomicUsize::new(0));
        let root = spawn(groups(4, Arc::clone(&count)).eager());
        assert_eq!(count.load(Ordering::SeqCst), 1 + 5 + 25 + 125 + 625);
        root.await.expect("it ends");
    });
}

#[test]
fn eag_08_it_is_chosen_for_each_spawn() {
    in_each_flavour(async || {
        // The one behind it does not begin before this one waits, on this thread at least: it stays in line.
        let eager = spawn_local(async { 1 }.eager());
        let lazy = spawn_local(async { 2 });
        assert!(eager.is_finished() && !lazy.is_finished());
        assert_eq!((eager.await.expect("it ended"), lazy.await.expect("it ends")), (1, 2));
    });
}

#[test]
fn eag_09_the_first_of_eager_racers_wins() {
    on_virtual_time(|build| {
        let runtime = build();
        run(&runtime, async {
            let after = |seconds, value| {
                async move {
                    sleep(Duration::from_secs(seconds)).await;
                    value
                }
                .eager()
            };
            assert_eq!(race([after(3, "late"), after(1, "soon")]).await, "soon");
            assert_eq!(race([ready("now").eager(), ready("then").eager()]).await, "now");
        });
    });
}

#[test]
fn eag_10_a_panic_in_the_first_step_is_the_tasks() {
    in_each_flavour(async || {
        let panics: Task<()> = spawn(async { panic!("at once") }.eager());
        assert!(panics.is_finished());
        let error = panics.await.expect_err("it panicked");
        assert!(error.is_panic());
        assert!(error.to_string().contains("at once"), "{error}");
    });
}

#[test]
fn spawned_where_no_task_runs_an_eager_task_begins_like_any_other() {
    in_each_flavour(async || {
        let handle = Handle::current();
        let elsewhere =
            std::thread::spawn(move || handle.spawn(async { task::current().id() }.eager()));
        let task = elsewhere.join().expect("it spawns");
        let id = task.id();
        assert_eq!(task.await.expect("it ends"), id);
    });
}

#[test]
fn tg_43_an_eager_child_that_cancels_its_group_is_cancelled_itself() {
    in_each_flavour(async || {
        let mut told: Option<Task<()>> = None;
        let ended = TaskGroup::scope(async |group: TaskGroup<()>| {
            let mine = group.clone();
            told = Some(
                group.spawn(
                    async move {
                        mine.cancel();
                        pending::<()>().await;
                    }
                    .eager(),
                ),
            );
            pending::<()>().await;
            Ok(())
        })
        .await;
        assert!(ended.is_err_and(|error| error.is_cancelled()));
        let child = told.expect("it was spawned").await;
        assert!(child.is_err_and(|error: JoinError| error.is_cancelled()));
    });
}

#[test]
fn tg_44_an_eager_child_that_ended_as_it_was_spawned_is_counted() {
    in_each_flavour(async || {
        let ended = TaskGroup::scope(async |group: TaskGroup<String>| {
            let ends = group.spawn(async { Ok::<_, String>(1) }.eager());
            assert!(ends.is_finished());
            assert_eq!(group.len(), 0, "it is no longer the group's");
            let waits = group.spawn(pending::<Result<(), String>>());
            let fails = group.spawn(async { Err::<(), _>("no twigs".to_owned()) }.eager());
            assert!(fails.is_finished());
            drop(waits.await);
            pending::<()>().await;
            Ok(())
        })
        .await;
        let error = ended.expect_err("a child failed");
        assert!(error.to_string().contains("no twigs"), "{error}");
    });
}

#[test]
fn ctx_08_the_first_step_runs_in_the_childs_copy_of_the_context() {
    in_each_flavour(async || {
        COUNT.set(1);
        let child = spawn(
            async {
                COUNT.set(2);
                let first = COUNT.get();
                yield_now().await;
                (first, COUNT.get())
            }
            .eager(),
        );
        assert_eq!(COUNT.get(), 1, "the parent's stays");
        assert_eq!(child.await.expect("it ends"), (2, 2));
        let given = Context::new();
        drop(spawn(async { COUNT.set(3) }.eager().in_context(&given)).await);
        assert_eq!(given.run(|| COUNT.get()), 3);
    });
}

#[test]
fn eag_02_a_thousand_eager_children_that_are_woken_by_others_end() {
    in_each_flavour(async || {
        for round in 0..1_000u32 {
            let (tell, told) = promise::<u32, ()>();
            let waits = spawn(async move { told.await.expect("it is set") }.eager());
            let tells = spawn(async move { tell.set_result(round).is_ok() }.eager());
            let both = try_gather([
                spawn(async move { waits.await.map_err(|_| ()) }.eager()),
                spawn(async move { tells.await.map(u32::from).map_err(|_| ()) }.eager()),
            ]);
            assert_eq!(both.await.expect("both end"), [round, 1]);
        }
    });
}
