//! How long a task can be kept waiting: a test for each bound of `docs/src/architecture/scheduler.md`.

use crate::flavour::{for_one_worker, for_several_workers, limited, two};
use crate::hand::{LIMIT, Telling, compute, median};
use kasasagi::net::{TcpListener, TcpStream};
use kasasagi::time::sleep;
use kasasagi::{Runtime, Task, spawn, spawn_local, yield_now};
use std::future::poll_fn;
use std::io::Write;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// What each of these waits may take, on a machine that does other things as well: at the median, and at most.
const USUAL: Duration = Duration::from_millis(20);
const MOST: Duration = Duration::from_millis(500);

const ROUNDS: usize = 20;

#[track_caller]
fn assert_served(what: &str, waits: &[Duration]) {
    let most = waits.iter().max().expect("there were rounds");
    println!("{what}: {:?} at the median of {}, {most:?} at most", median(waits), waits.len());
    assert!(median(waits) <= USUAL, "{what}: {waits:?}");
    assert!(*most <= MOST, "{what}: {waits:?}");
}

/// Two tasks that do nothing but wake each other.
struct PingPong {
    polls: AtomicUsize,
    wakers: Mutex<[Option<Waker>; 2]>,
    stop: AtomicBool,
}

impl PingPong {
    fn start() -> (Arc<Self>, [Task<()>; 2]) {
        let this = Arc::new(Self {
            polls: AtomicUsize::new(0),
            wakers: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let tasks = [0, 1].map(|me| {
            let this = Arc::clone(&this);
            spawn(poll_fn(move |cx| this.poll(me, cx)))
        });
        (this, tasks)
    }

    fn poll(&self, me: usize, cx: &Context<'_>) -> Poll<()> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        let other = {
            let mut wakers = self.wakers.lock().expect("no panic");
            wakers[me] = Some(cx.waker().clone());
            wakers[1 - me].take()
        };
        if let Some(other) = other {
            other.wake();
        }
        if self.stop.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[test]
fn a_queued_task_waits_for_five_polls_of_a_ping_pong_at_most() {
    for_one_worker(|build| {
        let waits = build().run(async {
            let (pair, tasks) = PingPong::start();
            while pair.polls.load(Ordering::SeqCst) < 100 {
                yield_now().await;
            }
            let mut all = Vec::new();
            for _ in 0..ROUNDS {
                let start = pair.polls.load(Ordering::SeqCst);
                let queued: Vec<_> = (0..8)
                    .map(|_| {
                        let pair = Arc::clone(&pair);
                        spawn(async move { pair.polls.load(Ordering::SeqCst) - start })
                    })
                    .collect();
                // Main is pinned, and would take every second turn: it waits until all is over.
                let mut waits = Vec::new();
                for task in queued.into_iter().rev() {
                    waits.insert(0, task.await.expect("it ends"));
                }
                all.push(waits);
            }
            pair.stop.store(true, Ordering::SeqCst);
            for task in tasks {
                task.await.expect("it ends");
            }
            all
        });
        for waits in waits.expect("main ends") {
            for (position, wait) in waits.iter().enumerate() {
                assert!(*wait <= 5 * (position + 1), "position {position} of {waits:?}");
            }
        }
    });
}

/// Keeps every worker busy with tasks that yield until it is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn start(runtime: &Runtime, poll: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = 3 * runtime.handle().metrics().seats.len();
        for _ in 0..tasks {
            let stop = Arc::clone(&stop);
            drop(runtime.handle().spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    compute(poll);
                    yield_now().await;
                }
            }));
        }
        Self(stop)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn while_all_are_busy(test: impl Fn(&Runtime)) {
    let busy = |build: fn() -> Runtime| {
        let runtime = build();
        let (stop, stopped) = futures_channel::oneshot::channel::<()>();
        std::thread::scope(|scope| {
            let _busy = Busy::start(&runtime, Duration::from_micros(20));
            scope.spawn(|| runtime.run(async { stopped.await.expect("it is told") }));
            test(&runtime);
            stop.send(()).expect("main waits");
        });
    };
    for_one_worker(busy);
    for_several_workers(busy);
}

#[test]
fn a_task_from_outside_is_served_while_all_workers_are_busy() {
    while_all_are_busy(|runtime| {
        let waits: Vec<_> = (0..ROUNDS)
            .map(|_| {
                let (tell, told) = channel();
                let start = Instant::now();
                drop(runtime.handle().spawn(async move { tell.send(Instant::now()) }));
                told.recv_timeout(LIMIT).expect("it runs") - start
            })
            .collect();
        assert_served("a task from outside", &waits);
    });
}

#[test]
fn timers_fire_while_all_workers_are_busy() {
    while_all_are_busy(|runtime| {
        let (tell, told) = channel();
        drop(runtime.handle().spawn(async move {
            for _ in 0..ROUNDS {
                let due = Instant::now() + Duration::from_millis(2);
                sleep(Duration::from_millis(2)).await;
                let _ = tell.send(Instant::now().saturating_duration_since(due));
            }
        }));
        let waits: Vec<_> =
            (0..ROUNDS).map(|_| told.recv_timeout(LIMIT).expect("it fires")).collect();
        assert_served("a timer", &waits);
    });
}

#[test]
fn events_are_seen_while_all_workers_are_busy() {
    while_all_are_busy(|runtime| {
        let (stream, mut peer) = connection(runtime);
        let (tell, told) = channel();
        drop(runtime.handle().spawn(async move {
            let mut byte = [0];
            while stream.read(&mut byte).await.is_ok_and(|n| n == 1) {
                let _ = tell.send(Instant::now());
            }
        }));
        let waits: Vec<_> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                peer.write_all(b"x").expect("a byte fits");
                told.recv_timeout(LIMIT).expect("it is read") - start
            })
            .collect();
        assert_served("an event", &waits);
    });
}

/// A stream of the runtime, and its other end, which blocks.
fn connection(runtime: &Runtime) -> (TcpStream, std::net::TcpStream) {
    runtime.handle().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let peer = std::net::TcpStream::connect(address).expect("the backlog has room");
        peer.set_nodelay(true).expect("a socket has the option");
        let (stream, _) = listener.accept().await.expect("somebody connects");
        (stream, peer)
    })
}

/// Runs `blocking` in a poll, many times, with one worker more than it blocks: in main, then in a task.
///
/// It returns how long it had to wait, and it must not return before it was served or the limit passed.
fn beside_a_blocking_poll(what: &str, blocking: impl Fn() -> Duration + Send + Sync + 'static) {
    limited(|| {
        let runtime = two();
        let blocking = Arc::new(blocking);
        let waits = runtime.run(async {
            let mut in_main = Vec::new();
            let mut in_task = Vec::new();
            for _ in 0..ROUNDS {
                // From rest, as well as from amidst work.
                sleep(Duration::from_millis(3)).await;
                in_main.push(blocking());
                let blocking = Arc::clone(&blocking);
                let task = spawn(async move {
                    yield_now().await;
                    blocking()
                });
                in_task.push(task.await.expect("it ends"));
            }
            (in_main, in_task)
        });
        let (in_main, in_task) = waits.expect("main ends");
        assert_served(&format!("{what} behind main"), &in_main);
        assert_served(&format!("{what} behind a task"), &in_task);
    });
}

#[test]
fn a_slot_task_behind_a_blocking_poll_is_served() {
    beside_a_blocking_poll("the task in the slot", || {
        let (tell, told) = channel();
        let start = Instant::now();
        drop(spawn(async move { tell.send(Instant::now()) }));
        told.recv_timeout(LIMIT).expect("it runs") - start
    });
}

#[test]
fn a_queued_task_behind_a_blocking_poll_is_served() {
    beside_a_blocking_poll("a queued task", || {
        let (tell, told) = channel();
        let start = Instant::now();
        drop(spawn(async {}));
        for _ in 0..3 {
            let tell = tell.clone();
            drop(spawn(async move { tell.send(Instant::now()) }));
        }
        (0..3).map(|_| told.recv_timeout(LIMIT).expect("it runs") - start).max().expect("three")
    });
}

#[test]
fn a_timer_behind_a_blocking_poll_is_served() {
    beside_a_blocking_poll("a timer", || {
        let (waker, told) = Telling::waker();
        let time = Duration::from_millis(2);
        let mut nap = pin!(sleep(time));
        // In the shard of this very worker.
        assert!(nap.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let due = Instant::now() + time;
        told.recv_timeout(LIMIT).expect("it fires").saturating_duration_since(due)
    });
}

#[test]
fn an_event_behind_a_blocking_poll_is_seen() {
    limited(|| {
        let runtime = two();
        let (stream, mut peer) = connection(&runtime);
        let (stream, clone) = (Arc::new(stream), peer.try_clone().expect("a socket has copies"));
        let (tell, told) = channel::<Duration>();
        // The worker that attended the reactor is the one that blocks: it was woken by an event.
        let task = runtime.handle().spawn(async move {
            let mut peer = clone;
            let mut byte = [0];
            for _ in 0..ROUNDS {
                assert_eq!(stream.read(&mut byte).await.expect("a byte comes"), 1);
                let (waker, woken) = Telling::waker();
                {
                    let mut more = [0];
                    let mut read = pin!(stream.read(&mut more));
                    assert!(read.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                    let start = Instant::now();
                    peer.write_all(b"y").expect("a byte fits");
                    let seen = woken.recv_timeout(LIMIT).expect("it is seen");
                    let _ = tell.send(seen - start);
                }
                assert_eq!(stream.read(&mut byte).await.expect("a byte is there"), 1);
            }
        });
        let waits = runtime
            .run(async {
                let mut waits = Vec::new();
                for _ in 0..ROUNDS {
                    sleep(Duration::from_millis(3)).await;
                    peer.write_all(b"x").expect("a byte fits");
                    while waits.len() < ROUNDS {
                        if let Ok(wait) = told.try_recv() {
                            waits.push(wait);
                            break;
                        }
                        sleep(Duration::from_micros(200)).await;
                    }
                }
                drop(peer);
                waits
            })
            .expect("main ends");
        assert_eq!(waits.len(), ROUNDS);
        assert_served("an event", &waits);
        runtime.handle().block_on(task).expect("it has had its rounds");
    });
}

#[test]
fn a_local_task_has_every_second_turn() {
    for_one_worker(|build| {
        let most = build().run(async {
            let polls = Arc::new(AtomicUsize::new(0));
            let stop = Arc::new(AtomicBool::new(false));
            for _ in 0..100 {
                let (polls, stop) = (Arc::clone(&polls), Arc::clone(&stop));
                drop(spawn(async move {
                    while !stop.load(Ordering::SeqCst) {
                        polls.fetch_add(1, Ordering::SeqCst);
                        yield_now().await;
                    }
                }));
            }
            let measure = async |polls: &AtomicUsize| {
                let mut most = 0;
                for _ in 0..1000 {
                    let before = polls.load(Ordering::SeqCst);
                    yield_now().await;
                    most = most.max(polls.load(Ordering::SeqCst) - before);
                }
                most
            };
            // Main itself, alone among the pinned; and then another beside it.
            let main = measure(&polls).await;
            let counted = Arc::clone(&polls);
            let local = spawn_local(async move { measure(&counted).await });
            let local = local.await.expect("it ends");
            stop.store(true, Ordering::SeqCst);
            (main, local)
        });
        let (main, local) = most.expect("main ends");
        // One poll of the queue between two turns of the pinned; the slot may add its four.
        assert!(main <= 5 && local <= 5, "main waited for {main} polls, a local task for {local}");
    });
}

#[test]
fn main_that_is_woken_has_a_turn_soon_while_its_worker_is_busy() {
    for_one_worker(|build| {
        let runtime = build();
        let waits = runtime.run(async {
            let _busy = Busy::start(&runtime, Duration::from_micros(20));
            let mut waits = Vec::new();
            for _ in 0..ROUNDS {
                let start = Instant::now();
                let (tell, told) = futures_channel::oneshot::channel();
                let outside = std::thread::spawn(move || tell.send(Instant::now()));
                let sent = told.await.expect("it is sent");
                waits.push(Instant::now() - sent.max(start));
                let _ = outside.join();
            }
            waits
        });
        assert_served("main, woken by a thread", &waits.expect("main ends"));
    });
}
