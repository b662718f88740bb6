//! Virtual time: who holds it, and who does not.

use crate::flavour::on_virtual_time;
use crate::hand::{LIMIT, compute, eventually, sleeps_of_main};
use futures_channel::{mpsc, oneshot};
use futures_util::{SinkExt, StreamExt};
use kasasagi::net::{TcpListener, TcpStream, lookup_host};
use kasasagi::sync::Semaphore;
use kasasagi::time::{self, Duration, Instant, now, sleep, timeout};
use kasasagi::{Handle, spawn, yield_now};
use kasasagi_blocking::{Pool, Unblock};
use std::sync::mpsc::channel;

const HOUR: Duration = secs(3600);

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A closure on the pool of the runtime that this runs in.
fn unblock<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Unblock<T> {
    Pool::current().expect("inside a runtime").unblock(f)
}

#[test]
fn a_task_that_computes_or_yields_holds_the_time() {
    on_virtual_time(|build| {
        build()
            .run(async {
                let start = now();
                let nap = spawn(sleep(ms(1)));
                let busy = spawn(async move {
                    for _ in 0..20 {
                        compute(ms(1));
                        assert_eq!(now(), start);
                        yield_now().await;
                    }
                    for _ in 0..1000 {
                        yield_now().await;
                        assert_eq!(now(), start);
                    }
                });
                busy.await.expect("the time stands");
                nap.await.expect("it ends");
                assert_eq!(now() - start, ms(1));
            })
            .expect("main ends");
    });
}

#[test]
fn tasks_that_wake_each_other_hold_the_time() {
    on_virtual_time(|build| {
        build()
            .run(async {
                let start = now();
                let nap = spawn(sleep(ms(1)));
                let (mut there, mut go) = mpsc::channel(0);
                let (mut back, mut come) = mpsc::channel(0);
                let other = spawn(async move {
                    while let Some(n) = go.next().await {
                        assert_eq!(now(), start);
                        back.send(n).await.expect("it is taken");
                    }
                });
                for n in 0..1000 {
                    there.send(n).await.expect("it is taken");
                    assert_eq!(come.next().await, Some(n));
                    assert_eq!(now(), start);
                }
                drop(there);
                other.await.expect("the time stands");
                nap.await.expect("it ends");
                assert_eq!(now() - start, ms(1));
            })
            .expect("main ends");
    });
}

#[test]
fn a_closure_on_the_pool_holds_the_time() {
    on_virtual_time(|build| {
        build()
            .run(async {
                let start = now();
                for _ in 0..20 {
                    let slow = timeout(ms(1), unblock(|| compute(ms(2)))).await;
                    slow.expect("the time stands").expect("it runs");
                    // The one that is woken finds the time where it was, too.
                    assert_eq!(now(), start);
                }
                let found = timeout(ms(1), lookup_host("localhost:80")).await;
                let _ = found.expect("the time stands, whatever the system answers");
                assert_eq!(now(), start);
            })
            .expect("main ends");
    });
}

#[test]
fn a_thousand_hand_offs_from_the_pool_take_no_time() {
    on_virtual_time(|build| {
        build()
            .run(async {
                let start = now();
                let tasks: Vec<_> = (0..8)
                    .map(|_| {
                        spawn(async move {
                            for _ in 0..125 {
                                let quick = timeout(ms(1), unblock(|| ())).await;
                                quick.expect("the time stands").expect("it runs");
                                assert_eq!(now(), start);
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("the time stands");
                }
            })
            .expect("main ends");
    });
}

#[test]
fn the_time_moves_on_when_a_closure_ends_whose_result_nobody_wants() {
    on_virtual_time(|build| {
        build()
            .run(async {
                let (go, gone) = channel::<()>();
                let (began, begins) = oneshot::channel();
                let job = unblock(move || {
                    let _ = began.send(());
                    let _ = gone.recv_timeout(LIMIT);
                });
                begins.await.expect("it runs");
                drop(job);
                let start = now();
                let nap = spawn(sleep(secs(1)));
                let (reference, runtime) = (nap.handle(), Handle::current());
                let before = sleeps_of_main(&runtime);
                let lets_go = std::thread::spawn(move || {
                    eventually("main's worker sleeps", || sleeps_of_main(&runtime) > before);
                    assert!(!reference.is_finished(), "the closure holds the time");
                    drop(go);
                });
                let real = Instant::now();
                nap.await.expect("it ends");
                assert_eq!(now() - start, secs(1));
                assert!(real.elapsed() < LIMIT / 2, "nobody called");
                lets_go.join().expect("the time stood");
            })
            .expect("main ends");
    });
}

#[test]
fn a_message_under_way_in_this_process_holds_the_time() {
    on_virtual_time(|build| {
        build()
            .run(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let address = listener.local_addr().expect("it is bound");
                let server = spawn(async move {
                    let (stream, _) = listener.accept().await.expect("somebody connects");
                    let mut bytes = [0; 64];
                    while let Ok(()) = stream.read_exact(&mut bytes).await {
                        stream.write_all(&bytes).await.expect("they go back");
                    }
                });
                let start = now();
                let connect = timeout(secs(1), TcpStream::connect(address)).await;
                let stream = connect.expect("the time stands").expect("somebody listens");
                for n in 0..500_u16 {
                    let sent = [n as u8; 64];
                    let echo = async {
                        stream.write_all(&sent).await.expect("they go out");
                        let mut bytes = [0; 64];
                        stream.read_exact(&mut bytes).await.expect("they come back");
                        bytes
                    };
                    assert_eq!(timeout(secs(1), echo).await, Ok(sent));
                    assert_eq!(now(), start);
                }
                drop(stream);
                server.await.expect("it ends");
                // And a peer that says nothing holds nothing.
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let silent = timeout(secs(1), listener.accept()).await;
                silent.expect_err("nobody connects");
                assert_eq!(now() - start, secs(1));
            })
            .expect("main ends");
    });
}

#[test]
fn advance_is_not_held_by_a_closure_that_waits_for_it() {
    on_virtual_time(|build| {
        build()
            .run(async {
                let start = now();
                let (tell, told) = channel();
                let job = unblock(move || told.recv_timeout(LIMIT));
                let nap = spawn(sleep(secs(30)));
                time::advance(secs(60)).await;
                assert_eq!(now() - start, secs(60));
                assert!(nap.is_finished());
                tell.send("moved").expect("it waits");
                assert_eq!(job.await.expect("it runs"), Ok("moved"));
            })
            .expect("main ends");
    });
}

#[test]
fn advance_is_not_held_by_a_closure_either_when_the_budget_is_spent_at_its_first_poll() {
    on_virtual_time(|build| {
        build()
            .run(async {
                let gate = Semaphore::new(1);
                for spent in 0..300 {
                    yield_now().await;
                    for _ in 0..spent {
                        drop(gate.acquire().await.expect("it is open"));
                    }
                    let start = now();
                    let (tell, told) = channel();
                    let job = unblock(move || told.recv_timeout(LIMIT));
                    time::advance(secs(60)).await;
                    assert_eq!(now() - start, secs(60));
                    tell.send(spent).expect("it waits");
                    assert_eq!(job.await.expect("it runs"), Ok(spent));
                }
            })
            .expect("main ends");
    });
}

#[test]
fn a_thread_in_block_on_that_polls_holds_the_time() {
    on_virtual_time(|build| {
        let runtime = build();
        let handle = runtime.handle();
        handle.block_on(async {
            let start = now();
            let nap = spawn(sleep(ms(1)));
            // The first poll, and one after a wake.
            compute(ms(20));
            assert_eq!(now(), start);
            sleep(ms(5)).await;
            assert_eq!(now() - start, ms(5));
            drop(spawn(sleep(ms(1))));
            compute(ms(20));
            assert_eq!(now() - start, ms(5));
            nap.await.expect("it ends");
        });
        // Gone, and so it holds nothing any more.
        let (tell, told) = channel();
        drop(handle.spawn(async move {
            sleep(HOUR).await;
            let _ = tell.send(());
        }));
        told.recv_timeout(LIMIT).expect("it ends");
    });
}

#[test]
fn between_the_wake_of_a_thread_in_block_on_and_its_poll_the_time_stands() {
    on_virtual_time(|build| {
        let runtime = build();
        let handle = runtime.handle();
        for _ in 0..1000 {
            handle.block_on(async {
                // From in here: before, nobody holds the time for this thread.
                let (tell, told) = oneshot::channel();
                drop(handle.spawn(async move {
                    sleep(ms(1)).await;
                    let _ = tell.send(now());
                    sleep(ms(1)).await;
                }));
                let told_at = told.await.expect("it is told");
                assert_eq!(now(), told_at);
            });
        }
    });
}
