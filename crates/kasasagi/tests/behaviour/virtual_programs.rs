//! A thousand random programs of sleeps, timeouts, spawns and yields in virtual time, against a naive model: a list
//! of who is due, first come first served, and one of who sleeps.

use crate::flavour::{limited, still};
use futures_channel::oneshot;
use kasasagi::time::{Duration, Instant, now, sleep, timeout};
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

/// Who is due: first come, first served. But who is spawned while nobody is due has a place from which it is next,
/// unless four in a row came from there: then those have their turn that were queued meanwhile.
struct Due {
    slot: Option<usize>,
    queue: VecDeque<usize>,
    left: u32,
}

const IN_A_ROW: u32 = 4;

impl Due {
    fn spawn(&mut self, task: usize) {
        if self.slot.is_none() && self.queue.is_empty() {
            self.slot = Some(task);
        } else {
            self.queue.push_back(task);
        }
    }

    fn next(&mut self) -> Option<usize> {
        if let Some(task) = self.slot.take_if(|_| self.left > 0) {
            self.left -= 1;
            return Some(task);
        }
        self.left = IN_A_ROW;
        self.queue.pop_front().or_else(|| self.slot.take())
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
        let mut due = Due { slot: None, queue: VecDeque::new(), left: IN_A_ROW };
        let mut asleep: BTreeMap<u64, usize> = BTreeMap::new();
        // The step of each task, and whether it has waited in it.
        let mut at = vec![(0, false); self.tasks.len()];
        let (mut time, mut events) = (0, Vec::new());
        (0..self.first).for_each(|task| due.spawn(task));
        loop {
            let Some(task) = due.next() else {
                let Some((when, sleeper)) = asleep.pop_first() else { return Some(events) };
                time = when;
                due.queue.push_back(sleeper);
                continue;
            };
            let (step, waited) = &mut at[task];
            while let Some(what) = self.tasks[task].get(*step) {
                if !std::mem::replace(waited, true) {
                    let sleeps = match *what {
                        Step::Spawn(child) => {
                            due.spawn(child);
                            None
                        }
                        Step::Yield => {
                            due.queue.push_back(task);
                            break;
                        }
                        Step::Sleep(long) => Some(long),
                        Step::Timeout(limit, long) => Some(limit.min(long)),
                    };
                    if let Some(long) = sleeps {
                        if asleep.insert(time + long, task).is_some() {
                            return None;
                        }
                        break;
                    }
                }
                let over = matches!(what, Step::Timeout(limit, long) if limit < long);
                events.push((task, *step, time, over));
                (*step, *waited) = (*step + 1, false);
            }
        }
    }

    /// The same by the runtime. Main is woken once, at the end, and stands in nobody's way.
    fn run(&self, runtime: &Runtime) -> Vec<Event> {
        let (end, ended) = oneshot::channel();
        let state = State { events: Vec::new(), alive: self.tasks.len(), end: Some(end) };
        let run = Arc::new(Run { program: self.clone(), state: Mutex::new(state) });
        let main = runtime.run(async {
            let begin = now();
            for task in 0..self.first {
                drop(spawn(Arc::clone(&run).task(task, begin)));
            }
            ended.await.expect("they end");
        });
        main.expect("main ends");
        std::mem::take(&mut run.state.lock().expect("no panic").events)
    }
}

struct Run {
    program: Program,
    state: Mutex<State>,
}

struct State {
    events: Vec<Event>,
    alive: usize,
    end: Option<oneshot::Sender<()>>,
}

impl Run {
    fn task(
        self: Arc<Self>,
        task: usize,
        begin: Instant,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            for (step, what) in self.program.tasks[task].iter().enumerate() {
                let mut over = false;
                match *what {
                    Step::Sleep(long) => sleep(Duration::from_nanos(long)).await,
                    Step::Timeout(limit, long) => {
                        let nap = sleep(Duration::from_nanos(long));
                        over = timeout(Duration::from_nanos(limit), nap).await.is_err();
                    }
                    Step::Yield => yield_now().await,
                    Step::Spawn(child) => drop(spawn(Arc::clone(&self).task(child, begin))),
                }
                let when = u64::try_from((now() - begin).as_nanos()).expect("some hours");
                self.state.lock().expect("no panic").events.push((task, step, when, over));
            }
            let mut state = self.state.lock().expect("no panic");
            state.alive -= 1;
            if state.alive == 0 {
                let _ = state.end.take().expect("it ends once").send(());
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
