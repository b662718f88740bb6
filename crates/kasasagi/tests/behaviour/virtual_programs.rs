//! A thousand random programs of sleeps, timeouts, spawns and yields in virtual time, against a naive model: one list
//! of who is due, first come first served, and one of who sleeps.

use crate::flavour::{limited, still};
use kasasagi::time::{Duration, now, sleep, timeout};
use kasasagi::{Runtime, spawn, yield_now};
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

const PROGRAMS: u64 = 1000;
const TASKS: usize = 24;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// So many nanoseconds.
    Sleep(u64),
    /// A sleep of the second within a limit of the first.
    Timeout(u64, u64),
    Yield,
    /// The task of that number, which nobody else spawns.
    Spawn(usize),
}

/// The steps of each task, and how many of them are spawned at the beginning.
#[derive(Debug, Clone)]
struct Program {
    tasks: Vec<Vec<Step>>,
    first: usize,
}

/// Which task ended which of its steps, and when, in nanoseconds from the beginning; and whether a timeout was over.
type Event = (usize, usize, u64, bool);

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        // xorshift64, Marsaglia 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % n
    }

    /// From nanoseconds to hours.
    fn time(&mut self) -> u64 {
        let most = 10_u64.pow(2 + self.below(12) as u32);
        1 + self.below(most)
    }
}

impl Program {
    fn random(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let first = 1 + dice.below(6) as usize;
        let mut next = first;
        let mut tasks = Vec::new();
        while tasks.len() < next {
            let length = 1 + dice.below(8);
            let mut steps = Vec::new();
            for _ in 0..length {
                steps.push(match dice.below(8) {
                    0..=2 => Step::Sleep(dice.time()),
                    3 | 4 => Step::Timeout(dice.time(), dice.time()),
                    5 | 6 => Step::Yield,
                    _ if next < TASKS => {
                        next += 1;
                        Step::Spawn(next - 1)
                    }
                    _ => Step::Yield,
                });
            }
            tasks.push(steps);
        }
        Self { tasks, first }
    }

    /// What happens, in which order; `None` if two sleeps end at the same moment, whose order is open.
    fn model(&self) -> Option<Vec<Event>> {
        let mut due: VecDeque<(usize, usize, bool)> = VecDeque::new();
        let mut asleep: BTreeMap<u64, (usize, usize, bool)> = BTreeMap::new();
        let (mut time, mut events) = (0, Vec::new());
        due.extend((0..self.first).map(|task| (task, 0, false)));
        loop {
            let Some((task, mut step, mut ended)) = due.pop_front() else {
                let Some((when, sleeper)) = asleep.pop_first() else { return Some(events) };
                time = when;
                due.push_back(sleeper);
                continue;
            };
            while let Some(what) = self.tasks[task].get(step) {
                if !ended {
                    let until = match what {
                        Step::Spawn(child) => {
                            due.push_back((*child, 0, false));
                            None
                        }
                        Step::Yield => {
                            due.push_back((task, step, true));
                            break;
                        }
                        Step::Sleep(long) => Some(time + long),
                        Step::Timeout(limit, long) => Some(time + limit.min(long)),
                    };
                    if let Some(until) = until {
                        if asleep.insert(until, (task, step, true)).is_some() {
                            return None;
                        }
                        break;
                    }
                }
                let over = matches!(what, Step::Timeout(limit, long) if limit < long);
                events.push((task, step, time, over));
                step += 1;
                ended = false;
            }
        }
    }

    /// The same by the runtime.
    fn run(&self, runtime: &Runtime) -> Vec<Event> {
        let run = Arc::new(Run { program: self.clone(), events: Mutex::default() });
        let all = Arc::clone(&run);
        let main = runtime.run(async move {
            let begin = now();
            let tasks: Vec<_> = (0..all.program.first)
                .map(|task| spawn(Arc::clone(&all).task(task, begin)))
                .collect();
            for task in tasks {
                task.await.expect("it ends");
            }
        });
        main.expect("main ends");
        std::mem::take(&mut *run.events.lock().expect("no panic"))
    }
}

struct Run {
    program: Program,
    events: Mutex<Vec<Event>>,
}

impl Run {
    /// Ends when its children have ended.
    fn task(
        self: Arc<Self>,
        task: usize,
        begin: std::time::Instant,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let mut children = Vec::new();
            for (step, what) in self.program.tasks[task].iter().enumerate() {
                let mut over = false;
                match *what {
                    Step::Sleep(long) => sleep(Duration::from_nanos(long)).await,
                    Step::Timeout(limit, long) => {
                        let (limit, long) =
                            (Duration::from_nanos(limit), Duration::from_nanos(long));
                        over = timeout(limit, sleep(long)).await.is_err();
                    }
                    Step::Yield => yield_now().await,
                    Step::Spawn(child) => {
                        children.push(spawn(Arc::clone(&self).task(child, begin)))
                    }
                }
                let when = (now() - begin).as_nanos() as u64;
                self.events.lock().expect("no panic").push((task, step, when, over));
            }
            for child in children {
                child.await.expect("it ends");
            }
        })
    }
}

fn for_each_program(workers: usize, check: impl Fn(u64, Vec<Event>, Vec<Event>)) {
    limited(|| {
        let runtime = still(workers);
        let mut checked = 0;
        for seed in 1..=PROGRAMS {
            let program = Program::random(seed);
            let Some(wanted) = program.model() else { continue };
            check(seed, program.run(&runtime), wanted);
            checked += 1;
        }
        assert!(checked > PROGRAMS * 9 / 10, "{checked} programs are unambiguous");
    });
}

#[test]
fn a_thousand_programs_have_the_order_and_the_moments_of_a_naive_model_on_one_worker() {
    for_each_program(1, |seed, seen, wanted| assert_eq!(seen, wanted, "program {seed}"));
}

#[test]
fn a_thousand_programs_have_the_moments_of_a_naive_model_on_several_workers() {
    for workers in [2, 4] {
        for_each_program(workers, |seed, mut seen, mut wanted| {
            seen.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(seen, wanted, "program {seed}");
        });
    }
}
