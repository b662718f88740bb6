//! What a task that waits at a channel, a cell or a window says of it: the kind, and the place in the program.

use crate::oneshot::inside_a_task;
use crate::polled::{Polled, ready};
use kasasagi_primitive::coop;
use kasasagi_primitive::task_context::TaskContext;
use kasasagi_sync::{OnceCell, RateWindow, broadcast, watch};
use std::panic::Location;
use std::time::Duration;

/// Polls it as part of a task, where it waits; what that says then.
fn says<F: Future>(make: impl FnOnce() -> F) -> (&'static str, &'static Location<'static>) {
    let context = TaskContext::new(1);
    let waiting = inside_a_task(&context, || Polled::waiting(make()));
    let wait = context.wait.get().expect("it waits");
    assert_ne!(wait.resource, 0);
    drop(waiting);
    (wait.kind.as_str(), wait.place.expect("it has a place"))
}

#[test]
fn a_waiting_task_says_what_for_and_where() {
    let (_news, mut receiver) = broadcast::channel::<u8>(1);
    let (_level, mut watched) = watch::channel(0);
    let cell = OnceCell::<u8>::new();
    let _making = Polled::waiting(cell.get_or_init(std::future::pending));
    let window = RateWindow::new(1, Duration::ZERO);
    let _turn = ready(window.turn());
    let line = line!();
    let said = [
        says(|| receiver.recv()),
        says(|| watched.changed()),
        says(|| watched.wait_for(|value| *value > 0)),
        says(|| cell.get_or_init(|| async { 1 })),
        says(|| window.turn()),
    ];
    for ((kind, place), expected) in
        said.iter().zip(["channel", "channel", "channel", "once", "rate"])
    {
        assert_eq!(*kind, expected);
        assert!(place.file().ends_with("channel_waits.rs"), "{place}");
        assert!((line + 1..line + 7).contains(&place.line()), "{place}");
    }
}

/// A task whose channel always has something lets others run all the same.
#[test]
fn a_spent_budget_suspends_and_takes_nothing() {
    let (news, mut receiver) = broadcast::channel(1_000);
    let (level, mut watched) = watch::channel(0);
    for number in 0..1_000 {
        news.send(number).expect("there is a receiver");
    }
    level.send(1).expect("there is a receiver");
    let previous = coop::start();
    let mut next = 0;
    while let std::task::Poll::Ready(got) = Polled::new(receiver.recv()).poll() {
        assert_eq!(got, Ok(next));
        next += 1;
    }
    assert_eq!(next, i32::from(coop::BUDGET));
    assert!(Polled::new(watched.changed()).poll().is_pending());
    assert!(Polled::new(watched.wait_for(|_| true)).poll().is_pending());
    coop::restore(previous);
    assert_eq!(ready(receiver.recv()), Ok(next));
    assert_eq!(ready(watched.changed()), Ok(()));
}
