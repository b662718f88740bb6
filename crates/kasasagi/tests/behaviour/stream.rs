//! What streams promise: AGEN-01 to 06, and the adapters that run tasks.

use crate::flavour::{for_each_flavour, in_each_flavour, on_each, run};
use futures_channel::oneshot;
use futures_util::io::{AsyncBufReadExt, BufReader};
use futures_util::stream::{FusedStream, FuturesUnordered, iter};
use futures_util::{FutureExt as _, Stream, StreamExt};
use kasasagi::stream::{buffered, for_each_concurrent, from_fn};
use kasasagi::{FutureExt, Handle, catch_cancel, net, spawn, time, yield_now};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn flag() -> (Arc<AtomicBool>, impl FnMut() + Send + 'static) {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    (flag, move || set.store(true, Ordering::SeqCst))
}

async fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        yield_now().await;
    }
}

fn is_set(flag: &AtomicBool) -> bool {
    flag.load(Ordering::SeqCst)
}

#[test]
fn agen_01_a_counter_gives_its_numbers_and_stays_ended() {
    in_each_flavour(async || {
        let mut counter = pin!(from_fn(|y| async move {
            for n in 1..=3 {
                time::sleep(Duration::from_millis(1)).await;
                y.emit(n).await;
            }
        }));
        for n in 1..=3 {
            assert_eq!(counter.next().await, Some(n));
        }
        assert!(!counter.is_terminated(), "the body waits behind its last emit");
        for _ in 0..3 {
            assert_eq!(counter.next().await, None);
            assert!(counter.is_terminated());
        }
    });
}

#[test]
fn agen_02_the_body_runs_only_while_it_is_polled_and_may_borrow() {
    let words = vec!["a".to_owned(), "bc".to_owned()];
    let steps = AtomicUsize::new(0);
    let (words, at) = (&words, &steps);
    let mut lengths = pin!(from_fn(|y| async move {
        let twice: Vec<_> = words.iter().map(|word| word.len() * 2).collect();
        for n in &twice {
            at.fetch_add(1, Ordering::SeqCst);
            y.emit(n / 2).await;
        }
        at.fetch_add(10, Ordering::SeqCst);
    }));
    // Under no runtime at all.
    let mut next = || lengths.as_mut().poll_next(&mut Context::from_waker(Waker::noop()));
    assert_eq!(steps.load(Ordering::SeqCst), 0);
    assert_eq!(next(), Poll::Ready(Some(1)));
    assert_eq!(steps.load(Ordering::SeqCst), 1);
    assert_eq!(next(), Poll::Ready(Some(2)));
    assert_eq!(steps.load(Ordering::SeqCst), 2);
    assert_eq!(next(), Poll::Ready(None));
    assert_eq!(steps.load(Ordering::SeqCst), 12);
}

#[test]
fn agen_02_between_two_items_it_may_await_tasks() {
    in_each_flavour(async || {
        let squares = from_fn(|y| async move {
            for n in 0..50 {
                y.emit(spawn(async move { n * n }).await.expect("it ends")).await;
            }
        });
        let sum = squares.fold(0, |sum, n| async move { sum + n }).await;
        assert_eq!(sum, (0..50).map(|n| n * n).sum::<i32>());
    });
}

#[test]
fn agen_02_several_emits_at_once_are_served_one_after_the_other() {
    in_each_flavour(async || {
        // Each emit has a waker of its own here.
        let items = from_fn(|y| async move {
            let emits: FuturesUnordered<_> = (0..20).map(|n| y.emit(n)).collect();
            emits.collect::<()>().await;
        });
        let mut items: Vec<_> = items.collect().await;
        items.sort_unstable();
        assert_eq!(items, (0..20).collect::<Vec<_>>());
    });
}

#[test]
fn agen_02_an_emitter_that_was_given_away_wakes_the_consumer() {
    on_each(|runtime| {
        run(runtime, async {
            let items = from_fn(|y| async move {
                let emitter = spawn(async move {
                    for n in 0..100 {
                        if n % 7 == 0 {
                            yield_now().await;
                        }
                        y.emit(n).await;
                    }
                });
                emitter.await.expect("it ends");
            });
            assert_eq!(items.collect::<Vec<_>>().await, (0..100).collect::<Vec<_>>());
        });
    });
}

#[test]
fn agen_02_an_emit_that_is_given_up_takes_its_item_back() {
    in_each_flavour(async || {
        let items = from_fn(|y| async move {
            assert!(y.emit(1).now_or_never().is_none());
            y.emit(2).await;
        });
        assert_eq!(items.collect::<Vec<_>>().await, [2]);
    });
}

#[test]
fn agen_02_an_endless_stream_lets_others_run() {
    in_each_flavour(async || {
        let stop = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&stop);
        let other = spawn(async move { set.store(true, Ordering::SeqCst) });
        let mut ones = pin!(from_fn(|y| async move {
            loop {
                y.emit(1).await;
            }
        }));
        while !is_set(&stop) {
            assert_eq!(ones.next().await, Some(1));
        }
        other.await.expect("it ends");
    });
}

#[test]
fn agen_02_a_panic_goes_to_the_consumer_and_ends_the_stream() {
    in_each_flavour(async || {
        let (gone, drops) = flag();
        let mut items = Box::pin(from_fn(|y| async move {
            let _guard = OnDrop(drops);
            y.emit(1).await;
            panic!("out of numbers");
        }));
        assert_eq!(items.next().await, Some(1));
        let next = AssertUnwindSafe(items.next()).catch_unwind().await;
        let payload = next.expect_err("it panics");
        assert_eq!(payload.downcast_ref(), Some(&"out of numbers"));
        assert!(is_set(&gone));
        assert_eq!(items.next().await, None);
    });
}

#[test]
fn agen_03_breaking_off_drops_the_locals_of_the_body_at_once() {
    in_each_flavour(async || {
        let (gone, drops) = flag();
        let mut items = Box::pin(from_fn(|y| async move {
            let _guard = OnDrop(drops);
            loop {
                y.emit(1).await;
            }
        }));
        assert_eq!(items.next().await, Some(1));
        assert!(!is_set(&gone));
        drop(items);
        assert!(is_set(&gone));
    });
}

#[test]
fn agen_03_a_cancelled_consumer_lets_the_body_clean_up() {
    in_each_flavour(async || {
        let log = Arc::new(Mutex::new(Vec::new()));
        let (inside, outside) = (Arc::clone(&log), Arc::clone(&log));
        let (tell, told) = oneshot::channel();
        let consumer = spawn(async move {
            let items = from_fn(|y| async move {
                y.emit(1).await;
                let _ = tell.send(());
                if let Err(cancelled) = catch_cancel(pending::<()>()).await {
                    yield_now().await;
                    inside.lock().expect("whole").push("body");
                    cancelled.rethrow().await
                }
            });
            if let Err(cancelled) = catch_cancel(items.collect::<Vec<_>>()).await {
                outside.lock().expect("whole").push("consumer");
                cancelled.rethrow().await
            }
        });
        told.await.expect("it gets there");
        consumer.cancel();
        assert!(consumer.await.expect_err("it was cancelled").is_cancelled());
        assert_eq!(*log.lock().expect("whole"), ["body", "consumer"]);
    });
}

#[test]
fn agen_03_dropped_at_every_poll_it_loses_nothing_but_what_it_had() {
    // Polled, and left alone, so many times; each item and each local is dropped once.
    for polls in 0..20 {
        let live = Arc::new(());
        let mut items = Box::pin(from_fn(|y| {
            let live = Arc::clone(&live);
            async move {
                let local = Arc::clone(&live);
                for n in 0..3 {
                    yield_now_by_hand(n).await;
                    y.emit((n, Arc::clone(&local))).await;
                }
            }
        }));
        let mut given = Vec::new();
        for _ in 0..polls {
            let next = items.as_mut().poll_next(&mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(Some((n, _))) = next {
                given.push(n);
            }
        }
        drop(items);
        assert_eq!(Arc::strong_count(&live), 1);
        assert_eq!(given, (0..3).take(given.len()).collect::<Vec<_>>());
        assert_eq!(given.len(), [0, 1, 1, 2, 2, 2, 3].get(polls).copied().unwrap_or(3));
    }
}

/// Pending so many times.
async fn yield_now_by_hand(times: usize) {
    for _ in 0..times {
        let mut first = true;
        std::future::poll_fn(|_| {
            if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }
}

#[test]
fn agen_03_a_next_that_is_dropped_at_every_poll_takes_nothing() {
    in_each_flavour(async || {
        let mut items = pin!(from_fn(|y| async move {
            for n in 0..20 {
                yield_now().await;
                y.emit(n).await;
            }
        }));
        let mut given = Vec::new();
        loop {
            // Each `next` is polled once.
            match items.next().now_or_never() {
                Some(Some(n)) => given.push(n),
                Some(None) => break,
                None => yield_now().await,
            }
        }
        assert_eq!(given, (0..20).collect::<Vec<_>>());
    });
}

#[test]
fn agen_04_dropped_on_a_foreign_thread_its_cleanup_runs_on_the_runtime() {
    for_each_flavour(|build| {
        let runtime = build();
        for _ in 0..1000 {
            run(&runtime, async {
                let (tell, told) = oneshot::channel();
                let (handle, mut tell) = (Handle::current(), Some(tell));
                let mut items = Box::pin(from_fn(|y| async move {
                    let _guard = OnDrop(|| {
                        let tell = tell.take();
                        drop(handle.spawn(async move {
                            yield_now().await;
                            let on = kasasagi::task::try_current().is_some();
                            let _ = tell.map(|tell| tell.send(on));
                        }));
                    });
                    y.emit(1).await;
                }));
                assert_eq!(items.next().await, Some(1));
                let thread = std::thread::spawn(move || drop(items));
                assert_eq!(told.await, Ok(true));
                thread.join().expect("it only drops");
            });
        }
    });
}

#[test]
fn agen_05_the_end_of_the_runtime_lets_generators_clean_up_and_tells_what_went_wrong() {
    for workers in [1, 2, 4] {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let (kept, cleaned) = (Arc::clone(&reports), Arc::new(AtomicUsize::new(0)));
        let hook = move |report: &kasasagi::Report| {
            kept.lock().expect("whole").push(format!("{report}"));
        };
        let builder = kasasagi::Runtime::builder().workers(workers).exception_hook(hook);
        let runtime = builder.build().expect("a runtime");
        let begun = Arc::new(AtomicUsize::new(0));
        run(&runtime, async {
            for n in 0..3 {
                let (begun, cleaned) = (Arc::clone(&begun), Arc::clone(&cleaned));
                let items = from_fn(move |y| async move {
                    y.emit(n).await;
                    begun.fetch_add(1, Ordering::SeqCst);
                    if let Err(cancelled) = catch_cancel(pending::<()>()).await {
                        yield_now().await;
                        cleaned.fetch_add(1, Ordering::SeqCst);
                        assert!(n != 1, "the cleanup of {n} fails");
                        cancelled.rethrow().await
                    }
                });
                drop(spawn(async move { drop(items.collect::<Vec<_>>().await) }.named("consumer")));
            }
            until(|| begun.load(Ordering::SeqCst) == 3).await;
        });
        let report = runtime.shutdown(Duration::from_secs(60));
        assert!(report.is_clean());
        assert_eq!(cleaned.load(Ordering::SeqCst), 3);
        let reports = reports.lock().expect("whole");
        let told = reports.iter().filter(|report| report.contains("the cleanup of 1 fails"));
        assert_eq!(told.count(), 1, "{reports:?}");
    }
}

#[test]
fn agen_06_the_lines_of_a_socket_are_a_stream() {
    in_each_flavour(async || {
        let listener = net::TcpListener::bind("127.0.0.1:0").await.expect("it binds");
        let address = listener.local_addr().expect("it is bound");
        let server = spawn(async move {
            let (socket, _) = listener.accept().await.expect("it accepts");
            for part in ["li", "ne1\nline2", "\nline3\n"] {
                socket.write_all(part.as_bytes()).await.expect("it writes");
            }
        });
        let socket = net::TcpStream::connect(address).await.expect("it connects");
        let lines = from_fn(|y| async move {
            let mut reader = BufReader::new(socket);
            loop {
                let mut line = Vec::new();
                match reader.read_until(b'\n', &mut line).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => y.emit(line).await,
                }
            }
        });
        let lines: Vec<_> = lines.collect().await;
        assert_eq!(lines, [b"line1\n", b"line2\n", b"line3\n"]);
        server.await.expect("it ends");
    });
}

/// Counts who is inside, and the most there ever were.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
}

impl Crowd {
    fn enter(self: &Arc<Self>) -> OnDrop<impl FnMut() + Send + 'static> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.all.fetch_add(1, Ordering::SeqCst);
        let this = Arc::clone(self);
        OnDrop(move || {
            this.now.fetch_sub(1, Ordering::SeqCst);
        })
    }

    fn seen(&self) -> [usize; 3] {
        [&self.now, &self.most, &self.all].map(|n| n.load(Ordering::SeqCst))
    }
}

#[test]
fn for_each_concurrent_runs_as_many_as_it_may_and_waits_for_all() {
    in_each_flavour(async || {
        for limit in [0, 1, 3, usize::MAX] {
            let crowd = Arc::new(Crowd::default());
            for_each_concurrent(iter(0..20), limit, |_| {
                let crowd = Arc::clone(&crowd);
                async move {
                    let _inside = crowd.enter();
                    for _ in 0..10 {
                        yield_now().await;
                    }
                }
            })
            .await;
            let [now, most, all] = crowd.seen();
            assert_eq!((now, all), (0, 20));
            assert!(most <= limit.max(1), "{most} at once, of {limit}");
        }
    });
}

#[test]
fn for_each_concurrent_runs_several_at_once() {
    in_each_flavour(async || {
        let meeting = Arc::new(AtomicUsize::new(0));
        for_each_concurrent(iter(0..3), 3, |_| {
            let meeting = Arc::clone(&meeting);
            async move {
                meeting.fetch_add(1, Ordering::SeqCst);
                until(|| meeting.load(Ordering::SeqCst) == 3).await;
            }
        })
        .await;
    });
}

#[test]
fn for_each_concurrent_hands_on_a_panic_when_the_others_have_ended() {
    in_each_flavour(async || {
        let crowd = Arc::new(Crowd::default());
        let (gone, mut drops) = flag();
        let source = iter(0..).inspect(move |_| drops());
        let each = for_each_concurrent(source, 4, |n| {
            let crowd = Arc::clone(&crowd);
            async move {
                let _inside = crowd.enter();
                assert!(n != 2, "the third fails");
                catch_cancel(pending::<()>()).await.expect_err("it never ends").rethrow().await
            }
        });
        let payload = AssertUnwindSafe(each).catch_unwind().await.expect_err("it panics");
        assert!(payload.downcast_ref::<String>().is_none_or(|text| text.contains("third fails")));
        assert!(is_set(&gone));
        assert_eq!(crowd.seen()[0], 0);
    });
}

#[test]
fn for_each_concurrent_passes_a_cancellation_to_its_children_and_waits() {
    in_each_flavour(async || {
        let crowd = Arc::new(Crowd::default());
        let inside = Arc::clone(&crowd);
        let whole = spawn(async move {
            for_each_concurrent(iter(0..), 4, move |_| {
                let crowd = Arc::clone(&inside);
                async move {
                    let _inside = crowd.enter();
                    if let Err(cancelled) = catch_cancel(pending::<()>()).await {
                        for _ in 0..5 {
                            yield_now().await;
                        }
                        cancelled.rethrow().await
                    }
                }
            })
            .await;
        });
        until(|| crowd.seen()[0] == 4).await;
        whole.cancel();
        assert!(whole.await.expect_err("it was cancelled").is_cancelled());
        assert_eq!(crowd.seen()[0], 0, "they have ended, cleanup included");
    });
}

/// A stream that tells when it is dropped.
struct Told<S, G>(S, G);

impl<S: Stream + Unpin, G: Unpin> Stream for Told<S, G> {
    type Item = S::Item;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

#[test]
fn buffered_gives_in_the_order_of_the_stream_what_ran_at_once() {
    in_each_flavour(async || {
        let crowd = Arc::new(Crowd::default());
        let inside = Arc::clone(&crowd);
        let work = iter(0..30).map(move |n| {
            let crowd = Arc::clone(&inside);
            async move {
                let _inside = crowd.enter();
                for _ in 0..(30 - n) % 7 {
                    yield_now().await;
                }
                n
            }
        });
        let outputs: Vec<_> = buffered(work, 4).map(|out| out.expect("it ends")).collect().await;
        assert_eq!(outputs, (0..30).collect::<Vec<_>>());
        let [now, most, all] = crowd.seen();
        assert_eq!((now, all), (0, 30));
        assert!(most <= 4, "{most} at once");
    });
}

#[test]
fn buffered_takes_no_more_than_it_may_keep() {
    in_each_flavour(async || {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let work = iter(0..).map(move |n| {
            count.fetch_add(1, Ordering::SeqCst);
            async move { n }
        });
        let mut outputs = pin!(buffered(work, 3));
        assert_eq!(outputs.next().await.expect("it goes on").expect("it ends"), 0);
        for _ in 0..50 {
            yield_now().await;
        }
        assert!(taken.load(Ordering::SeqCst) <= 4);
    });
}

#[test]
fn buffered_runs_on_while_nobody_polls_it() {
    in_each_flavour(async || {
        let done = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&done);
        let work = iter(0..3).map(move |n| {
            let count = Arc::clone(&count);
            async move {
                yield_now().await;
                count.fetch_add(1, Ordering::SeqCst);
                n
            }
        });
        let mut outputs = pin!(buffered(work, 3));
        assert!(outputs.next().now_or_never().is_none());
        until(|| done.load(Ordering::SeqCst) == 3).await;
        assert_eq!(outputs.size_hint(), (3, Some(3)));
        let outputs: Vec<_> = outputs.map(|out| out.expect("it ends")).collect().await;
        assert_eq!(outputs, [0, 1, 2]);
    });
}

#[test]
fn buffered_has_a_panic_in_its_place() {
    in_each_flavour(async || {
        let work = iter(0..3).map(|n| async move {
            assert!(n != 1, "the second fails");
            n
        });
        let mut outputs: Vec<_> = buffered(work, 2).collect().await;
        assert!(outputs.remove(1).expect_err("it fails").is_panic());
        let outputs: Result<Vec<_>, _> = outputs.into_iter().collect();
        assert_eq!(outputs.expect("they end"), [0, 2]);
    });
}

#[test]
fn buffered_dropped_at_every_poll_cancels_what_it_runs() {
    for polls in 0..8 {
        in_each_flavour(async || {
            let crowd = Arc::new(Crowd::default());
            let (inside, (gone, drops)) = (Arc::clone(&crowd), flag());
            let work = iter(0..5).map(move |n| {
                let crowd = Arc::clone(&inside);
                async move {
                    let _inside = crowd.enter();
                    for _ in 0..n {
                        yield_now().await;
                    }
                }
            });
            let mut outputs = Box::pin(buffered(Told(work, OnDrop(drops)), 2));
            for _ in 0..polls {
                let _ = outputs.next().now_or_never();
                yield_now().await;
            }
            drop(outputs);
            assert!(is_set(&gone));
            until(|| crowd.seen()[0] == 0).await;
        });
    }
}

#[test]
fn buffered_passes_a_cancellation_to_its_children_and_waits() {
    in_each_flavour(async || {
        let crowd = Arc::new(Crowd::default());
        let inside = Arc::clone(&crowd);
        let whole = spawn(async move {
            let work = iter(0..).map(move |_| {
                let crowd = Arc::clone(&inside);
                async move {
                    let _inside = crowd.enter();
                    if let Err(cancelled) = catch_cancel(pending::<()>()).await {
                        yield_now().await;
                        cancelled.rethrow().await
                    }
                }
            });
            buffered(work, 3).for_each(|_| async {}).await;
        });
        until(|| crowd.seen()[0] == 3).await;
        whole.cancel();
        assert!(whole.await.expect_err("it was cancelled").is_cancelled());
        assert_eq!(crowd.seen()[0], 0);
    });
}

#[test]
fn adapters_say_what_is_missing_where_no_runtime_runs() {
    let mut each = Box::pin(for_each_concurrent(iter(0..1), 1, |_| async {}));
    let poll = catch_unwind(AssertUnwindSafe(|| {
        each.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }));
    let payload = poll.expect_err("nothing can be spawned");
    assert!(payload.downcast_ref::<String>().is_some_and(|text| text.contains("kasasagi::run")));
}
