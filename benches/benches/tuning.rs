//! What are the scheduler's figures good for? Each is varied by itself, on 1, 2 and 8 workers, beside tokio.
//!
//! `cargo bench -p kasasagi-benches --bench tuning [-- [--rounds N] [--write]]`: `--write` puts the table into
//! docs/src/performance/tuning.md. All variants live in one process and take turns.

use kasasagi_benches::process::cpu_ns;
use kasasagi_scheduler::{Config, NoDriver, Spawner, new};
use kasasagi_task::Attributes;
use std::fmt::Write;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const WORKERS: [usize; 3] = [1, 2, 8];
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/performance/tuning.md");
const MARK: &str = "<!-- table -->\n";

/// A figure that differs from the defaults.
type Variant = (&'static str, fn(&mut Config));

const VARIANTS: [Variant; 11] = [
    ("as it is", |_| {}),
    ("slot 3", |config| config.lifo_limit = 3),
    ("slot 8", |config| config.lifo_limit = 8),
    ("look 100 µs", |config| config.check_target = 100_000),
    ("look 200 µs", |config| config.check_target = 200_000),
    ("steal 16", |config| config.steal_limit = 16),
    ("steal 256", |config| config.steal_limit = 256),
    ("wake 10 µs", |config| config.worth_waking = 10_000),
    ("wake 40 µs", |config| config.worth_waking = 40_000),
    ("share 150 ns", |config| config.worth_sharing = 150),
    ("share 600 ns", |config| config.worth_sharing = 600),
];

/// Who runs tasks.
trait Runs: Clone + Send + Sync + 'static {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Boxed;
    fn turn() -> Boxed;
}

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Runs for Spawner {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Boxed {
        let task = Spawner::spawn(self, Location::caller(), future);
        Box::pin(async { task.await.expect("nobody cancels it") })
    }

    fn turn() -> Boxed {
        Box::pin(kasasagi_task::yield_now())
    }
}

#[derive(Clone)]
struct Tokio;

impl Runs for Tokio {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Boxed {
        let task = tokio::spawn(future);
        Box::pin(async { task.await.expect("nobody cancels it") })
    }

    fn turn() -> Boxed {
        Box::pin(tokio::task::yield_now())
    }
}

async fn all(tasks: Vec<Boxed>) {
    for task in tasks {
        task.await;
    }
}

async fn joins(runs: impl Runs) {
    for _ in 0..20 {
        all((0..1_000).map(|_| runs.spawn(async {})).collect()).await;
    }
}

async fn yields<R: Runs>(runs: R) {
    let turns = || async {
        for _ in 0..20 {
            R::turn().await;
        }
    };
    all((0..1_000).map(|_| runs.spawn(turns())).collect()).await;
}

async fn pairs(runs: impl Runs, pairs: usize, each: u32) {
    let mut tasks = Vec::new();
    for _ in 0..pairs {
        let (ping, pinged) = async_channel::bounded(1);
        let (pong, ponged) = async_channel::bounded(1);
        tasks.push(runs.spawn(async move {
            for i in 0..each {
                ping.send(i).await.expect("the partner lives");
                assert_eq!(ponged.recv().await, Ok(i));
            }
        }));
        tasks.push(runs.spawn(async move {
            while let Ok(i) = pinged.recv().await {
                if pong.send(i).await.is_err() {
                    break;
                }
            }
        }));
    }
    all(tasks).await;
}

fn tree<R: Runs>(runs: R, n: u32) -> Boxed {
    Box::pin(async move {
        if n >= 2 {
            let left = runs.spawn(tree(runs.clone(), n - 1));
            tree(runs.clone(), n - 2).await;
            left.await;
        }
    })
}

/// Tasks with something to do.
async fn work<R: Runs>(runs: R) {
    let slices = || async {
        for _ in 0..10 {
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(5) {
                std::hint::spin_loop();
            }
            R::turn().await;
        }
    };
    all((0..100).map(|_| runs.spawn(slices())).collect()).await;
}

const LOADS: [&str; 6] = [
    "20 × 1,000 spawned and joined",
    "1,000 tasks, 20 yields each",
    "a pair, 5,000 messages",
    "500 pairs, 20 messages each",
    "a tree of 2,583 tasks",
    "100 tasks, 10 × 5 µs each",
];

async fn load(runs: impl Runs, which: usize) {
    match which {
        0 => joins(runs).await,
        1 => yields(runs).await,
        2 => pairs(runs, 1, 5_000).await,
        3 => pairs(runs, 500, 20).await,
        4 => tree(runs, 17).await,
        _ => work(runs).await,
    }
}

/// A scheduler and its threads; the calling one has the first seat while it runs something.
struct House {
    spawner: Spawner,
    workers: Vec<JoinHandle<()>>,
}

impl House {
    fn new(workers: usize, vary: fn(&mut Config)) -> Self {
        let mut config = Config::with_seats(workers);
        vary(&mut config);
        let (spawner, workers) = new(config, Box::new(NoDriver::new()));
        let workers = workers.into_iter().map(|worker| thread::spawn(|| worker.run())).collect();
        Self { spawner, workers }
    }

    fn run(&self, which: usize) {
        let seat = self.spawner.enter().expect("nobody else sits there");
        let inside = load(self.spawner.clone(), which);
        let main = Runs::spawn(&self.spawner, inside);
        seat.run_until(Location::caller(), Attributes::default(), main).expect("main ends");
    }

    fn end(self) {
        self.spawner.close();
        self.spawner.enter().expect("nobody else sits there").drain(|| false);
        self.workers.into_iter().for_each(|worker| worker.join().expect("no worker panics"));
    }
}

/// Time and processor time, in nanoseconds.
fn timed(run: impl FnOnce()) -> (f64, f64) {
    let (start, cpu) = (Instant::now(), cpu_ns());
    run();
    (start.elapsed().as_nanos() as f64, (cpu_ns() - cpu) as f64)
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn cells(rows: &mut String, rounds: usize, workers: usize, which: usize) {
    let houses: Vec<House> = VARIANTS.iter().map(|(_, vary)| House::new(workers, *vary)).collect();
    let mut tokio = tokio::runtime::Builder::new_multi_thread();
    let tokio = tokio.worker_threads(workers).build().expect("tokio starts");
    let (mut of_tokio, mut ours) = (Vec::new(), vec![Vec::new(); houses.len()]);
    for round in 0..=rounds {
        let theirs = timed(|| tokio.block_on(async { Tokio.spawn(load(Tokio, which)).await }));
        let mut measured = vec![(0.0, 0.0); houses.len()];
        for i in 0..houses.len() {
            let i = (i + round) % houses.len();
            measured[i] = timed(|| houses[i].run(which));
        }
        // The first one warms up.
        if round > 0 {
            of_tokio.push((measured[0].0 / theirs.0, measured[0].1 / theirs.1));
            ours.iter_mut().zip(&measured).for_each(|(all, (time, cpu))| {
                all.push((time / measured[0].0, cpu / measured[0].1));
            });
        }
    }
    houses.into_iter().for_each(House::end);
    let both = |of: &[(f64, f64)]| {
        let time = median(of.iter().map(|one| one.0).collect());
        let cpu = median(of.iter().map(|one| one.1).collect());
        format!(" {time:.2} · {cpu:.2} |")
    };
    let _ = write!(rows, "| {} | {workers} |{}", LOADS[which], both(&of_tokio));
    ours[1..].iter().for_each(|of| rows.push_str(&both(of)));
    rows.push('\n');
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|i| args.get(i + 1));
    let rounds = value("--rounds").map_or(9, |n| n.parse().expect("a number of rounds"));
    let mut table = "| load | workers | to tokio |".to_owned();
    VARIANTS[1..].iter().for_each(|(name, _)| {
        let _ = write!(table, " {name} |");
    });
    table.push_str("\n|---|--:|");
    table.push_str(&"--:|".repeat(VARIANTS.len()));
    table.push('\n');
    for which in 0..LOADS.len() {
        WORKERS.iter().for_each(|workers| cells(&mut table, rounds, *workers, which));
    }
    println!("{table}");
    if args.iter().any(|arg| arg == "--write") {
        let page = std::fs::read_to_string(PAGE).expect("the page can be read");
        let (head, _) = page.split_once(MARK).expect("the page has the mark");
        std::fs::write(Path::new(PAGE), format!("{head}{MARK}\n{table}"))
            .expect("the page is written");
    }
}
