//! The attributes on functions of many shapes. That they fail where they should stands in the crate's doc tests.

use kasasagi::{Handle, spawn, task, time, yield_now};
use std::num::ParseIntError;

#[kasasagi::test]
async fn a_test_has_a_runtime_of_one_worker() {
    assert_eq!(Handle::current().metrics().seats.len(), 1);
    assert_eq!(spawn(async { 42 }).await.expect("it ends"), 42);
}

#[kasasagi::test(workers = 2)]
async fn a_test_may_ask_for_workers() {
    assert_eq!(Handle::current().metrics().seats.len(), 2);
}

const WORKERS: usize = 2;

#[kasasagi::test(workers = WORKERS + 1,)]
async fn the_number_of_workers_is_an_expression() {
    assert_eq!(Handle::current().metrics().seats.len(), 3);
}

#[kasasagi::test(current_thread)]
async fn a_test_may_ask_for_one_thread() {
    assert_eq!(Handle::current().metrics().seats.len(), 1);
}

#[kasasagi::test]
async fn a_test_may_return_a_result() -> Result<(), ParseIntError> {
    let number: u32 = "42".parse()?;
    yield_now().await;
    if number == 42 {
        return Ok(());
    }
    "nothing".parse::<u32>().map(|_| ())
}

#[kasasagi::test]
#[should_panic(expected = "in an async test")]
async fn other_attributes_of_tests_work() {
    yield_now().await;
    panic!("in an async test");
}

/// Docs, visibility, arguments, a lifetime and a generic go through.
#[kasasagi::main(workers = 2)]
#[inline(never)]
pub async fn joined<'a, T>(words: &'a [T], between: &'a str) -> String
where
    T: std::fmt::Display + 'a,
{
    let mut text = String::new();
    for word in words {
        if !text.is_empty() {
            text += between;
        }
        text += &word.to_string();
        yield_now().await;
    }
    text
}

#[test]
fn a_function_with_arguments_and_generics_can_be_run() {
    assert_eq!(joined(&[1, 2, 3], ", "), "1, 2, 3");
    assert_eq!(joined::<&str>(&[], ", "), "");
}

#[kasasagi::main]
async fn fails() -> Result<u32, Box<dyn std::error::Error>> {
    let number: u32 = "a magpie".parse()?;
    Ok(number)
}

#[kasasagi::main(current_thread)]
async fn leaves_a_task() -> std::sync::Arc<()> {
    let shared = std::sync::Arc::new(());
    let kept = std::sync::Arc::clone(&shared);
    drop(spawn(async move {
        time::sleep(time::Duration::from_secs(3600)).await;
        drop(kept);
    }));
    assert!(task::try_current().is_some());
    shared
}

#[test]
fn an_error_of_main_comes_out_and_what_is_left_has_ended() {
    assert_eq!(fails().expect_err("no number").to_string(), "invalid digit found in string");
    assert_eq!(std::sync::Arc::strong_count(&leaves_a_task()), 1);
}

#[kasasagi::main]
async fn nested() {
    fails().expect("it is refused before");
}

#[test]
#[should_panic(expected = "`run` was called inside a task of a running runtime")]
fn a_main_inside_a_main_is_refused() {
    nested();
}

#[kasasagi::main]
async fn cancelled() {
    task::current().cancel();
    std::future::pending::<()>().await;
}

#[test]
#[should_panic(expected = "`#[kasasagi::main]` has no output: main was cancelled by itself, at ")]
fn a_cancelled_main_says_which_call_has_no_output() {
    cancelled();
}

#[kasasagi::test(virtual_time)]
async fn an_hour_passes_at_once() -> Result<(), kasasagi::JoinError> {
    let start = time::now();
    let result = spawn(time::sleep(time::Duration::from_secs(3600))).await;
    assert_eq!(time::now() - start, time::Duration::from_secs(3600));
    result
}

#[kasasagi::test(workers = 2, virtual_time)]
async fn time_is_virtual_on_several_workers_too() {
    assert_eq!(Handle::current().metrics().seats.len(), 2);
    let start = time::now();
    time::sleep(time::Duration::from_secs(3600)).await;
    assert_eq!(time::now() - start, time::Duration::from_secs(3600));
}

#[kasasagi::main(virtual_time, current_thread)]
async fn waits_for_a_day() -> Result<time::Duration, kasasagi::JoinError> {
    let start = time::now();
    spawn(time::sleep(time::Duration::from_secs(86_400))).await?;
    Ok(time::now() - start)
}

#[test]
fn a_main_may_have_virtual_time_and_return_a_result() {
    let waited = waits_for_a_day().expect("nobody cancels it");
    assert_eq!(waited, time::Duration::from_secs(86_400));
}
