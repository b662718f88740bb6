//! What does a task that waits occupy, and is the memory given back when a burst is over?
//!
//! And a connection that waits? Heap bytes are what was asked of the allocator, without what that adds; the kernel's
//! own memory of a connection is in neither figure.

use kasasagi_benches::server::{Server, Service};
use kasasagi_benches::{ChildRow, Figure, Peer, Suite, allocator, column, process};
use std::future::pending;
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What this process holds.
struct InUse {
    heap: f64,
    resident: f64,
}

impl InUse {
    fn now() -> Self {
        Self { heap: allocator::bytes_out() as f64, resident: process::resident().0 as f64 }
    }

    /// What came to it since, for each of `n`.
    fn until_now(&self, what: &str, n: usize) -> Vec<Figure> {
        let now = Self::now();
        vec![
            Figure::new(format!("heap bytes a {what}"), (now.heap - self.heap) / n as f64),
            Figure::new(
                format!("resident bytes a {what}"),
                (now.resident - self.resident) / n as f64,
            ),
        ]
    }
}

/// Tasks that wait for an event which never comes; their futures have 32 bytes of state.
struct Idle;

impl ChildRow for Idle {
    fn name(&self) -> String {
        "idle tasks".into()
    }

    fn run<P: Peer>(&self, peer: P, test: bool) -> Vec<Figure> {
        let n = if test { 1_000 } else { 500_000 };
        peer.inside(async move {
            let mut tasks = Vec::with_capacity(n);
            // The pages of the vector must not count.
            tasks.resize_with(n, || None);
            allocator::begin();
            let before = InUse::now();
            let (started, all) = async_channel::unbounded::<()>();
            let mut seen = 0;
            for (i, place) in tasks.iter_mut().enumerate() {
                let started = started.clone();
                *place = Some(peer.spawn(async move {
                    let state = [i as u64; 3];
                    let _ = started.try_send(());
                    drop(started);
                    pending::<()>().await;
                    assert_eq!(state[0], i as u64);
                }));
                while all.try_recv().is_ok() {
                    seen += 1;
                }
                if i % 64 == 0 {
                    P::yield_now().await;
                }
            }
            while seen < n {
                all.recv().await.expect("a sender is here");
                seen += 1;
            }
            let figures = before.until_now("task", n);
            std::mem::forget(tasks);
            figures
        })
    }

    fn floor(&self, test: bool) -> Option<Vec<Figure>> {
        let n = if test { 1_000 } else { 500_000 };
        let mut boxes: Vec<Option<Pin<Box<dyn Future<Output = ()>>>>> = Vec::with_capacity(n);
        boxes.resize_with(n, || None);
        allocator::begin();
        let before = InUse::now();
        for (i, place) in boxes.iter_mut().enumerate() {
            let mut future = Box::pin(async move {
                let state = [i as u64; 3];
                pending::<()>().await;
                assert_eq!(state[0], i as u64);
            });
            assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            *place = Some(future);
        }
        let figures = before.until_now("task", n);
        std::mem::forget(boxes);
        Some(figures)
    }
}

/// Where tasks wait without memory of their own: a queue's would stay in malloc, and hide what stays of the tasks.
#[derive(Default)]
struct Gate {
    open: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Gate {
    fn waiting(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.waiting.lock().expect("nobody panics")
    }

    fn passed(&'static self) -> impl Future<Output = ()> + Send {
        std::future::poll_fn(|cx| {
            let mut waiting = self.waiting();
            if self.open.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            waiting.push(cx.waker().clone());
            Poll::Pending
        })
    }

    fn open(&self) {
        self.open.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut *self.waiting());
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// A burst of tasks that live at the same time, and what is left when they are gone.
struct Burst;

impl ChildRow for Burst {
    fn name(&self) -> String {
        "after a burst of tasks".into()
    }

    fn run<P: Peer>(&self, peer: P, test: bool) -> Vec<Figure> {
        let n: usize = if test { 1_000 } else { 500_000 };
        let resident = || process::resident().0 as f64 / 1e6;
        let before = resident();
        let peak = peer.inside(async move {
            let gate: &'static Gate = Box::leak(Box::default());
            gate.waiting().reserve(n);
            let tasks: Vec<_> = (0..n).map(|_| peer.spawn(gate.passed())).collect();
            for _ in 0..100 {
                P::yield_now().await;
            }
            let peak = resident();
            gate.open();
            for task in tasks {
                task.await;
            }
            peak
        });
        // Who gives memory back does so in a quiet moment; two seconds of quiet, and a turn now and then.
        for _ in 0..if test { 1 } else { 20 } {
            peer.inside(async { P::sleep(Duration::from_millis(100)).await });
        }
        vec![
            Figure::new("MB at the peak", peak - before),
            Figure::new("MB left", resident() - before),
        ]
    }
}

const CONNECTIONS: usize = 5_000;

/// Connections of a server, each with a task that waits for a message and a buffer of 64 bytes.
fn idle_connections(suite: &Suite) {
    if suite.strace {
        return;
    }
    let most = CONNECTIONS.min(process::open_files().saturating_sub(200));
    let note =
        (most < CONNECTIONS).then(|| format!("{most} connections: no more files may be open here"));
    let n = if suite.test { 20 } else { most };
    suite.children("idle TCP connections", note.as_deref(), &[], |index| {
        let serves = index < column::PEERS || column::NAMES[index] == column::FLOOR;
        if !serves {
            return Vec::new();
        }
        let mut server = Server::start(suite, Service::Idle, index);
        let before = server.count();
        let connect = |_| TcpStream::connect(server.addresses[0]).expect("the server listens");
        let clients: Vec<_> = (0..n).map(connect).collect();
        let mut after = server.wait_for(n);
        // Accepted, and not yet asleep: what it holds is counted when that has stopped to change.
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(50));
            let now = server.usage();
            let still = now.heap == after.heap && now.resident == after.resident;
            after = now;
            if still {
                break;
            }
        }
        drop(clients);
        server.end();
        vec![
            Figure::new("heap bytes a connection", (after.heap - before.heap) / n as f64),
            Figure::new(
                "resident bytes a connection",
                (after.resident - before.resident) / n as f64,
            ),
        ]
    });
}

pub(crate) fn rows(suite: &Suite) {
    suite.child_row(&Idle);
    idle_connections(suite);
    suite.child_row(&Burst);
}
