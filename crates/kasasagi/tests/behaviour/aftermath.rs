//! What cancellations, drops elsewhere and panics leave behind: nothing. CANC-22, -25, -26, ERR-01, AGEN-04 to -08, MT-07.

use crate::exceptions::reports_of;
use crate::flavour::{for_each_flavour, in_each_flavour, run};
use crate::hand::{CountDrop, LIMIT, until};
use crate::settled::{settle, spawn};
use futures_channel::oneshot;
use futures_util::StreamExt;
use kasasagi::net::{TcpListener, TcpStream};
use kasasagi::stream::from_fn;
use kasasagi::sync::Semaphore;
use kasasagi::{
    Exit, Handle, Outcome, ReportKind, Resource, finally, promise, spawn_fallible, task, time,
    with, yield_now,
};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

#[test]
fn canc_22_a_guard_is_dropped_once_whatever_races_with_the_end() {
    for_each_flavour(|build| {
        let runtime = build();
        let (kept, dropped) = CountDrop::new();
        let (cleanup, cleaned) = CountDrop::new();
        run(&runtime, async {
            for round in 0..1_000 {
                let (kept, cleanup) = (kept.clone(), cleanup.clone());
                let body = async move {
                    let _kept = kept;
                    for _ in 0..round % 4 {
                        yield_now().await;
                    }
                };
                let task = spawn(finally(body, async move {
                    yield_now().await;
                    drop(cleanup);
                }));
                for _ in 0..round % 3 {
                    yield_now().await;
                }
                let asked = task.cancel();
                match task.await {
                    Ok(()) => {}
                    Err(error) => assert!(error.is_cancelled() && asked),
                }
                assert_eq!(dropped.load(Ordering::SeqCst), round + 1);
                assert_eq!(cleaned.load(Ordering::SeqCst), round + 1, "before the task is done");
            }
        });
    });
}

#[test]
fn canc_25_a_cancelled_task_is_no_news() {
    for_each_flavour(|build| {
        let runtime = build();
        let told = reports_of(&runtime);
        run(&runtime, async {
            let waits = spawn(pending::<()>());
            let fails = spawn_fallible(async { pending::<Result<(), &str>>().await });
            let (_promise, value) = promise::<(), &str>();
            let kept = value.clone();
            settle().await;
            assert!(waits.cancel() && fails.cancel() && value.cancel());
            drop((waits, fails, value));
            until("they have ended", || task::all().len() == 1).await;
            drop(kept);
            // A report that comes now shows that the hook is there, and that it comes after nothing else.
            drop(spawn_fallible(async { Err::<(), _>("unread") }));
            until("it has ended", || task::all().len() == 1).await;
        });
        let report = told.recv_timeout(LIMIT).expect("the last one is told of");
        assert!(report.to_string().contains("unread"), "{report}");
        drop(runtime);
        assert_eq!(told.try_iter().count(), 0);
    });
}

/// Two ends of one connection.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let addr = listener.local_addr().expect("a bound socket has an address");
    let theirs = spawn(async move { listener.accept().await });
    let ours = TcpStream::connect(addr).await.expect("it listens");
    (ours, theirs.await.expect("no panic").expect("a client comes").0)
}

#[test]
fn canc_26_a_read_is_cancelled_at_once_and_its_socket_is_free_for_the_next() {
    in_each_flavour(async || {
        let (ours, theirs) = pair().await;
        let ours = Arc::new(ours);
        for round in 0..50_u8 {
            let reader = Arc::clone(&ours);
            let task = spawn(async move {
                let mut byte = [0];
                reader.read(&mut byte).await
            });
            settle().await;
            let start = Instant::now();
            assert!(task.cancel());
            assert!(task.await.expect_err("it waits for what nobody sends").is_cancelled());
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
            // What comes now goes to who reads now: nobody else is registered any more.
            theirs.write_all(&[round]).await.expect("it is connected");
            let mut byte = [0];
            assert_eq!(ours.read(&mut byte).await.expect("it is connected"), 1);
            assert_eq!(byte, [round]);
        }
        // The other end sees it closed: nothing holds the socket.
        drop(ours);
        let mut byte = [0];
        assert_eq!(theirs.read(&mut byte).await.expect("an end is no error"), 0);
    });
}

#[test]
fn err_01_callbacks_that_panic_are_reported_and_the_runtime_goes_on() {
    for_each_flavour(|build| {
        let runtime = build();
        let told = reports_of(&runtime);
        run(&runtime, async {
            let handle = Handle::current();
            handle.call_soon(|| panic!("called soon"));
            handle.call_later(Duration::from_millis(1), || panic!("called later"));
            let called = Arc::new(AtomicUsize::new(0));
            let theirs = Arc::clone(&called);
            handle.call_later(Duration::from_millis(2), move || {
                theirs.fetch_add(1, Ordering::SeqCst);
            });
            until("the next one is called", || called.load(Ordering::SeqCst) == 1).await;
        });
        let mut texts: Vec<_> = (0..2)
            .map(|_| told.recv_timeout(LIMIT).expect("both are told of"))
            .map(|report| {
                assert!(matches!(report.kind, ReportKind::Callback), "{report:?}");
                report.to_string()
            })
            .collect();
        texts.sort_unstable();
        assert!(texts[0].contains("called later") && texts[1].contains("called soon"), "{texts:?}");
        assert_eq!(run(&runtime, async { spawn(async { 7 }).await.expect("it ends") }), 7);
        assert_eq!(told.try_iter().count(), 0);
    });
}

/// A stream whose body holds a `finally` as it gives its first item.
fn with_cleanup(n: usize, cleaned: Arc<AtomicUsize>) -> impl futures_util::Stream<Item = usize> {
    from_fn(move |y| async move {
        let body = async {
            y.emit(n).await;
            pending::<()>().await;
        };
        finally(body, async move {
            yield_now().await;
            assert!(task::try_current().is_some(), "it runs in a task");
            cleaned.fetch_add(1, Ordering::SeqCst);
        })
        .await;
    })
}

#[test]
fn agen_04_a_finally_inside_that_is_dropped_on_a_foreign_thread_is_run_by_the_runtime() {
    for_each_flavour(|build| {
        let runtime = build();
        let cleaned = Arc::new(AtomicUsize::new(0));
        run(&runtime, async {
            for round in 0..1_000 {
                let theirs = Arc::clone(&cleaned);
                let consumer = spawn(async move {
                    let mut items = Box::pin(with_cleanup(round, theirs));
                    assert_eq!(items.next().await, Some(round));
                    let (gone, went) = oneshot::channel();
                    drop(std::thread::spawn(move || {
                        drop(items);
                        let _ = gone.send(());
                    }));
                    went.await.expect("it is dropped");
                });
                // The cleanup is owed by the task that polled the stream: that has ended, so it is done.
                consumer.await.expect("it ends");
                assert_eq!(cleaned.load(Ordering::SeqCst), round + 1);
            }
        });
    });
}

#[test]
fn agen_05_cleanups_inside_streams_run_to_their_end_when_the_runtime_ends() {
    for_each_flavour(|build| {
        let runtime = build();
        let cleaned = Arc::new(AtomicUsize::new(0));
        let begun = Arc::new(AtomicUsize::new(0));
        run(&runtime, async {
            for n in 0..10 {
                let (cleaned, begun) = (Arc::clone(&cleaned), Arc::clone(&begun));
                drop(spawn(async move {
                    let mut items = pin!(with_cleanup(n, cleaned));
                    while let Some(item) = items.next().await {
                        assert_eq!(item, n);
                        begun.fetch_add(1, Ordering::SeqCst);
                    }
                }));
            }
            until("all have given an item", || begun.load(Ordering::SeqCst) == 10).await;
        });
        let report = runtime.shutdown(LIMIT);
        assert!(report.is_clean(), "{report}");
        assert_eq!(cleaned.load(Ordering::SeqCst), 10);
    });
}

#[test]
fn agen_06_breaking_off_the_lines_of_a_socket_closes_it_with_its_cleanup() {
    in_each_flavour(async || {
        let (ours, theirs) = pair().await;
        ours.write_all(b"line1\nline2\n").await.expect("it is connected");
        let said = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&said);
        let reader = spawn(async move {
            let theirs = Arc::new(theirs);
            let socket = Arc::clone(&theirs);
            let mut lines = Box::pin(from_fn(|y| async move {
                let goodbye = Arc::clone(&socket);
                let body = async {
                    let mut line = Vec::new();
                    let mut byte = [0];
                    while socket.read(&mut byte).await.is_ok_and(|n| n == 1) {
                        line.push(byte[0]);
                        if byte == *b"\n" {
                            y.emit(std::mem::take(&mut line)).await;
                        }
                    }
                };
                finally(body, async move {
                    goodbye.write_all(b"bye").await.expect("it is connected");
                    count.fetch_add(1, Ordering::SeqCst);
                })
                .await;
            }));
            assert_eq!(lines.next().await.as_deref(), Some(&b"line1\n"[..]));
        });
        reader.await.expect("it ends");
        assert_eq!(said.load(Ordering::SeqCst), 1, "the goodbye was said before the task was done");
        let (mut text, mut buf) = (Vec::new(), [0; 16]);
        while let Ok(n @ 1..) = ours.read(&mut buf).await {
            text.extend_from_slice(&buf[..n]);
        }
        assert_eq!(text, b"bye", "and then it was closed");
    });
}

/// A resource whose entry and exit take turns.
struct Slow {
    released: Arc<AtomicUsize>,
    acquired: Arc<AtomicUsize>,
}

impl Resource for Slow {
    type Error = &'static str;

    async fn enter(&mut self) -> Result<(), &'static str> {
        yield_now().await;
        yield_now().await;
        self.acquired.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn exit(self, _: &Outcome<&'static str>) -> Exit {
        yield_now().await;
        self.released.fetch_add(1, Ordering::SeqCst);
        Exit::Propagate
    }
}

#[test]
fn mt_07_waiters_are_dropped_on_other_threads_than_polled_them() {
    for_each_flavour(|build| {
        let runtime = build();
        run(&runtime, async {
            let semaphore = Arc::new(Semaphore::new(1));
            let mut droppers = Vec::new();
            for round in 0..1_000 {
                let permit =
                    Semaphore::acquire_owned(Arc::clone(&semaphore)).await.expect("it is open");
                let mut waiter = Box::pin(Semaphore::acquire_owned(Arc::clone(&semaphore)));
                let (kept, value) = promise::<u8, &str>();
                let mut listener = Box::pin(value.clone());
                let mut nap = Box::pin(time::sleep(Duration::from_secs(3600)));
                poll_fn(|cx| {
                    assert!(waiter.as_mut().poll(cx).is_pending());
                    assert!(listener.as_mut().poll(cx).is_pending());
                    assert!(nap.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                // The grant, the result and the drop meet.
                let gone = std::thread::spawn(move || drop((waiter, listener, nap)));
                drop(permit);
                kept.set_result(1).expect("nobody else sets it");
                assert_eq!(value.await, Ok(1));
                if round % 50 == 0 {
                    yield_now().await;
                }
                droppers.push(gone);
            }
            for dropper in droppers {
                until("it has dropped them", || dropper.is_finished()).await;
                dropper.join().expect("dropping does not panic");
            }
            assert_eq!(semaphore.available_permits(), 1);
            let permit = semaphore.try_acquire().expect("it is free");
            drop(permit);
        });
    });
}

#[test]
fn agen_08_a_resource_is_released_as_often_as_it_was_acquired_whoever_cancels() {
    in_each_flavour(async || {
        let (acquired, released) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for round in 0..1_000 {
            let slow = Slow { released: Arc::clone(&released), acquired: Arc::clone(&acquired) };
            let task = spawn(async move {
                with(slow, async |_: &mut Slow| {
                    yield_now().await;
                    Ok(7)
                })
                .await
            });
            for _ in 0..round % 8 {
                yield_now().await;
            }
            task.cancel();
            if let Ok(output) = task.await {
                assert_eq!(output, Ok(Some(7)));
            }
            let (got, gave) = (acquired.load(Ordering::SeqCst), released.load(Ordering::SeqCst));
            assert_eq!(got, gave, "before the task was done, in round {round}");
        }
    });
}

#[test]
fn agen_07_an_exit_that_waits_is_waited_for_though_it_is_cancelled_again() {
    in_each_flavour(async || {
        let (acquired, released) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let slow = Slow { released: Arc::clone(&released), acquired };
        let task = spawn(with(slow, async |_: &mut Slow| {
            pending::<()>().await;
            Ok(())
        }));
        for _ in 0..4 {
            settle().await;
            task.cancel();
        }
        assert!(task.await.expect_err("it passes it on").is_cancelled());
        assert_eq!(released.load(Ordering::SeqCst), 1);
    });
}
