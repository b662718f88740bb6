//! The scenes. Each is played on the main thread of a process of its own, with SIGINT at its default; the signals come
//! from another process.
#![allow(
    unsafe_code,
    reason = "what SIGINT does is looked at and set by `sigaction`, as a program would"
)]

use crate::stage::{Ended, LIMIT, Scene, ends_well, eventually};
use kasasagi::time::sleep;
use kasasagi::{RunError, Runtime, catch_cancel, spawn, task, uninterruptible, yield_now};
use std::future::pending;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

macro_rules! scenes {
    ($($name:ident: $judge:expr),* $(,)?) => {
        /// All of them.
        pub(crate) const ALL: &[Scene] =
            &[$(Scene { name: stringify!($name), play: $name, judge: $judge }),*];
    };
}

scenes! {
    run_18_an_interrupted_run_cleans_up_and_ends_the_process_by_the_signal: cleaned_up_and_died,
    run_18_a_run_that_handles_ctrl_c_gives_interrupted_after_the_cleanup: ends_well,
    run_19_a_main_that_only_yields_is_interrupted: ends_well,
    run_19_a_main_of_run_that_only_yields_is_interrupted: died_in_silence,
    run_20_an_async_cleanup_ends_before_the_run_is_interrupted: ends_well,
    run_20_an_async_cleanup_ends_before_the_process_does: died_after_its_cleanup,
    run_21_a_main_that_swallows_the_interrupt_gives_its_value: ends_well,
    run_22_a_main_that_others_cancelled_too_is_cancelled_and_not_interrupted: ends_well,
    run_23_a_second_ctrl_c_waits_for_no_cleanup_and_no_shield: ends_well,
    run_23_a_second_ctrl_c_ends_a_run_whatever_it_is_busy_with: died_at_the_second,
    run_24_what_main_awaits_learns_that_it_is_gone: ends_well,
    run_25_a_handler_of_the_program_is_left_alone: ends_well,
    run_25_a_run_on_another_thread_does_not_handle_it_and_one_runtime_at_a_time_does: ends_well,
    err_06_an_interrupt_is_the_runs_outcome_and_is_not_reported_besides: died_in_silence,
}

/// ThreadSanitizer says of a signal's action what was set last, not that the kernel took it back when the signal came.
pub(crate) fn is_beyond_this_build(scene: &Scene) -> bool {
    cfg!(kasasagi_tsan)
        && scene.name == "run_23_a_second_ctrl_c_ends_a_run_whatever_it_is_busy_with"
}

/// What SIGINT does now, as an address.
fn action() -> libc::sighandler_t {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is installed, and there is room for what is.
    let code = unsafe { libc::sigaction(libc::SIGINT, std::ptr::null(), now.as_mut_ptr()) };
    assert_eq!(code, 0);
    // SAFETY: the call wrote it.
    unsafe { now.assume_init() }.sa_sigaction
}

/// Whatever started us: a shell's background jobs ignore it.
pub(crate) fn take_default_action() {
    set(libc::SIG_DFL);
}

fn set(action: libc::sighandler_t) {
    // SAFETY: the default, to ignore it, or a handler that does what a handler may.
    unsafe { libc::signal(libc::SIGINT, action) };
}

/// Sends SIGINT to this process, by another one, and returns when it has been sent.
fn press() {
    let id = std::process::id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().expect("there is `kill`");
    assert!(sent.success(), "{sent}");
}

/// As `press`, without keeping a worker meanwhile.
async fn pressed() {
    let (tell, told) = futures_channel::oneshot::channel();
    std::thread::spawn(move || {
        press();
        let _ = tell.send(());
    });
    told.await.expect("the thread sends it");
}

/// Runtimes that handle Ctrl-C, on each flavour.
fn for_each_handling(test: impl Fn(&Runtime)) {
    for workers in [1, 2, 4] {
        println!("workers: {workers}");
        let builder = Runtime::builder().workers(workers).handle_ctrl_c(true);
        test(&builder.build().expect("it can be built"));
        assert_eq!(action(), libc::SIG_DFL, "it is given back");
    }
}

struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

fn run_18_an_interrupted_run_cleans_up_and_ends_the_process_by_the_signal() {
    kasasagi::run(async {
        let _main = Says("main is dropped");
        drop(spawn(async {
            let _leftover = Says("the leftover is dropped");
            pending::<()>().await;
        }));
        sleep(Duration::from_millis(1)).await;
        print!("a line without an end");
        std::thread::spawn(press);
        sleep(Duration::from_secs(3600)).await;
        println!("it went on");
    });
    println!("it came back");
}

fn cleaned_up_and_died(ended: &Ended) {
    assert_eq!(ended.signal, Some(libc::SIGINT), "{ended:?}");
    let said = ["a line without an end", "main is dropped", "the leftover is dropped"];
    assert!(said.iter().all(|said| ended.stdout.contains(said)), "{ended:?}");
    assert!(!ended.stdout.contains("it "), "{ended:?}");
}

fn run_18_a_run_that_handles_ctrl_c_gives_interrupted_after_the_cleanup() {
    for_each_handling(|runtime| {
        let dropped = AtomicUsize::new(0);
        struct Counts<'a>(&'a AtomicUsize);
        impl Drop for Counts<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        // Again and again: each run watches anew.
        for round in 1..=3 {
            let error = runtime.run(async {
                let _counts = Counts(&dropped);
                pressed().await;
                sleep(Duration::from_secs(3600)).await;
            });
            assert!(matches!(error, Err(RunError::Interrupted)), "{error:?}");
            assert_eq!(dropped.load(Ordering::SeqCst), round);
            assert_eq!(action(), libc::SIG_DFL);
        }
        assert_eq!(
            runtime.run(async { spawn(async { 42 }).await.expect("it works") }).ok(),
            Some(42)
        );
    });
}

fn run_19_a_main_that_only_yields_is_interrupted() {
    for_each_handling(|runtime| {
        let error = runtime.run(async {
            std::thread::spawn(press);
            loop {
                yield_now().await;
            }
        });
        assert!(matches!(error, Err::<(), _>(RunError::Interrupted)), "{error:?}");
    });
}

fn run_24_what_main_awaits_learns_that_it_is_gone() {
    for_each_handling(|runtime| {
        let (tell, told) = futures_channel::oneshot::channel::<()>();
        let error = runtime.run(async {
            std::thread::spawn(press);
            told.await
        });
        assert!(matches!(error, Err(RunError::Interrupted)), "{error:?}");
        assert!(tell.is_canceled());
    });
}

fn run_25_a_handler_of_the_program_is_left_alone() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn count(_: libc::c_int) {
        CALLS.fetch_add(1, Ordering::SeqCst);
    }
    let handler = count as extern "C" fn(libc::c_int) as libc::sighandler_t;
    set(handler);
    let value = kasasagi::run(async {
        pressed().await;
        eventually("the program's handler is called", || CALLS.load(Ordering::SeqCst) == 1);
        sleep(Duration::from_millis(5)).await;
        123
    });
    assert_eq!((value, action()), (123, handler));
    let runtime = Runtime::builder().handle_ctrl_c(true).build().expect("it can be built");
    // One that is installed while main runs stays, too.
    set(libc::SIG_DFL);
    let value = runtime.run(async {
        assert_ne!(action(), libc::SIG_DFL, "it is watched");
        set(handler);
        pressed().await;
        eventually("the program's handler is called", || CALLS.load(Ordering::SeqCst) == 2);
        sleep(Duration::from_millis(5)).await;
        321
    });
    assert_eq!((value.ok(), action()), (Some(321), handler));
    // And who ignores the signal goes on ignoring it.
    set(libc::SIG_IGN);
    kasasagi::run(async {
        pressed().await;
        sleep(Duration::from_millis(5)).await;
    });
    assert_eq!(action(), libc::SIG_IGN);
}

fn run_25_a_run_on_another_thread_does_not_handle_it_and_one_runtime_at_a_time_does() {
    let other = std::thread::spawn(|| kasasagi::run(async { action() }));
    assert_eq!(other.join().expect("no panic"), libc::SIG_DFL);
    assert_ne!(kasasagi::run(async { action() }), libc::SIG_DFL, "on the main thread it does");
    assert_eq!(action(), libc::SIG_DFL);
    let runtime = Runtime::builder().workers(2).build().expect("it can be built");
    assert_eq!(runtime.run(async { action() }).ok(), Some(libc::SIG_DFL), "not unasked");

    // Asked for, any thread's run does; a second one beside it goes without.
    static STOP: AtomicBool = AtomicBool::new(false);
    let (tell, told) = channel();
    let first = std::thread::spawn(move || {
        let builder = Runtime::builder().workers(1).handle_ctrl_c(true);
        builder.build().expect("it can be built").run(async {
            tell.send(action()).expect("it is read");
            pending::<()>().await;
        })
    });
    let ours = told.recv_timeout(LIMIT).expect("it runs");
    assert_ne!(ours, libc::SIG_DFL);
    let builder = Runtime::builder().workers(1).handle_ctrl_c(true);
    let second = builder.build().expect("it can be built").run(async {
        pressed().await;
        while !STOP.load(Ordering::SeqCst) {
            STOP.store(first.is_finished(), Ordering::SeqCst);
            sleep(Duration::from_micros(200)).await;
        }
        42
    });
    assert_eq!(second.ok(), Some(42));
    let first = first.join().expect("no panic");
    assert!(matches!(first, Err(RunError::Interrupted)), "{first:?}");
    assert_eq!(action(), libc::SIG_DFL);
}

fn run_19_a_main_of_run_that_only_yields_is_interrupted() {
    kasasagi::run(async {
        std::thread::spawn(press);
        loop {
            yield_now().await;
        }
    })
}

fn err_06_an_interrupt_is_the_runs_outcome_and_is_not_reported_besides() {
    kasasagi::run(async {
        pressed().await;
        pending::<()>().await;
    });
}

fn died_in_silence(ended: &Ended) {
    assert_eq!(ended.signal, Some(libc::SIGINT), "{ended:?}");
    assert_eq!((&*ended.stdout, &*ended.stderr), ("", ""), "{ended:?}");
}

/// Is interrupted, takes a tenth of a second to clean up, and passes the interrupt on.
async fn cleans_up_slowly(cleaned: &AtomicBool) {
    std::thread::spawn(press);
    if let Err(cancelled) = catch_cancel(pending::<()>()).await {
        assert_eq!(cancelled.reason(), Some("Ctrl-C"));
        sleep(Duration::from_millis(100)).await;
        cleaned.store(true, Ordering::SeqCst);
        cancelled.rethrow::<()>().await;
    }
}

fn run_20_an_async_cleanup_ends_before_the_run_is_interrupted() {
    for_each_handling(|runtime| {
        let cleaned = AtomicBool::new(false);
        let error = runtime.run(cleans_up_slowly(&cleaned));
        assert!(matches!(error, Err(RunError::Interrupted)), "{error:?}");
        assert!(cleaned.load(Ordering::SeqCst));
    });
}

fn run_20_an_async_cleanup_ends_before_the_process_does() {
    let cleaned = AtomicBool::new(false);
    struct Tells<'a>(&'a AtomicBool);
    impl Drop for Tells<'_> {
        fn drop(&mut self) {
            println!("cleaned: {}", self.0.load(Ordering::SeqCst));
        }
    }
    kasasagi::run(async {
        let _tells = Tells(&cleaned);
        cleans_up_slowly(&cleaned).await;
    });
}

fn died_after_its_cleanup(ended: &Ended) {
    assert_eq!(ended.signal, Some(libc::SIGINT), "{ended:?}");
    assert!(ended.stdout.contains("cleaned: true"), "{ended:?}");
}

fn run_21_a_main_that_swallows_the_interrupt_gives_its_value() {
    let main = || async {
        std::thread::spawn(press);
        assert!(catch_cancel(pending::<()>()).await.is_err());
        // Later waits are not disturbed.
        sleep(Duration::from_millis(1)).await;
        "value"
    };
    for_each_handling(|runtime| assert_eq!(runtime.run(main()).ok(), Some("value")));
    assert_eq!(kasasagi::run(main()), "value");
    assert_eq!(action(), libc::SIG_DFL);
}

fn run_22_a_main_that_others_cancelled_too_is_cancelled_and_not_interrupted() {
    for_each_handling(|runtime| {
        let error = runtime.run(async {
            let main = task::current();
            drop(spawn(async move { main.cancel_with("by a child") }));
            if let Err(cancelled) = catch_cancel(pending::<()>()).await {
                std::thread::spawn(press);
                // The second request is delivered here.
                assert!(catch_cancel(pending::<()>()).await.is_err());
                cancelled.rethrow::<()>().await;
            }
        });
        let Err(RunError::Cancelled(error)) = error else { panic!("{error:?}") };
        assert_eq!(error.reason(), Some("by a child"));
    });
}

fn run_23_a_second_ctrl_c_waits_for_no_cleanup_and_no_shield() {
    for_each_handling(|runtime| {
        for shielded in [false, true] {
            let dropped = AtomicBool::new(false);
            struct Sets<'a>(&'a AtomicBool);
            impl Drop for Sets<'_> {
                fn drop(&mut self) {
                    self.0.store(true, Ordering::SeqCst);
                }
            }
            let error = runtime.run(async {
                let _sets = Sets(&dropped);
                std::thread::spawn(press);
                let Err(_cancelled) = catch_cancel(pending::<()>()).await else { return };
                std::thread::spawn(press);
                if shielded {
                    uninterruptible(pending::<()>()).await;
                }
                // A cleanup that no request ends.
                loop {
                    let _ = catch_cancel(pending::<()>()).await;
                }
            });
            assert!(matches!(error, Err(RunError::Interrupted)), "{error:?}");
            assert!(dropped.load(Ordering::SeqCst));
        }
        assert_eq!(runtime.run(async { spawn(async { 42 }).await.ok() }).ok(), Some(Some(42)));
    });
}

fn run_23_a_second_ctrl_c_ends_a_run_whatever_it_is_busy_with() {
    kasasagi::run(async {
        println!("before the first");
        std::thread::spawn(|| {
            press();
            // The default is back when the handler has been called.
            eventually("the first has come", || action() == libc::SIG_DFL);
            println!("before the second");
            press();
        });
        // A poll that does not return: nobody can be asked.
        loop {
            std::thread::park();
        }
    });
}

fn died_at_the_second(ended: &Ended) {
    assert_eq!(ended.signal, Some(libc::SIGINT), "{ended:?}");
    assert!(ended.stdout.contains("before the second"), "{ended:?}");
    assert!(ended.took < LIMIT, "{ended:?}");
}
