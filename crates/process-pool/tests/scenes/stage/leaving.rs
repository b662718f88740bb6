//! How workers leave: what they leave behind, when they do not leave, and what their parent has of it.

use super::drive::{eventually, run};
use super::holdings;
use super::jobs::{Note, ask, forever, pid, spin, square, workers};
use futures_util::future::join;
use kasasagi_process_pool::Bytes;
use rustix::process::{Pid, Signal};
use std::time::{Duration, Instant};

fn children() -> usize {
    holdings().1
}

/// Nobody shuts a pool down, and nobody uses one afterwards.
pub(super) fn leave_pools() {
    run(async {
        let workers = workers(1);
        ask(&workers, pid, ()).await.expect("it ends");
        let mut endless = Box::pin(ask(&workers, forever, ()));
        assert!(futures_util::poll!(&mut endless).is_pending());
        assert_eq!(children(), 1);
        drop(endless);
        eventually("who was killed was waited for, though the pool rests", || children() == 0);
        ask(&workers, pid, ()).await.expect("it ends");
        assert_eq!(children(), 1);
    });
    eventually("who was told to leave was waited for", || children() == 0);
}

extern "C" fn hang() {
    loop {
        std::thread::park();
    }
}

/// What the program has run at its exit never ends, in a worker that nobody kills.
pub(super) fn hang_at_the_exit() {
    let hang_later = |()| {
        // SAFETY: the function is there for as long as the program.
        unsafe { libc::atexit(hang) };
    };
    run(async {
        let workers = workers(1);
        ask(&workers, hang_later, ()).await.expect("it ends");
        let start = Instant::now();
        workers.shutdown(false).await;
        assert_eq!(children(), 0);
        let took = start.elapsed();
        // By itself it would stay for ever.
        assert!((Duration::from_secs(4)..Duration::from_secs(60)).contains(&took), "{took:?}");
    });
}

fn stop(pid: u32) -> Pid {
    let pid = Pid::from_raw(pid as i32).expect("a number");
    rustix::process::kill_process(pid, Signal::STOP).expect("it is there");
    eventually("all of it stands still", || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()));
        tasks.expect("it is there").flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat"));
            stat.is_ok_and(|stat| stat.contains(") T"))
        })
    });
    pid
}

/// A worker stands still when it is told to leave, and cannot.
pub(super) fn stand_still() {
    run(async {
        let workers = workers(1);
        let stopped = stop(ask(&workers, pid, ()).await.expect("it says who it is"));
        workers.shutdown(false).await;
        assert_eq!(children(), 0);
        assert!(!super::is_there(stopped));
    });
}

/// A worker dies while its parent writes to it, and nobody has made SIGPIPE harmless.
pub(super) fn die_while_it_is_written_to() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    run(async {
        let workers = workers(1);
        for _ in 0..5 {
            let stopped = stop(ask(&workers, pid, ()).await.expect("it says who it is"));
            // More than the socket takes; and it has not read all of it, so it is another worker's.
            let bytes = Bytes::from(vec![7; 4 << 20]);
            let length = |bytes: Bytes| bytes.len();
            let kill = async {
                kasasagi_reactor::time::sleep(Duration::from_millis(5)).await;
                rustix::process::kill_process(stopped, Signal::KILL).expect("it is there");
            };
            let (answer, ()) = join(ask(&workers, length, bytes), kill).await;
            assert_eq!(answer.expect("another does it"), 4 << 20);
        }
    });
}

/// Nobody can tell how a worker ended, and its number may be another's at once.
pub(super) fn leave_children_to_the_system() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    run(async {
        let workers = workers(2);
        for round in 0..20_u64 {
            let crashes = ask(&workers, super::jobs::kill_itself, ());
            let (crashed, well) = join(crashes, ask(&workers, square, round)).await;
            let Err(kasasagi_process_pool::JobError::Broken(broken)) = crashed else {
                panic!("it broke: {crashed:?}");
            };
            assert_eq!((broken.status(), broken.signal()), (None, None), "{broken}");
            assert_eq!(well.expect("it is unharmed"), round * round);
            let mut endless = Box::pin(ask(&workers, forever, ()));
            let _ = futures_util::poll!(&mut endless);
        }
        workers.shutdown(false).await;
    });
    eventually("all have ended", || children() == 0);
}

/// Has the kernel know no `pidfd_open`, as those before 5.3.
fn forget_pidfd() {
    let code =
        |code: u32, k: u32, (jt, jf): (u8, u8)| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, (0, 0)),
        code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::SYS_pidfd_open as u32, (0, 1)),
        code(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32, (0, 0)),
        code(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, (0, 0)),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: takes numbers.
    let given_up = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the program is there while the kernel copies it.
    let set =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!((given_up, set), (0, 0));
    let myself = rustix::process::getpid();
    let refused = rustix::process::pidfd_open(myself, rustix::process::PidfdFlags::empty());
    assert!(refused.is_err(), "the kernel knows none now");
}

/// The only thread of a pool is busy, so that nobody waits for the process before its job is dropped.
async fn drop_before_a_thread_waits() {
    let workers = workers(1);
    ask(&workers, pid, ()).await.expect("it ends");
    let mut config = kasasagi_blocking::Config::default();
    config.max_threads = 1;
    let pool = kasasagi_blocking::Pool::new(config);
    let (go, goes) = std::sync::mpsc::channel::<()>();
    let busy = pool.unblock(move || goes.recv().is_err());
    eventually("its only thread has it", || pool.metrics().queued == 0);
    {
        let _entered = pool.enter();
        let mut crashes = Box::pin(ask(&workers, super::jobs::kill_itself, ()));
        while pool.metrics().queued == 0 {
            assert!(futures_util::poll!(&mut crashes).is_pending());
            std::thread::yield_now();
            kasasagi_reactor::time::sleep(Duration::from_micros(200)).await;
        }
    }
    drop(go);
    assert!(busy.await.expect("it ends"));
}

pub(super) fn do_without_pidfd() {
    forget_pidfd();
    let before = holdings();
    run(async {
        let (workers, note) = (workers(2), Note::new());
        for round in 0..20_u64 {
            let crashes = ask(&workers, super::jobs::kill_itself, ());
            let (crashed, well) = join(crashes, ask(&workers, square, round)).await;
            let Err(kasasagi_process_pool::JobError::Broken(broken)) = crashed else {
                panic!("it broke: {crashed:?}");
            };
            assert_eq!(broken.signal(), Some(9));
            assert_eq!(well.expect("it is unharmed"), round * round);
        }
        let mut endless = Box::pin(ask(&workers, spin, note.path()));
        while note.pid().is_none() {
            let millisecond = Duration::from_millis(1);
            assert!(kasasagi_reactor::time::timeout(millisecond, &mut endless).await.is_err());
        }
        drop(endless);
        let spun = note.pid().expect("it was written");
        eventually("it was waited for", || !super::is_there(spun));
        // It is dropped while a thread waits for a crash to be over, or before.
        for polls in 0..20 {
            let mut crashes = Box::pin(ask(&workers, super::jobs::kill_itself, ()));
            for _ in 0..polls {
                if futures_util::poll!(&mut crashes).is_ready() {
                    break;
                }
                kasasagi_reactor::time::sleep(Duration::from_micros(200)).await;
            }
        }
        workers.shutdown(false).await;
        drop_before_a_thread_waits().await;
    });
    eventually("all were waited for", || holdings() == before);
}
