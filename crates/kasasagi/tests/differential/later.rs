//! Callbacks, promises, variables, streams.

use crate::trace::{Trace, ms, nap, programs, py, say};
use futures_util::StreamExt;
use kasasagi::stream::from_fn;
use kasasagi::{Handle, promise, spawn, yield_now};
use std::convert::Infallible;
use std::pin::pin;

programs! {
    one: call_soon_order, call_soon_inside, future_callbacks;
    any: call_later_order, future_set_later, future_cancelled, variables_of_children,
        variables_of_callbacks, variables_reset, generator, generator_broken_off;
}

async fn call_soon_order(t: Trace) {
    for number in 0..5 {
        let t = t.clone();
        Handle::current().call_soon(move || say!(t, "call {number}"));
    }
    say!(t, "asked for");
    nap(1).await;
    say!(t, "over");
}

async fn call_later_order(t: Trace) {
    let handles = [30, 10, 20].map(|millis| {
        let t = t.clone();
        Handle::current().call_later(ms(millis), move || say!(t, "after {millis}"))
    });
    handles[2].cancel();
    nap(50).await;
    say!(t, "over at {} {}", t.now(), py(handles[2].is_cancelled()));
}

async fn call_soon_inside(t: Trace) {
    let handle = Handle::current();
    handle.clone().call_soon(move || {
        say!(t, "first");
        let theirs = t.clone();
        handle.call_soon(move || say!(theirs, "third"));
        say!(t, "second");
    });
    nap(1).await;
}

async fn future_callbacks(t: Trace) {
    let (promise, future) = promise::<i32, Infallible>();
    for number in 0..3 {
        let t = t.clone();
        future.on_done(move |done| {
            say!(t, "callback {number} {}", done.result().expect("it is set"));
        });
    }
    promise.set_result(42).expect("nobody else sets it");
    say!(t, "set");
    nap(1).await;
    say!(t, "{} {}", future.clone().await.expect("it is set"), py(future.is_done()));
}

async fn future_set_later(t: Trace) {
    let (promise, future) = promise::<&'static str, Infallible>();
    Handle::current().call_later(ms(10), move || {
        promise.set_result("done").expect("nobody else sets it");
    });
    say!(t, "{} at {}", future.await.expect("it is set"), t.now());
}

async fn future_cancelled(t: Trace) {
    let (promise, future) = promise::<i32, Infallible>();
    let first = future.cancel();
    say!(t, "{} {} {}", py(first), py(future.is_cancelled()), py(future.cancel()));
    if promise.set_result(1).is_err() {
        say!(t, "too late");
    }
}

kasasagi::context_var! {
    static NUMBER: i32 = 0;
}

async fn variables_of_children(t: Trace) {
    NUMBER.set(1);
    let theirs = t.clone();
    let task = spawn(async move {
        say!(theirs, "child sees {}", NUMBER.get());
        NUMBER.set(3);
        yield_now().await;
        say!(theirs, "child has {}", NUMBER.get());
    });
    NUMBER.set(2);
    task.await.expect("it ends");
    say!(t, "parent has {}", NUMBER.get());
}

async fn variables_of_callbacks(t: Trace) {
    NUMBER.set(1);
    let theirs = t.clone();
    Handle::current().call_soon(move || {
        say!(theirs, "callback sees {}", NUMBER.get());
        NUMBER.set(5);
    });
    NUMBER.set(2);
    nap(1).await;
    say!(t, "{}", NUMBER.get());
}

async fn variables_reset(t: Trace) {
    let token = NUMBER.set(1);
    say!(t, "{}", NUMBER.get());
    NUMBER.reset(token).expect("it was set here");
    say!(t, "{}", NUMBER.get());
}

async fn generator(t: Trace) {
    let mut numbers = pin!(from_fn(|y| async move {
        for number in 1..=3 {
            nap(10).await;
            y.emit(number).await;
        }
    }));
    while let Some(number) = numbers.next().await {
        say!(t, "{number} at {}", t.now());
    }
}

/// Says that it is closed as it goes.
struct Closing(Trace);

impl Drop for Closing {
    fn drop(&mut self) {
        say!(self.0, "closed");
    }
}

async fn generator_broken_off(t: Trace) {
    let closing = Closing(t.clone());
    let mut numbers = Box::pin(from_fn(|y| async move {
        let _closing = closing;
        for number in 0.. {
            nap(10).await;
            y.emit(number).await;
        }
    }));
    while let Some(number) = numbers.next().await {
        say!(t, "{number}");
        if number == 2 {
            break;
        }
    }
    drop(numbers);
    say!(t, "over at {}", t.now());
}
