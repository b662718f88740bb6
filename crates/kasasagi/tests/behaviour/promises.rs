//! How long anybody can be kept waiting, and what faults do: the table of `docs/src/architecture/scheduler.md`.

use crate::flavour::{on_each, run};
use kasasagi::{Runtime, net, spawn, spawn_local, time, yield_now};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// Twenty rounds: the median below 20 ms, none above 500.
fn bounded(mut round: impl FnMut() -> Duration) {
    let mut times: Vec<_> = (0..20).map(|_| round()).collect();
    times.sort();
    assert!(times[10] < Duration::from_millis(20), "median too late: {times:?}");
    assert!(times[19] < Duration::from_millis(500), "one too late: {times:?}");
}

/// Two workers; main blocks its own in a poll until `meanwhile`'s message comes, and tells how long it took.
fn behind_a_blocked_main(meanwhile: impl Fn(mpsc::Sender<()>)) {
    let runtime = Runtime::builder().workers(2).build().expect("a runtime");
    bounded(|| {
        run(&runtime, async {
            let (send, receive) = mpsc::channel();
            meanwhile(send);
            let start = Instant::now();
            receive.recv_timeout(Duration::from_secs(20)).expect("it is served meanwhile");
            start.elapsed()
        })
    });
}

#[test]
fn a_task_in_the_slot_behind_a_blocking_poll_is_served_by_an_idle_worker() {
    behind_a_blocked_main(|send| drop(spawn(async move { send.send(()) })));
}

#[test]
fn tasks_in_the_queue_behind_a_blocking_poll_are_served_by_an_idle_worker() {
    behind_a_blocked_main(|send| {
        for _ in 0..9 {
            drop(spawn(async {}));
        }
        drop(spawn(async move { send.send(()) }));
    });
}

#[test]
fn a_timer_behind_a_blocking_poll_is_fired_by_an_idle_worker() {
    let runtime = Runtime::builder().workers(2).build().expect("a runtime");
    bounded(|| {
        run(&runtime, async {
            let (send, receive) = mpsc::channel();
            let (ready, started) = mpsc::channel();
            drop(spawn(async move {
                let mut sleep = std::pin::pin!(time::sleep(Duration::from_millis(5)));
                let mut ready = Some(ready);
                poll_fn(|cx| {
                    let poll = sleep.as_mut().poll(cx);
                    if let Some(ready) = ready.take() {
                        let _ = ready.send(());
                    }
                    poll
                })
                .await;
                let _ = send.send(Instant::now());
            }));
            // Lets the task register its timer with this worker, as a rule, before it is blocked.
            yield_now().await;
            started.recv_timeout(Duration::from_secs(20)).expect("it starts");
            let due = Instant::now() + Duration::from_millis(5);
            let fired = receive.recv_timeout(Duration::from_secs(20)).expect("it fires");
            fired.saturating_duration_since(due)
        })
    });
}

#[test]
fn an_event_behind_a_blocking_poll_is_seen_by_an_idle_worker() {
    let runtime = Runtime::builder().workers(2).build().expect("a runtime");
    bounded(|| {
        run(&runtime, async {
            let listener = net::TcpListener::bind("127.0.0.1:0").await.expect("it listens");
            let address = listener.local_addr().expect("it has an address");
            let server = spawn(async move { listener.accept().await.expect("it accepts").0 });
            let client = net::TcpStream::connect(address).await.expect("it connects");
            let served = server.await.expect("it ends");
            let (send, receive) = mpsc::channel();
            let (ready, started) = mpsc::channel();
            drop(spawn(async move {
                ready.send(()).expect("main listens");
                let mut byte = [0];
                served.read_exact(&mut byte).await.expect("a byte comes");
                let _ = send.send(());
            }));
            yield_now().await;
            started.recv_timeout(Duration::from_secs(20)).expect("it starts");
            client.write_all(b"x").await.expect("it is sent");
            let start = Instant::now();
            receive.recv_timeout(Duration::from_secs(20)).expect("it is seen");
            start.elapsed()
        })
    });
}

#[test]
fn mt_06_two_tasks_that_wake_each_other_do_not_starve_the_queue() {
    let runtime = Runtime::builder().current_thread().build().expect("a runtime");
    run(&runtime, async {
        let wakers: Arc<Mutex<[Option<Waker>; 2]>> = Arc::default();
        let polls = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let players: Vec<_> = (0..2)
            .map(|me| {
                let (wakers, polls, stop) =
                    (Arc::clone(&wakers), Arc::clone(&polls), Arc::clone(&stop));
                spawn(poll_fn(move |cx| {
                    polls.fetch_add(1, Ordering::Relaxed);
                    let mut wakers = wakers.lock().expect("no panic");
                    wakers[me] = Some(cx.waker().clone());
                    let other = wakers[1 - me].take();
                    drop(wakers);
                    if let Some(other) = other {
                        other.wake();
                    }
                    if stop.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
                }))
            })
            .collect();
        for _ in 0..10 {
            yield_now().await;
        }
        let before = polls.load(Ordering::Relaxed);
        spawn(async {}).await.expect("it ends");
        let between = polls.load(Ordering::Relaxed) - before;
        assert!(between <= 20, "{between} polls of the two before one place in the queue moved");
        stop.store(true, Ordering::Relaxed);
        drop(players);
    });
}

#[test]
fn the_injector_timers_and_events_are_served_while_all_workers_are_busy() {
    on_each(|runtime| {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..8 {
            let stop = Arc::clone(&stop);
            drop(runtime.handle().spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    yield_now().await;
                }
            }));
        }
        let handle = runtime.handle();
        let outside = std::thread::spawn(move || {
            bounded(|| {
                let start = Instant::now();
                handle.block_on(handle.spawn(async {})).expect("it ends");
                start.elapsed()
            });
        });
        run(runtime, async {
            let mut late: Vec<_> = Vec::new();
            for _ in 0..20 {
                let start = Instant::now();
                time::sleep(Duration::from_millis(1)).await;
                late.push(start.elapsed());
            }
            late.sort();
            assert!(late[10] < Duration::from_millis(20), "{late:?}");
            while !outside.is_finished() {
                yield_now().await;
            }
        });
        stop.store(true, Ordering::Relaxed);
        outside.join().expect("in time");
    });
}

#[test]
fn a_pinned_task_has_its_turn_among_many_others() {
    let runtime = Runtime::builder().current_thread().build().expect("a runtime");
    run(&runtime, async {
        let polls = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let polls = Arc::clone(&polls);
            drop(spawn(async move {
                loop {
                    polls.fetch_add(1, Ordering::Relaxed);
                    yield_now().await;
                }
            }));
        }
        yield_now().await;
        let before = polls.load(Ordering::Relaxed);
        spawn_local(async {}).await.expect("it ends");
        let between = polls.load(Ordering::Relaxed) - before;
        assert!(between <= 10, "{between} polls of others before a pinned task had its turn");
    });
}

#[test]
fn mt_05_a_task_that_is_always_ready_lets_others_run() {
    use futures_util::FutureExt;
    let runtime = Runtime::builder().current_thread().build().expect("a runtime");
    run(&runtime, async {
        let semaphore = Arc::new(kasasagi::sync::Semaphore::new(1));
        let turn = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&turn);
        drop(spawn(async move { theirs.store(true, Ordering::Relaxed) }));
        let mut taken = 0;
        while !turn.load(Ordering::Relaxed) {
            drop(semaphore.acquire().await.expect("it is open"));
            taken += 1;
            assert!(taken < 1000, "the budget was spent long ago");
        }
        assert!(taken >= 100, "and not at once: {taken}");
        assert!(semaphore.acquire().now_or_never().is_some());
    });
}

#[test]
fn mt_10_a_waker_may_be_kept_cloned_woken_and_dropped_after_its_runtime() {
    for workers in [1, 2] {
        let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
        let runtime = Runtime::builder().workers(workers).build().expect("a runtime");
        run(&runtime, async {
            for _ in 0..100 {
                let wakers = Arc::clone(&wakers);
                drop(spawn(poll_fn(move |cx| {
                    wakers.lock().expect("no panic").push(cx.waker().clone());
                    Poll::<()>::Pending
                })));
            }
            while wakers.lock().expect("no panic").len() < 100 {
                yield_now().await;
            }
        });
        drop(runtime);
        let wakers = std::mem::take(&mut *wakers.lock().expect("no panic"));
        let clones = wakers.clone();
        for (i, waker) in wakers.into_iter().enumerate() {
            waker.wake_by_ref();
            if i % 2 == 0 { waker.wake() } else { drop(waker) }
        }
        std::thread::spawn(move || clones.into_iter().for_each(Waker::wake)).join().expect("inert");
    }
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("in drop");
        }
    }
}

#[test]
fn a_panic_in_a_poll_a_drop_or_a_waker_stays_with_its_task() {
    on_each(|runtime| {
        run(runtime, async {
            // In a future's drop, after its value.
            let held = PanicsInDrop;
            let task = spawn(async move {
                let _held = held;
            });
            assert!(task.await.is_err_and(|error| error.is_panic()));
            // In a future's drop, by cancellation.
            let task = spawn(async {
                let _held = PanicsInDrop;
                std::future::pending::<()>().await;
            });
            while task.handle().info().wait.is_some() {
                yield_now().await;
            }
            yield_now().await;
            task.cancel();
            let error = task.await.expect_err("cancelled, or panicked at that");
            assert!(error.is_panic() || error.is_cancelled());
            // In an output's drop.
            let task = spawn(async { PanicsInDrop });
            while !task.is_finished() {
                yield_now().await;
            }
            drop(task);
            drop(spawn(async { PanicsInDrop }));
            // In a waker.
            struct Angry;
            impl std::task::Wake for Angry {
                fn wake(self: Arc<Self>) {
                    panic!("in wake");
                }
            }
            let mut task = spawn(async { yield_now().await });
            let angry = Waker::from(Arc::new(Angry));
            let mut polled = std::pin::pin!(async { (&mut task).await.is_ok() });
            let _ = polled.as_mut().poll(&mut std::task::Context::from_waker(&angry));
            drop(spawn(async {}).await);
            assert_eq!(spawn(async { 1 }).await.ok(), Some(1));
        });
    });
}

#[test]
fn mt_12_idle_workers_sleep() {
    let runtime = Runtime::builder().workers(4).build().expect("a runtime");
    run(&runtime, async {
        drop(spawn(async {}).await);
        // Past the time in which the watch and the trims still tick.
        time::sleep(Duration::from_millis(400)).await;
        let parks =
            |metrics: &kasasagi::Metrics| metrics.seats.iter().map(|seat| seat.parks).sum::<u64>();
        let handle = kasasagi::Handle::current();
        let before = parks(&handle.metrics());
        time::sleep(Duration::from_millis(500)).await;
        let between = parks(&handle.metrics()) - before;
        assert!(between <= 40, "{between} sleeps in half a second of idleness");
    });
}
