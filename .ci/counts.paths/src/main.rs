//! Runs one hot path `n` times on one thread: `paths NAME n`. Prints the allocations that the `n` times made.
//!
//! What starting and stopping cost falls out of the difference between two runs with different `n`.

mod meeting;

use kasasagi::{FutureExt, Runtime, TaskGroup, gather, net, spawn, time, yield_now};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const HOUR: Duration = Duration::from_secs(3600);

async fn spawn_join(n: usize) {
    for i in 0..n {
        assert_eq!(spawn(async move { black_box(i) }).await.ok(), Some(i));
    }
}

async fn spawn_eager(n: usize) {
    for i in 0..n {
        assert_eq!(spawn(async move { black_box(i) }.eager()).await.ok(), Some(i));
    }
}

async fn spawn_join_batch(n: usize) {
    for _ in 0..n / 100 {
        let tasks: Vec<_> = (0..100_usize).map(|i| spawn(async move { black_box(i) })).collect();
        for task in tasks {
            task.await.expect("it ends");
        }
    }
}

/// A gather of ten tasks that are ready; a time is one of the ten.
async fn gather_ten(n: usize) {
    for _ in 0..n / 10 {
        let outputs = gather((0..10_usize).map(|i| async move { black_box(i) })).await;
        assert_eq!(outputs.len(), 10);
    }
}

/// A group of ten children that are ready; a time is one of the ten.
async fn group_ten(n: usize) {
    for _ in 0..n / 10 {
        let group = TaskGroup::<Infallible>::scope(|tg| async move {
            for i in 0..10_usize {
                tg.spawn(async move { assert!(black_box(i) < 10) });
            }
            Ok(())
        });
        group.await.expect("nothing fails");
    }
}

async fn spawn_detached(n: usize) {
    for _ in 0..n / 100 {
        (1..100_usize).for_each(|i| drop(spawn(async move { _ = black_box(i) })));
        // First in, first out: all of them have ended when the last one has.
        spawn(async {}).await.expect("it ends");
    }
}

/// A task that is woken by another, by reference, and waits again.
async fn wake_by_ref(n: usize) {
    let place: Arc<Mutex<Option<Waker>>> = Arc::default();
    let over = Arc::new(AtomicBool::new(false));
    let (kept, ends) = (Arc::clone(&place), Arc::clone(&over));
    let sleeper = spawn(poll_fn(move |cx| {
        if ends.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        let mut kept = kept.lock().expect("no panic");
        if kept.is_none() {
            *kept = Some(cx.waker().clone());
        }
        Poll::Pending
    }));
    yield_now().await;
    let waker = place.lock().expect("no panic").clone().expect("it was polled");
    for _ in 0..n {
        waker.wake_by_ref();
        yield_now().await;
    }
    over.store(true, Ordering::Relaxed);
    waker.wake();
    sleeper.await.expect("it ends");
}

async fn yields(n: usize) {
    for _ in 0..n {
        yield_now().await;
    }
}

/// Two tasks that hand a turn to each other.
async fn ping_pong(n: usize) {
    let table = Rc::new(RefCell::new((0_usize, [None::<Waker>, None])));
    let side = |me: usize| {
        let table = Rc::clone(&table);
        let mut played = 0;
        poll_fn(move |cx| {
            let mut at = table.borrow_mut();
            if at.0 % 2 == me {
                at.0 += 1;
                played += 1;
                if let Some(other) = at.1[1 - me].take() {
                    other.wake();
                }
            }
            if played == n {
                return Poll::Ready(());
            }
            at.1[me] = Some(cx.waker().clone());
            Poll::Pending
        })
    };
    let (one, two) = (kasasagi::spawn_local(side(0)), kasasagi::spawn_local(side(1)));
    one.await.expect("it ends");
    two.await.expect("it ends");
}

/// Registers a timer and drops it.
async fn sleep_cancel(n: usize) {
    for _ in 0..n {
        let mut sleep = pin!(time::sleep(HOUR));
        poll_fn(|cx| {
            assert!(sleep.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
}

/// Tasks that sleep are cancelled, and waited for; their spawns are in it.
async fn cancel_asleep(n: usize) {
    for _ in 0..n / 100 {
        let tasks: Vec<_> = (0..100).map(|_| spawn(time::sleep(HOUR))).collect();
        // First in, first out: all of them sleep when this one has ended.
        spawn(async {}).await.expect("it ends");
        tasks.iter().for_each(|task| assert!(task.cancel(), "it sleeps"));
        for task in tasks {
            assert!(task.await.is_err_and(|error| error.is_cancelled()), "it was asked to end");
        }
    }
}

async fn timeout_ready(n: usize) {
    for i in 0..n {
        let soon = time::timeout(HOUR, std::future::ready(i));
        assert_eq!(soon.await.ok(), Some(i));
    }
}

/// A message of 64 bytes there and back, both ends on this thread.
async fn echo(n: usize) {
    let listener = net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let server = spawn(async move {
        let (stream, _) = listener.accept().await.expect("somebody connects");
        let mut buffer = [0; 64];
        while stream.read_exact(&mut buffer).await.is_ok() {
            stream.write_all(&buffer).await.expect("the client reads");
        }
    });
    let stream = net::TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("it is a socket");
    let mut buffer = [7; 64];
    for _ in 0..n {
        stream.write_all(&buffer).await.expect("the server reads");
        stream.read_exact(&mut buffer).await.expect("the server answers");
    }
    drop(stream);
    server.await.expect("it ends");
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("the name of a path");
    let n: usize = arguments.next().and_then(|n| n.parse().ok()).expect("how many times");
    let runtime = Runtime::builder().current_thread().build().expect("a runtime");
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let ran = match path.as_str() {
        "spawn_eager" => runtime.run(spawn_eager(n)),
        "spawn_join" => runtime.run(spawn_join(n)),
        "spawn_join_batch" => runtime.run(spawn_join_batch(n)),
        "gather_ten" => runtime.run(gather_ten(n)),
        "group_ten" => runtime.run(group_ten(n)),
        "spawn_detached" => runtime.run(spawn_detached(n)),
        "wake_by_ref" => runtime.run(wake_by_ref(n)),
        "yield_now" => runtime.run(yields(n)),
        "ping_pong" => runtime.run(ping_pong(n)),
        "sleep_cancel" => runtime.run(sleep_cancel(n)),
        "cancel_asleep" => runtime.run(cancel_asleep(n)),
        "timeout_ready" => runtime.run(timeout_ready(n)),
        "echo" => runtime.run(echo(n)),
        other => runtime.run(meeting::path(other)(n)),
    };
    ran.expect("main ends");
    println!("{}", ALLOCATIONS.load(Ordering::Relaxed) - before);
}
