//! Several threads in one runtime, several runtimes in one process, and a system that is short of threads.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
use crate::child;
use crate::flavour::{for_each_flavour, limited};
use crate::hand::{LIMIT, text_of};
use futures_channel::oneshot;
use kasasagi::time::sleep;
use kasasagi::{Runtime, spawn, yield_now};
use std::sync::Barrier;
use std::time::Duration;

#[test]
fn two_threads_may_be_in_run_at_once() {
    for_each_flavour(|build| {
        let runtime = build();
        let (tell, told) = oneshot::channel();
        let met = Barrier::new(2);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                met.wait();
                runtime.run(async {
                    // Neither thread needs the other's main to be polled first.
                    let task = spawn(async {
                        sleep(Duration::from_millis(5)).await;
                        20
                    });
                    let twenty = task.await.expect("it ends");
                    tell.send(twenty).expect("the other waits");
                    twenty
                })
            });
            let first = runtime.run(async {
                let task = spawn(async { yield_now().await });
                task.await.expect("it ends");
                met.wait();
                told.await.expect("the other tells") + 22
            });
            assert_eq!(first.expect("main ends"), 42);
            assert_eq!(second.join().expect("no panic").expect("its main ends"), 20);
        });
    });
}

#[test]
fn many_threads_run_one_after_another_and_at_once() {
    for_each_flavour(|build| {
        let runtime = build();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..50 {
                        let output = runtime.run(async {
                            let task = spawn(async move {
                                yield_now().await;
                                n
                            });
                            task.await.expect("it ends")
                        });
                        assert_eq!(output.expect("main ends"), n);
                    }
                });
            }
        });
    });
}

#[test]
fn a_guest_goes_on_when_the_first_thread_leaves() {
    for_each_flavour(|build| {
        let runtime = build();
        let (go, gone) = oneshot::channel::<()>();
        let (enter, entered) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let runtime = &runtime;
            let guest = scope.spawn(move || {
                runtime.run(async {
                    // The seat may be this thread's or the other's.
                    enter.send(()).expect("the other waits");
                    gone.await.expect("it is told");
                    let mut sum = 0;
                    for n in 0..10 {
                        sum += spawn(async move {
                            sleep(Duration::from_micros(100)).await;
                            n
                        })
                        .await
                        .expect("it ends");
                    }
                    sum
                })
            });
            runtime
                .run(async {
                    spawn(async {}).await.expect("it ends");
                    entered.recv_timeout(LIMIT).expect("the guest enters");
                })
                .expect("main ends");
            go.send(()).expect("it waits");
            assert_eq!(guest.join().expect("no panic").expect("its main ends"), 45);
        });
    });
}

#[test]
fn several_runtimes_live_beside_each_other() {
    for_each_flavour(|build| {
        let runtimes: Vec<Runtime> = (0..5).map(|_| build()).collect();
        let tasks: Vec<_> = runtimes
            .iter()
            .enumerate()
            .map(|(n, runtime)| {
                runtime.handle().spawn(async move {
                    sleep(Duration::from_millis(2)).await;
                    n
                })
            })
            .collect();
        let sum = runtimes[0].run(async {
            let mut sum = 0;
            for task in tasks {
                sum += task.await.expect("it ends");
            }
            sum
        });
        assert_eq!(sum.expect("main ends"), 10);
        // One ends, the others go on.
        let mut runtimes = runtimes.into_iter();
        drop(runtimes.next());
        for runtime in runtimes {
            let task = runtime.handle().spawn(async { 1 });
            assert_eq!(runtime.run(async { task.await.expect("it ends") }).expect("main ends"), 1);
        }
    });
}

#[test]
fn a_number_of_workers_that_cannot_be_is_an_error() {
    for workers in [0, 33, usize::MAX] {
        let error = Runtime::builder().workers(workers).build().expect_err("it cannot be");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            format!(
                "`Builder::workers({workers})`: a runtime has 1 to 32 workers. For more processors build \
                 several runtimes"
            )
        );
    }
    limited(|| {
        let most = Runtime::builder().workers(32).build().expect("it builds");
        assert_eq!(
            most.run(async { spawn(async { 1 }).await.expect("it ends") }).expect("main ends"),
            1
        );
    });
}

/// More than any address space has room for: no thread can be started, for anybody.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
const TOO_LARGE: &str = "70368744177664";

#[test]
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn a_denied_worker_thread_is_an_error_of_build_and_run_goes_on_without() {
    let me = "runtimes::a_denied_worker_thread_is_an_error_of_build_and_run_goes_on_without";
    if child::is_me(me) {
        assert!(
            std::thread::Builder::new().spawn(|| {}).is_err(),
            "the system starts a thread with a stack of 64 TiB: this test needs another way"
        );
        let error = Runtime::builder().workers(4).build().expect_err("threads are denied");
        println!("build: {error}");
        // One worker needs no thread.
        let runtime = Runtime::builder().current_thread().build().expect("it needs no thread");
        assert_eq!(
            runtime.run(async { spawn(async { 40 }).await.expect("it ends") + 2 }).ok(),
            Some(42)
        );
        // Without a caretaker, what is spawned from outside waits for the next run, and that is said.
        let task = runtime.handle().spawn(async { 43 });
        assert_eq!(runtime.run(async { task.await.expect("it ends") }).ok(), Some(43));
        drop(runtime);
        let answer = kasasagi::run(async {
            sleep(Duration::from_millis(1)).await;
            spawn(async { 44 }).await.expect("it ends")
        });
        println!("answer: {answer}");
        return;
    }
    let ended = child::run(me, |command| {
        command.env("RUST_MIN_STACK", TOO_LARGE);
    });
    assert!(ended.success, "{ended:?}");
    assert!(
        ended.stdout.contains("build: worker thread 1 of 3 could not be started: "),
        "{ended:?}"
    );
    assert!(ended.stdout.contains("Ask for fewer with `Builder::workers`"), "{ended:?}");
    assert!(ended.stdout.contains("answer: 44"), "{ended:?}");
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(32);
    let said = ended.stderr.matches("going on with 1 of").count();
    assert_eq!(said, usize::from(workers > 1), "once, if there was a thread to start: {ended:?}");
    assert!(ended.stderr.contains("no thread could be started for the tasks"), "{ended:?}");
}

#[test]
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn threads_that_were_started_before_one_was_denied_have_ended_when_build_fails() {
    let me =
        "runtimes::threads_that_were_started_before_one_was_denied_have_ended_when_build_fails";
    let threads = || std::fs::read_dir("/proc/self/task").expect("linux has it").count();
    if child::is_me(me) {
        let before = threads();
        let error = Runtime::builder().workers(32).build().expect_err("there is no room for all");
        println!("build: {error}");
        // A joined thread may be listed for a moment.
        crate::hand::eventually("they have ended", || threads() == before);
        let runtime = Runtime::builder().workers(2).build().expect("there is room for one");
        assert_eq!(
            runtime.run(async { spawn(async { 40 }).await.expect("it ends") + 2 }).ok(),
            Some(42)
        );
        return;
    }
    // Stacks of 1 GiB in an address space of 8: some threads, and not 31.
    let ended = child::run(me, |command| {
        let program = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
        let mut limited = std::process::Command::new("sh");
        limited.args(["-c", "ulimit -v 8388608; exec \"$0\" \"$@\""]).arg(program).args(arguments);
        *command = limited;
        command.env("RUST_MIN_STACK", "1073741824");
    });
    assert!(ended.success, "{ended:?}");
    let said = ended.stdout.split_once("build: worker thread ").map(|(_, rest)| rest);
    let number = said.and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
    assert!(number.is_some_and(|number| (2..=31).contains(&number)), "{ended:?}");
}

#[test]
fn a_panic_of_main_in_the_guests_run_is_the_guests() {
    for_each_flavour(|build| {
        let runtime = build();
        let met = Barrier::new(2);
        std::thread::scope(|scope| {
            let guest = scope.spawn(|| {
                met.wait();
                let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    runtime.run(async { panic!("the guest's") })
                }));
                let text = text_of(&*caught.expect_err("it panicked"));
                met.wait();
                text
            });
            runtime
                .run(async {
                    met.wait();
                    met.wait();
                    spawn(async {}).await.expect("it ends");
                })
                .expect("main ends");
            assert_eq!(guest.join().expect("it caught the panic"), "the guest's");
        });
    });
}
