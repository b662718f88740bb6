//! Panics, wherever foreign code runs: in a poll, in a drop, in a waker.

use crate::flavour::{for_each_flavour, for_one_worker};
use crate::hand::{CountDrop, LIMIT, text_of, until};
use futures_channel::oneshot;
use kasasagi::time::sleep;
use kasasagi::{Runtime, Task, spawn, yield_now};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::Duration;

/// Panics when it is dropped, unless it is dropped by a panic.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "{}", self.0);
    }
}

/// The runtime works as ever.
fn assert_works(runtime: &Runtime) {
    let sum = runtime.run(async {
        let tasks: Vec<_> = (1..=100)
            .map(|n| {
                spawn(async move {
                    yield_now().await;
                    n
                })
            })
            .collect();
        sleep(Duration::from_millis(1)).await;
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("it ends");
        }
        assert_eq!(kasasagi::task::all().len(), 1, "{:?}", kasasagi::task::all());
        sum
    });
    assert_eq!(sum.expect("main ends"), 5050);
}

async fn panic_text<T>(task: Task<T>) -> String {
    let error = task.await.err().expect("it panicked");
    text_of(&*error.into_panic().expect("it panicked"))
}

#[test]
fn a_panic_in_a_poll_drops_the_future_and_is_given_to_who_awaits() {
    for_each_flavour(|build| {
        let runtime = build();
        let (kept, dropped) = CountDrop::new();
        runtime
            .run(async move {
                for suspend in [false, true] {
                    let kept = kept.clone();
                    let task = spawn(async move {
                        let _kept = kept;
                        if suspend {
                            yield_now().await;
                        }
                        panic!("in the poll");
                    });
                    assert_eq!(panic_text(task).await, "in the poll");
                }
            })
            .expect("main ends");
        assert_eq!(dropped.load(Ordering::SeqCst), 3);
        assert_works(&runtime);
    });
}

#[test]
fn a_panic_in_the_drop_of_a_cancelled_future_is_the_tasks_panic() {
    for_each_flavour(|build| {
        let runtime = build();
        runtime
            .run(async {
                let (tell, told) = oneshot::channel();
                let task = spawn(async move {
                    let _bomb = Bomb("in the future's drop");
                    let _ = tell.send(());
                    std::future::pending::<()>().await;
                });
                told.await.expect("it begins");
                task.cancel();
                assert_eq!(panic_text(task).await, "in the future's drop");
                // Unpolled, and after its end.
                let bomb = Bomb("in the drop of one that never ran");
                let task = spawn(async move {
                    let _bomb = bomb;
                    std::future::pending::<()>().await;
                });
                task.cancel();
                assert_eq!(panic_text(task).await, "in the drop of one that never ran");
            })
            .expect("main ends");
        assert_works(&runtime);
    });
}

struct Ready(#[expect(dead_code, reason = "for its drop")] Bomb);

impl Future for Ready {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        Poll::Ready(42)
    }
}

#[test]
fn a_panic_in_the_drop_of_a_future_that_is_ready_does_no_harm() {
    for_each_flavour(|build| {
        let runtime = build();
        runtime
            .run(async {
                let ended = spawn(Ready(Bomb("in a ready future's drop"))).await;
                let error = ended.expect_err("its drop panicked");
                assert!(error.to_string().contains("in a ready future's drop"), "{error}");
            })
            .expect("main ends");
        assert_works(&runtime);
    });
}

#[test]
fn a_panic_in_the_drop_of_an_output_does_no_harm() {
    for_each_flavour(|build| {
        let runtime = build();
        runtime
            .run(async {
                // Dropped by the worker, since nobody waits for it.
                let (tell, told) = oneshot::channel();
                let task = spawn(async move {
                    told.await.expect("it is told");
                    Bomb("in an output's drop")
                });
                let reference = task.handle();
                drop(task);
                tell.send(()).expect("it waits");
                until("it ends", || reference.is_finished()).await;
                // Dropped by the handle of an ended task.
                let task = spawn(async { Bomb("in an output's drop") });
                until("it ends", || task.is_finished()).await;
                drop(task);
                // Dropped by its owner: that is the owner's panic.
                let task = spawn(async {
                    drop(spawn(async { Bomb("the owner's") }).await.expect("it ends"));
                });
                assert_eq!(panic_text(task).await, "the owner's");
            })
            .expect("main ends");
        assert_works(&runtime);
    });
}

#[test]
fn a_panic_whose_payload_panics_in_its_drop_does_no_harm() {
    for_each_flavour(|build| {
        let runtime = build();
        runtime
            .run(async {
                let task = spawn(async { std::panic::panic_any(Bomb("in a payload's drop")) });
                let reference = task.handle();
                drop(task);
                until("it ends", || reference.is_finished()).await;
                let task = spawn(async { std::panic::panic_any(Bomb("in a payload's drop")) });
                until("it ends", || task.is_finished()).await;
                drop(task);
            })
            .expect("main ends");
        assert_works(&runtime);
    });
}

/// A waker that panics when it is woken.
struct Angry(AtomicUsize);

impl Wake for Angry {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("in a waker");
    }
}

fn angry() -> (Waker, Arc<Angry>) {
    let angry = Arc::new(Angry(AtomicUsize::new(0)));
    (Arc::clone(&angry).into(), angry)
}

#[test]
fn a_panic_in_the_waker_of_who_waits_for_a_task_does_no_harm() {
    for_each_flavour(|build| {
        let runtime = build();
        runtime
            .run(async {
                for _ in 0..20 {
                    let (tell, told) = oneshot::channel();
                    let mut task = spawn(async move { told.await.expect("it is told") });
                    let (waker, woken) = angry();
                    let poll = pin!(&mut task).poll(&mut Context::from_waker(&waker));
                    assert!(poll.is_pending());
                    tell.send(7).expect("it waits");
                    until("it is woken", || woken.0.load(Ordering::SeqCst) == 1).await;
                    assert_eq!(task.await.expect("it ends"), 7);
                }
            })
            .expect("main ends");
        assert_works(&runtime);
    });
}

#[test]
fn a_panic_in_the_waker_of_a_timer_does_no_harm() {
    for_each_flavour(|build| {
        let runtime = build();
        runtime
            .run(async {
                for _ in 0..5 {
                    let mut naps: Vec<_> =
                        (0..8).map(|_| Box::pin(sleep(Duration::from_millis(2)))).collect();
                    let mut woken = Vec::new();
                    for nap in &mut naps {
                        let (waker, angry) = angry();
                        assert!(nap.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                        woken.push(angry);
                    }
                    // Due at the same time: it must not be lost with the others' panics.
                    let calm = spawn(sleep(Duration::from_millis(2)));
                    until("all are woken", || {
                        woken.iter().all(|angry| angry.0.load(Ordering::SeqCst) == 1)
                    })
                    .await;
                    calm.await.expect("it ends");
                }
            })
            .expect("main ends");
        assert_works(&runtime);
    });
}

#[test]
fn a_panic_in_the_waker_of_a_socket_does_no_harm() {
    use std::io::Write;
    for_each_flavour(|build| {
        let runtime = build();
        runtime
            .run(async {
                let listener =
                    kasasagi::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let address = listener.local_addr().expect("it is bound");
                let mut peer = std::net::TcpStream::connect(address).expect("there is room");
                let (stream, _) = listener.accept().await.expect("somebody connects");
                for _ in 0..5 {
                    let (waker, woken) = angry();
                    let mut byte = [0];
                    {
                        let mut read = pin!(stream.read(&mut byte));
                        let poll = read.as_mut().poll(&mut Context::from_waker(&waker));
                        assert!(poll.is_pending());
                        peer.write_all(b"x").expect("a byte fits");
                        until("it is woken", || woken.0.load(Ordering::SeqCst) == 1).await;
                        assert_eq!(read.await.expect("a byte is there"), 1);
                    }
                }
            })
            .expect("main ends");
        assert_works(&runtime);
    });
}

/// Which of a waker's functions panic.
#[derive(Clone, Copy)]
struct Fault {
    clone: bool,
    drop: bool,
    wake: bool,
}

#[expect(unsafe_code, reason = "a waker whose clone or drop panics cannot be made of `Wake`")]
fn faulty(fault: Fault) -> Waker {
    fn fault_of(data: *const ()) -> Fault {
        let bits = data.addr();
        Fault { clone: bits & 1 != 0, drop: bits & 2 != 0, wake: bits & 4 != 0 }
    }
    fn clone(data: *const ()) -> RawWaker {
        assert!(!fault_of(data).clone, "in a waker's clone");
        RawWaker::new(data, &VTABLE)
    }
    fn wake(data: *const ()) {
        assert!(!fault_of(data).wake, "in a waker's wake");
    }
    fn drop(data: *const ()) {
        assert!(!fault_of(data).drop || std::thread::panicking(), "in a waker's drop");
    }
    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop);
    let bits =
        usize::from(fault.clone) | usize::from(fault.drop) << 1 | usize::from(fault.wake) << 2;
    // Never dereferenced.
    let data = std::ptr::without_provenance(bits | 8);
    // SAFETY: the functions hold nothing but bits, and may be called from any thread.
    unsafe { Waker::new(data, &VTABLE) }
}

#[test]
fn a_waker_that_panics_in_its_clone_or_its_drop_harms_only_its_caller() {
    for_each_flavour(|build| {
        let runtime = build();
        for bits in 1..8_u8 {
            let fault = Fault { clone: bits & 1 != 0, drop: bits & 2 != 0, wake: bits & 4 != 0 };
            runtime
                .run(async move {
                    let (tell, told) = oneshot::channel();
                    let task = spawn(async move { told.await.expect("it is told") });
                    let shared = Arc::new(Mutex::new(Some(task)));
                    let waiting = Arc::clone(&shared);
                    // Polls with the faulty waker; its panics are this task's.
                    let poller = spawn(async move {
                        let mut guard = waiting.lock().unwrap_or_else(|error| error.into_inner());
                        let mut task = guard.take().expect("it is there");
                        let waker = std::mem::ManuallyDrop::new(faulty(fault));
                        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                            pin!(&mut task).poll(&mut Context::from_waker(&waker)).is_pending()
                        }));
                        assert_eq!(polled.is_err(), fault.clone);
                        *guard = Some(task);
                    });
                    poller.await.expect("it catches the panics");
                    let _ = tell.send(bits);
                    let task = shared.lock().expect("it was caught").take().expect("put back");
                    until("it ends", || task.is_finished()).await;
                    assert_eq!(task.await.expect("it ends"), bits);

                    // The same with a timer, which fires, and one which is dropped before.
                    for fires in [true, false] {
                        let waker = std::mem::ManuallyDrop::new(faulty(fault));
                        let time = if fires { 1 } else { 60_000 };
                        let mut nap = Box::pin(sleep(Duration::from_millis(time)));
                        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                            nap.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
                        }));
                        assert_eq!(polled.is_err(), fault.clone);
                        if fires {
                            sleep(Duration::from_millis(3)).await;
                        }
                        let _ =
                            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(nap)));
                    }
                })
                .expect("main ends");
        }
        assert_works(&runtime);
    });
}

#[test]
fn a_panic_in_a_local_task_or_in_main_spares_the_others() {
    for_one_worker(|build| {
        let runtime = build();
        runtime
            .run(async {
                let local = kasasagi::spawn_local(async { panic!("local") });
                assert_eq!(panic_text(local).await, "local");
            })
            .expect("main ends");
        assert_works(&runtime);
    });
}

#[test]
fn a_panic_during_the_shutdown_is_the_tasks_own() {
    for_each_flavour(|build| {
        let runtime = build();
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                runtime.handle().spawn(async {
                    let _bomb = Bomb("at the shutdown");
                    poll_fn(|_| Poll::<()>::Pending).await;
                })
            })
            .collect();
        crate::hand::eventually("they begin", || {
            runtime.handle().metrics().seats.iter().map(|seat| seat.polls).sum::<u64>() >= 50
        });
        let handle = runtime.handle();
        let report = runtime.shutdown(LIMIT);
        assert!(report.is_clean(), "{report}");
        for task in tasks {
            let error = handle.block_on(task).expect_err("it panicked");
            assert!(error.is_panic(), "{error}");
        }
    });
}
