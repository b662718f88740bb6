//! What a program says, line by line, and what the programs have in common.

use kasasagi::time::{self, Duration, Instant};
use kasasagi::{JoinError, Task};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

/// A program, by the name of its twin.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Trace) -> Pin<Box<dyn Future<Output = ()>>>,
    pub(crate) order: Order,
}

/// What the order of a trace hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// On the order of tasks within one moment, which one worker has.
    OneWorker,
    /// On the program alone.
    Program,
    /// Tasks that are cancelled together run in the order of their spawns in asyncio. Here the last that is woken
    /// runs first, on one worker too: lines are compared, and not their order.
    None,
}

impl Program {
    /// The lines of a trace as far as they can be compared.
    pub(crate) fn comparable(&self, mut lines: Vec<String>) -> Vec<String> {
        if self.order == Order::None {
            lines.sort_unstable();
        }
        lines
    }
}

/// `one:` those for one worker, `any:` those for any number, `none:` those without an order.
macro_rules! programs {
    ($($order:ident: $($name:ident),*;)*) => {
        pub(crate) const ALL: &[crate::trace::Program] = &[
            $($(crate::trace::Program {
                name: stringify!($name),
                run: |t| Box::pin($name(t)),
                order: crate::trace::programs!(@ $order),
            },)*)*
        ];
    };
    (@ one) => { crate::trace::Order::OneWorker };
    (@ any) => { crate::trace::Order::Program };
    (@ none) => { crate::trace::Order::None };
}
pub(crate) use programs;

macro_rules! say {
    ($trace:expr, $($what:tt)*) => { $trace.line(format!($($what)*)) };
}
pub(crate) use say;

#[derive(Clone)]
pub(crate) struct Trace {
    lines: Arc<Mutex<Vec<String>>>,
    begin: Instant,
}

impl Trace {
    pub(crate) fn begin() -> Self {
        Self { lines: Arc::default(), begin: time::now() }
    }

    pub(crate) fn line(&self, line: String) {
        self.lines.lock().expect("no panic").push(line);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }

    /// The moment, in milliseconds from the beginning.
    pub(crate) fn now(&self) -> u128 {
        (time::now() - self.begin).as_millis()
    }
}

/// A `bool` as Python writes it.
pub(crate) fn py(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// The error of a program.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValueError(pub(crate) &'static str);

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for ValueError {}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) async fn nap(millis: u64) {
    time::sleep(ms(millis)).await;
}

pub(crate) async fn named_nap(t: Trace, name: &'static str, millis: u64) -> &'static str {
    nap(millis).await;
    say!(t, "{name} ends at {}", t.now());
    name
}

pub(crate) async fn fails_after(name: &'static str, millis: u64) -> Result<(), ValueError> {
    nap(millis).await;
    Err(ValueError(name))
}

/// Awaits a task that has to be cancelled.
pub(crate) async fn cancelled<T: fmt::Debug>(task: Task<T>) -> JoinError {
    let error = task.await.expect_err("it is cancelled");
    assert!(error.is_cancelled(), "{error}");
    error
}
