//! The mistakes, one after the other, each beside the same without it. By its name sanitizers leave the module out: they
//! build libraries that an ordinary compiler does not take.

use crate::{accepted, refused};

#[test]
fn a_task_goes_to_other_threads_and_holds_nothing_that_must_not() {
    refused(
        "let shared = std::rc::Rc::new(1);
         let _ = spawn(async move { yield_now().await; drop(shared) }).await;",
        &["cannot be sent between threads safely", "Rc<i32>", "spawn`"],
    );
    accepted(
        "let shared = std::rc::Rc::new(1);
         let _ = spawn_local(async move { yield_now().await; drop(shared) }).await;",
    );
}

#[test]
fn a_task_borrows_nothing_from_the_one_that_spawned_it() {
    refused(
        r#"let words = vec!["a"]; let _ = spawn(async { words.len() }).await;"#,
        &["error[E0373]", "`words`", "async move { words.len() }"],
    );
    accepted(r#"let words = vec!["a"]; let _ = spawn(async move { words.len() }).await;"#);
    refused(
        r#"let words = vec!["a"];
           let _ = TaskGroup::<()>::scope(|tg| async move {
               tg.spawn(async { drop(words.len()) });
               Ok(words.len())
           }).await;"#,
        &["error[E0373]", "`words`"],
    );
    refused(
        "let n = 1; Handle::current().call_soon(|| drop(n + 1));",
        &["error[E0373]", "closure", "`n`"],
    );
}

#[test]
fn a_task_is_awaited_once() {
    refused(
        "let task = spawn(async { 1 }); let _ = task.await; let _ = task.await;",
        &["error[E0382]", "`task`", "Task<i32>"],
    );
    accepted("let mut task = spawn(async { 1 }); let _ = (&mut task).await; drop(task);");
}

#[test]
fn a_task_is_not_given_where_a_future_is_wanted() {
    let wants = "fn wants(_: impl Future) {} let mut task = spawn(async { 1 });";
    refused(
        &format!("{wants} wants(task);"),
        &["error[E0277]", "is not a future", "wants(&mut task)"],
    );
    accepted(&format!("{wants} wants(&mut task);"));
}

#[test]
fn combinators_say_what_they_take() {
    for what in ["gather", "wait", "race", "as_completed"] {
        refused(
            &format!("let _ = {what}([1, 2]);"),
            &[
                "error[E0277]: `{integer}` is neither a future that can be spawned nor a `Task`",
                "a future that is `Send` and `'static`, a `Task`, or `task.by_ref()` is wanted here",
                "a `&mut Task` is lent by `task.by_ref()`",
            ],
        );
    }
    refused(
        "let _ = shield(1);",
        &["error[E0277]: `{integer}` is neither a future that can be spawned nor a `Task`"],
    );
    refused("let _ = wait(async { 1 });", &["error[E0277]", "is not an iterator"]);
    accepted("let _ = wait([async { 1 }]);");
}

/// A `&mut Task` is a future, and a future that is spawned must not borrow. Lent by `by_ref`, it is no future.
#[test]
fn tasks_are_lent_to_combinators_by_name() {
    let tasks = "let mut tasks = vec![spawn(async { 1 })];";
    for what in ["wait", "gather"] {
        refused(
            &format!("{tasks} let _ = {what}(tasks.iter_mut()).await;"),
            &["error[E0597]", "`tasks`", "'static"],
        );
        accepted(&format!(
            "{tasks} let _ = {what}(tasks.iter_mut().map(Task::by_ref)).await; drop(tasks);"
        ));
    }
    refused(
        &format!(
            "{tasks} let waiting = gather(tasks.iter_mut().map(Task::by_ref)); drop(tasks); let _ = waiting.await;"
        ),
        &["error[E0505]", "`tasks`"],
    );
}

#[test]
fn what_is_gathered_has_one_type_or_a_macro() {
    refused(
        "let _ = gather([async { 1 }, async { 2 }]).await;",
        &["error[E0308]", "no two async blocks, even if identical, have the same type"],
    );
    accepted("let _ = gather!(async { 1 }, async { 2 }).await;");
}

#[test]
fn what_stops_at_an_error_is_given_results() {
    refused(
        "let (a, _) = (spawn(async { 1 }), 1); drop(gather([a]).first_error());",
        &["error[E0599]", "`first_error`"],
    );
    accepted("let a = spawn(async { Ok::<_, String>(1) }); drop(gather([a]).first_error());");
}

#[test]
fn a_child_of_a_group_returns_what_the_group_can_fail_with() {
    let group = |child: &str| {
        format!(
            "let _ = TaskGroup::<String>::scope(|tg| async move {{ tg.spawn(async {{ {child} }}); Ok(()) }}).await;"
        )
    };
    refused(
        &group("5"),
        &[
            "error[E0277]: a child of this group returns `()` or a `Result<_, String>`, not `{integer}`",
            "it returns `{integer}`",
            "end the child with `Ok(value)`",
        ],
    );
    refused(
        &group("Err::<(), u8>(5)"),
        &[
            "error[E0277]: a child of this group returns `()` or a `Result<_, String>`, not `Result<(), u8>`",
        ],
    );
    for child in ["Ok::<_, String>(5)", "", "loop { yield_now().await }"] {
        accepted(&group(child));
    }
}

#[test]
fn a_cancellation_is_passed_on_once() {
    let caught = "if let Err(cancelled) = catch_cancel(async {}).await {";
    refused(
        &format!(
            "{caught} let a: Rethrow<()> = cancelled.rethrow(); let b: Rethrow<()> = cancelled.rethrow(); drop((a, b)); }}"
        ),
        &["error[E0382]", "`cancelled`", "Cancelled"],
    );
    accepted(&format!("{caught} cancelled.rethrow().await }}"));
}

#[test]
fn a_cleanup_that_may_become_a_task_borrows_nothing_and_may_go_to_other_threads() {
    refused(
        "let name = String::new(); finally(async {}, async { drop(name.len()) }).await;",
        &["error[E0373]", "`name`", "async move"],
    );
    refused(
        "let name = std::rc::Rc::new(1); finally(async {}, async move { drop(name) }).await;",
        &["Rc<i32>", "cannot be sent between threads safely", "finally`"],
    );
    refused(
        "let name = String::new(); let _deferred = defer(async { drop(name.len()) });",
        &["error[E0373]", "`name`"],
    );
    accepted("let name = String::new(); finally(async {}, async move { drop(name) }).await;");
}

#[test]
fn what_has_to_be_awaited_or_bound_says_so() {
    for (what, name, note) in [
        (
            "defer(async {});",
            "Deferred",
            "the cleanup begins when this is dropped: bind it, `let _deferred = …`",
        ),
        ("finally(async {}, async {});", "Finally", "a future does nothing until it is awaited"),
        ("catch_cancel(async {});", "CatchCancel", "a future does nothing until it is awaited"),
        (
            "time::sleep(time::Duration::ZERO);",
            "Sleep",
            "a future does nothing until it is awaited",
        ),
        ("gather([async {}]);", "Gather", "futures do nothing unless awaited"),
        ("wait([async {}]).await;", "Waited", "tasks are detached when they are dropped"),
    ] {
        refused(what, &[&format!("unused `{name}` that must be used"), note]);
    }
}

#[test]
fn a_resource_does_not_leave_its_body() {
    let resource = "struct Open; impl Resource for Open {
        type Error = ();
        async fn exit(self, _: &Outcome<()>) -> Exit { Exit::Propagate }
    }";
    refused(
        &format!("{resource} let kept = with(Open, async |open| Ok(open)).await; drop(kept);"),
        &["lifetime may not live long enough"],
    );
    refused(
        &format!(
            "{resource} let open = Open; let _ = with(open, async |_| Ok(())).await; drop(open);"
        ),
        &["error[E0382]", "`open`"],
    );
    accepted(&format!("{resource} let kept = with(Open, async |_| Ok(1)).await; drop(kept);"));
}

#[test]
fn one_next_at_a_time_is_asked_of_a_stream_of_ends() {
    let answers = "let mut answers = as_completed([async { 1 }]);";
    refused(
        &format!("{answers} let both = (answers.next(), answers.next()); drop(both);"),
        &["error[E0499]", "`answers`"],
    );
    accepted(&format!("{answers} drop(answers.next()); drop(answers.next());"));
}

#[test]
fn a_context_variable_holds_what_every_thread_may_see() {
    refused(
        "context_var! { static V: std::rc::Rc<i32>; } V.set(std::rc::Rc::new(1));",
        &["error[E0599]", "`set`", "`Rc<i32>: Send`"],
    );
    accepted("context_var! { static V: std::sync::Arc<i32>; } V.set(std::sync::Arc::new(1));");
}
