//! Polls a future so many times, and drops it.

use crate::world::{World, until};
use kasasagi::{Runtime, task, time};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// How a future is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// When it was woken, with the waker of the task.
    Woken,
    /// As above, with a waker of its own, as a `FuturesUnordered` would.
    Foreign,
    /// Again and again, though nobody woke it.
    Spurious,
}

/// Something in which a future is dropped: returns whether that was ready before.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Polls) -> Pin<Box<dyn Future<Output = bool>>>,
}

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        pub(crate) const ALL: &[crate::drive::Case] = &[$(crate::drive::Case {
            name: stringify!($name),
            run: |polls| Box::pin($name(polls)),
        }),*];
    };
}
pub(crate) use cases;

struct Foreign(Mutex<Option<Waker>>);

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        let waker = self.0.lock().expect("no panic").take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// How often, and how, the future of a case is polled.
#[derive(Clone)]
pub(crate) struct Polls {
    pub(crate) count: usize,
    mode: Mode,
    foreign: Arc<Foreign>,
}

impl Polls {
    /// Polls `future` so many times, and drops it in the last poll; what it gave, if it was ready by then.
    pub(crate) async fn of<F: IntoFuture>(&self, future: F) -> Option<F::Output> {
        let mut future = Some(Box::pin(future.into_future()));
        let mut left = self.count;
        std::future::poll_fn(|cx| {
            let Some(inside) = future.as_mut().filter(|_| left > 0) else {
                future = None;
                return Poll::Ready(None);
            };
            left -= 1;
            let polled = if self.mode == Mode::Foreign {
                *self.foreign.0.lock().expect("no panic") = Some(cx.waker().clone());
                let waker = Waker::from(Arc::clone(&self.foreign));
                inside.as_mut().poll(&mut Context::from_waker(&waker))
            } else {
                inside.as_mut().poll(cx)
            };
            match polled {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if left == 0 => {
                    future = None;
                    Poll::Ready(None)
                }
                Poll::Pending => {
                    if self.mode == Mode::Spurious {
                        cx.waker().wake_by_ref();
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// Runs `case` with one poll more each time, until its future was ready; `waits`: which it never is at its first poll.
pub(crate) fn at_every_poll(case: &Case, waits: bool) {
    for workers in [1, 2] {
        for mode in [Mode::Woken, Mode::Foreign, Mode::Spurious] {
            let builder = Runtime::builder().workers(workers).virtual_time();
            let runtime = builder.build().expect("a runtime can be built");
            let main = async {
                // A future that is polled and polled keeps the time from moving, and may never be ready.
                let most = if mode == Mode::Spurious { 8 } else { 100 };
                for count in 0..=most {
                    println!("{}: {count} polls, {mode:?}, {workers} workers", case.name);
                    if once(case, count, mode).await {
                        assert!(!waits || count > 1, "it never waited: there is nothing to drop");
                        return;
                    }
                }
                assert_eq!(mode, Mode::Spurious, "never ready");
            };
            runtime.run(main).expect("main ends");
            let report = runtime.shutdown(Duration::from_secs(30));
            assert!(report.is_clean() && report.cancelled.is_empty(), "{report}");
        }
    }
}

async fn once(case: &Case, count: usize, mode: Mode) -> bool {
    let foreign = Arc::new(Foreign(Mutex::new(None)));
    let polls = Polls { count, mode, foreign: Arc::clone(&foreign) };
    let ended = time::timeout(Duration::from_secs(3600), (case.run)(polls)).await;
    let ended = ended.expect("something was lost: an hour has passed");
    until("no task is left", || task::all().len() == 1).await;
    until("nobody keeps its waker", || Arc::strong_count(&foreign) == 1).await;
    ended
}

/// What the driver has to see.
pub(crate) const BROKEN: &[Case] = &[
    Case { name: "leaves a task", run: |polls| Box::pin(leaves_a_task(polls)) },
    Case { name: "keeps the waker", run: |polls| Box::pin(keeps_the_waker(polls)) },
    Case { name: "keeps a child", run: |polls| Box::pin(keeps_a_child(polls)) },
    Case { name: "is never ready", run: |polls| Box::pin(is_never_ready(polls)) },
];

async fn leaves_a_task(polls: Polls) -> bool {
    drop(kasasagi::spawn(std::future::pending::<()>()));
    polls.of(time::sleep(Duration::from_millis(1))).await.is_some()
}

async fn keeps_the_waker(polls: Polls) -> bool {
    let keeps = std::future::poll_fn(|cx| {
        std::mem::forget(cx.waker().clone());
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    let _ = polls.of(keeps).await;
    polls.count > 3
}

async fn keeps_a_child(polls: Polls) -> bool {
    let world = World::default();
    std::mem::forget(world.child(1));
    let _ = polls.of(world.child(1)).await;
    world.gone().await;
    polls.count > 3
}

async fn is_never_ready(polls: Polls) -> bool {
    let never = std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    polls.of(never).await.is_some()
}
