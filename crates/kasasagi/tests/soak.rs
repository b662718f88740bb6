//! A long life: echoes, timers, tasks that are cancelled and that panic, foreign threads, closures on pools whose threads
//! come and go, runtimes that come and go, one cycle after the other, and after each cycle what is left: live bytes,
//! descriptors, threads, resident memory.
//!
//! ```text
//! cargo test -p kasasagi --test soak                     # some seconds
//! cargo test -p kasasagi --release --test soak -- 3600   # an hour
//! ```
//! The last lines are the summary that `.ci/soak` keeps in `docs/src/reliability/soak.md`.

#[path = "counting/bytes.rs"]
mod bytes;

use futures_util::{AsyncWriteExt, StreamExt};
use kasasagi::net::{TcpListener, TcpStream};
use kasasagi::sync::Semaphore;
use kasasagi::{Runtime, Task, ThreadPool, spawn, spawn_local, time, to_thread, yield_now};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

/// xorshift64, Marsaglia 2003: the seed of a run is printed, and gives it again but for the threads' timing.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn next(&mut self) -> Self {
        Self(self.roll(u64::MAX) | 1)
    }
}

/// How often what was done, so that a soak which did nothing is seen.
#[derive(Default)]
struct Done {
    messages: AtomicUsize,
    resets: AtomicUsize,
    timers: AtomicUsize,
    tasks: AtomicUsize,
    cancelled: AtomicUsize,
    panicked: AtomicUsize,
    permits: AtomicUsize,
    foreign: AtomicUsize,
    runtimes: AtomicUsize,
    closures: AtomicUsize,
    taken_back: AtomicUsize,
}

fn count(what: &AtomicUsize) {
    what.fetch_add(1, Ordering::Relaxed);
}

async fn echo(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        drop(spawn(async move {
            let mut buffer = [0; 512];
            while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                if stream.write_all(&buffer[..n]).await.is_err() {
                    break;
                }
            }
        }));
    }
}

/// Messages of all sizes, each compared; sometimes the client goes away with half of its answer unread.
async fn client(server: SocketAddr, mut dice: Dice, done: Arc<Done>) {
    let mut stream = TcpStream::connect(server).await.expect("the server listens");
    for _ in 0..dice.roll(20) {
        let message: Vec<u8> = (0..=dice.roll(4_000)).map(|i| i as u8).collect();
        let (read, write) = (&stream, &stream);
        if dice.roll(50) == 0 {
            let _ = write.write_all(&message).await;
            count(&done.resets);
            return;
        }
        let mut answer = vec![0; message.len()];
        let (written, answered) =
            futures_util::future::join(write.write_all(&message), read.read_exact(&mut answer))
                .await;
        written.expect("the server reads");
        answered.expect("the server answers");
        assert!(answer == message, "an echo came back changed");
        count(&done.messages);
    }
    stream.close().await.expect("an open socket can be shut down");
}

async fn timers(mut dice: Dice, done: Arc<Done>) {
    let waits: Vec<_> = (0..100)
        .map(|_| {
            let (for_it, limit) = (dice.roll(20_000), dice.roll(20_000));
            let done = Arc::clone(&done);
            spawn(async move {
                let start = Instant::now();
                let (for_it, limit) = (Duration::from_micros(for_it), Duration::from_micros(limit));
                let ended = time::timeout(limit, time::sleep(for_it)).await.is_ok();
                let least = if ended { for_it } else { limit };
                assert!(start.elapsed() >= least, "a timer fired too early");
                count(&done.timers);
            })
        })
        .collect();
    for wait in waits {
        wait.await.expect("a timer's task ends");
    }
}

/// Tasks of which some are cancelled, some panic, some are detached, and some wait for each other.
async fn churn(mut dice: Dice, done: Arc<Done>) {
    let permits = Arc::new(Semaphore::new(3));
    let mut tasks: Vec<(u64, Task<u64>)> = Vec::new();
    for i in 0..500 {
        let what = dice.roll(100);
        let (permits, done) = (Arc::clone(&permits), Arc::clone(&done));
        let task = spawn(async move {
            match what {
                // Without a message on stderr for each: the payload does not go through the hook.
                0 => std::panic::resume_unwind(Box::new(i)),
                1..20 => std::future::pending::<()>().await,
                20..50 => {
                    let _permit = permits.acquire().await.expect("nobody closes it");
                    yield_now().await;
                    count(&done.permits);
                }
                _ => yield_now().await,
            }
            i
        });
        if what >= 95 { drop(task) } else { tasks.push((what, task)) }
    }
    for (i, (what, task)) in tasks.into_iter().enumerate() {
        count(&done.tasks);
        let i_cancel = (1..20).contains(&what) || dice.roll(10) == 0;
        if i_cancel {
            task.cancel();
        }
        match task.await {
            Ok(_) => {}
            Err(error) if error.is_panic() => {
                assert_eq!(what, 0, "task {i} panicked");
                count(&done.panicked);
            }
            Err(error) => {
                assert!(i_cancel && error.is_cancelled(), "task {i}: {error}");
                count(&done.cancelled);
            }
        }
    }
    assert_eq!(permits.available_permits(), 3, "a permit is lost");
}

/// Closures on the runtime's pool and on one whose threads leave after a moment: awaited, taken back, given up.
async fn lent(mut dice: Dice, done: Arc<Done>) {
    let pool = ThreadPool::builder().max_workers(3).keep_alive(Duration::from_millis(1)).build();
    let mut tasks = Vec::new();
    for i in 0..1_000_u64 {
        let submitted = pool.submit(move || i);
        match dice.roll(10) {
            0 if submitted.cancel() => count(&done.taken_back),
            1 => drop(submitted),
            _ => tasks.push(submitted),
        }
        let task = to_thread(move || i);
        match dice.roll(10) {
            0 => drop(task.cancel()),
            _ => assert_eq!(task.await.expect("it ends"), i),
        }
        count(&done.closures);
    }
    for task in tasks {
        // One that was to be taken back had begun.
        task.await.expect("it ends");
    }
    let sums = pool.map_chunks(64, 0..10_000_u64, |n| n + 1).into_stream();
    let sum = sums.fold(0, async |sum, n| sum + n.expect("it ends")).await;
    assert_eq!(sum, 10_000 * 10_001 / 2);
    let ended = to_thread(move || pool.shutdown(true, false).still_running).await;
    assert_eq!(ended.expect("it ends"), 0);
}

/// A runtime that is dropped with everything in it still going on, and a waker that outlives it.
fn short_life(workers: usize, mut dice: Dice, done: &Done) {
    let builder = Runtime::builder();
    let builder = if workers == 0 { builder.current_thread() } else { builder.workers(workers) };
    let runtime = builder.build().expect("the system gives threads and a poller");
    let mut kept = runtime
        .run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
            let server = listener.local_addr().expect("it is bound");
            drop(spawn(echo(listener)));
            let _open = TcpStream::connect(server).await.expect("the server listens");
            for _ in 0..dice.roll(200) {
                drop(spawn(time::sleep(Duration::from_secs(3600))));
            }
            drop(spawn_local(std::future::pending::<()>()));
            std::future::poll_fn(|cx| std::task::Poll::Ready(cx.waker().clone())).await
        })
        .expect("main ends");
    if dice.roll(2) == 0 {
        assert!(runtime.shutdown(Duration::from_secs(60)).is_clean(), "a runtime did not end");
    } else {
        drop(runtime);
    }
    kept.wake_by_ref();
    kept = Waker::noop().clone();
    drop(kept);
    count(&done.runtimes);
}

fn foreign(handle: &kasasagi::Handle, done: &Arc<Done>) {
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (handle, done) = (handle.clone(), Arc::clone(done));
            std::thread::spawn(move || {
                for i in 0..200 {
                    let task = handle.spawn(async move { i });
                    if i % 10 == 0 {
                        assert_eq!(handle.block_on(task).expect("it ends"), i);
                    }
                    count(&done.foreign);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("a foreign thread does not panic");
    }
}

fn cycle(runtime: &Runtime, server: SocketAddr, dice: &mut Dice, done: &Arc<Done>) {
    let mut fork = dice.next();
    let shared = Arc::clone(done);
    runtime
        .run(async move {
            let mut all: Vec<_> =
                (0..8).map(|_| spawn(client(server, fork.next(), Arc::clone(&shared)))).collect();
            all.push(spawn(timers(fork.next(), Arc::clone(&shared))));
            all.push(spawn(churn(fork.next(), Arc::clone(&shared))));
            all.push(spawn(lent(fork.next(), Arc::clone(&shared))));
            for task in all {
                task.await.expect("each part of the cycle ends");
            }
        })
        .expect("main ends");
    foreign(&runtime.handle(), done);
    short_life(dice.roll(4) as usize, dice.next(), done);
    // Of the main runtime only the server is left, and connections whose ends are under way.
    let handle = runtime.handle();
    let start = Instant::now();
    while handle.tasks().len() > 1 {
        assert!(start.elapsed() < Duration::from_secs(60), "tasks are left: {:?}", handle.tasks());
        runtime.run(yield_now()).expect("main ends");
    }
}

/// How many threads the runtime's pool may have: between one and all of them, by how often the machine let its queue stand.
const POOL: usize = 3;

/// What is left after a cycle.
#[derive(Clone, Copy)]
struct Left {
    at: f64,
    bytes: usize,
    blocks: usize,
    descriptors: usize,
    threads: usize,
    resident: usize,
}

fn entries(dir: &str) -> usize {
    std::fs::read_dir(dir).map_or(0, Iterator::count)
}

fn left(start: Instant) -> Left {
    // Outgrown buffers of queues are freed by epochs, which advance when somebody looks.
    for _ in 0..16 {
        crossbeam_epoch::pin().flush();
    }
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    Left {
        at: start.elapsed().as_secs_f64(),
        bytes: bytes::live(),
        blocks: bytes::blocks(),
        descriptors: entries("/proc/self/fd"),
        threads: entries("/proc/self/task"),
        resident: pages * 4096,
    }
}

/// The change of a figure in a second, by least squares.
fn slope(lefts: &[Left], figure: impl Fn(&Left) -> usize) -> f64 {
    let n = lefts.len() as f64;
    let mean = |f: &dyn Fn(&Left) -> f64| lefts.iter().map(f).sum::<f64>() / n;
    let (at, value) = (mean(&|l| l.at), mean(&|l| figure(l) as f64));
    let spread = mean(&|l| (l.at - at).powi(2));
    if spread == 0.0 { 0.0 } else { mean(&|l| (l.at - at) * (figure(l) as f64 - value)) / spread }
}

fn median(lefts: &[Left], figure: impl Fn(&Left) -> usize) -> usize {
    let mut values: Vec<_> = lefts.iter().map(figure).collect();
    values.sort_unstable();
    values[values.len() / 2]
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        println!("soak: test");
        return;
    }
    let seconds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(5.0);
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed);
    println!("soak: {seconds} s, SEED={seed}");
    let mut dice = Dice(seed);
    let done = Arc::new(Done::default());
    let runtime = Runtime::builder().workers(2).max_blocking_threads(POOL).build();
    let runtime = runtime.expect("the system gives threads");
    let server = runtime
        .run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
            let server = listener.local_addr().expect("it is bound");
            drop(spawn(echo(listener)));
            server
        })
        .expect("main ends");
    // What is kept for good fills by steps, each when more came together than ever before: pages of tasks, buffers, std's
    // tables. After 16 to 35 cycles there was none any more.
    (0..50).for_each(|_| cycle(&runtime, server, &mut dice, &done));
    let start = Instant::now();
    let mut lefts = Vec::with_capacity(1 << 20);
    while start.elapsed().as_secs_f64() < seconds || lefts.len() < 8 {
        cycle(&runtime, server, &mut dice, &done);
        lefts.push(left(start));
    }
    let warm = &lefts[lefts.len() / 4..];
    let (early, late) = (&warm[..warm.len() / 3], &warm[warm.len() - warm.len() / 3..]);
    let n = |what: &AtomicUsize| what.load(Ordering::Relaxed);
    println!(
        "did: {} cycles, {} messages, {} resets, {} timers, {} tasks of which {} cancelled and {} panicked, \
         {} permits, {} foreign spawns, {} runtimes, {} closures lent and as many submitted, of which {} taken back",
        lefts.len(),
        n(&done.messages),
        n(&done.resets),
        n(&done.timers),
        n(&done.tasks),
        n(&done.cancelled),
        n(&done.panicked),
        n(&done.permits),
        n(&done.foreign),
        n(&done.runtimes),
        n(&done.closures),
        n(&done.taken_back)
    );
    let mut failed = false;
    let mut row = |name: &str, figure: fn(&Left) -> usize, allowed: usize| {
        let (first, last) = (median(early, figure), median(late, figure));
        let grown = last > first + allowed;
        failed |= grown;
        let verdict = if grown { "GROWN" } else { "flat" };
        println!(
            "left: {name}: {first} early, {last} late, {:.4} a second: {verdict}",
            slope(warm, figure)
        );
    };
    row("live blocks", |left| left.blocks, 16);
    // Four pages of tasks: a burst that is larger than all before it keeps one more.
    row("live bytes", |left| left.bytes, 128 << 10);
    row("descriptors", |left| left.descriptors, 0);
    row("threads", |left| left.threads, POOL - 1);
    row("resident bytes", |left| left.resident, 4 << 20);
    assert!(runtime.shutdown(Duration::from_secs(60)).is_clean(), "the runtime did not end");
    if failed {
        println!("soak: FAILED: something grows");
        std::process::exit(1);
    }
    println!("soak: passed, {:.0} s", start.elapsed().as_secs_f64());
}
