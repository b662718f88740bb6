//! What a task notes of its waiters, against a plain list of them: who was not looked at is never taken for seen.

use kasasagi_primitive::offers::{self, At, Line, Taken};
use kasasagi_primitive::task_context::{self, TaskContext};
use std::sync::{Arc, Mutex};

/// A line that always has offers, and notes which poll asked it last.
#[derive(Default)]
struct Noted(Mutex<Option<At>>);

impl Noted {
    fn asked(&self) -> Option<At> {
        self.0.lock().expect("nobody panics here").take()
    }
}

impl Line for Noted {
    fn has_offers(&self) -> bool {
        true
    }

    fn take_back(&self, at: At, _: &mut Taken) {
        *self.0.lock().expect("nobody panics here") = Some(at);
    }
}

#[expect(unsafe_code, reason = "this is the runner")]
fn inside<R>(context: &TaskContext, f: impl FnOnce() -> R) -> R {
    // SAFETY: the context outlives the guard, and this thread alone polls.
    let _entered = unsafe { task_context::enter(context) };
    f()
}

/// Ends a poll; says whether it had looked at all, and asks the lines if not.
fn end(context: &TaskContext) -> bool {
    let all = context.end_looks();
    if !all {
        inside(context, offers::take_back);
        context.renew_looks();
    }
    all
}

#[test]
fn one_who_leaves_as_they_are_counted_again_does_not_make_others_seen() {
    let context = TaskContext::new(7);
    let line = Arc::<Noted>::default();
    let waits: Vec<At> = inside(&context, || (0..255).map(|_| offers::join(&line)).collect());
    end(&context);
    inside(&context, || offers::part(&line, waits[0]));
    assert!(!end(&context));
    let asked = line.asked().expect("it was asked");
    assert!(waits[1..].iter().all(|at| *at != asked), "nobody was looked at");
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % n as u64).expect("it is below n")
    }
}

struct Wait {
    line: usize,
    at: At,
    is_seen: bool,
}

/// What the task's futures did, and what it has to know of them.
struct Model {
    context: TaskContext,
    lines: Vec<Arc<Noted>>,
    waits: Vec<Wait>,
}

impl Model {
    fn join(&mut self, random: &mut Random) {
        let line = random.below(self.lines.len());
        self.waits.push(Wait { line, at: offers::join(&self.lines[line]), is_seen: true });
    }

    fn look(&mut self, i: usize) {
        let wait = &mut self.waits[i];
        wait.at = offers::look(&self.lines[wait.line], wait.at);
        wait.is_seen = true;
    }

    fn step(&mut self, random: &mut Random) {
        let looks_at_all = random.below(4) == 0;
        let most = if random.below(4) == 0 { 3 } else { 12 };
        for _ in 0..random.below(most) {
            match random.below(6) {
                0 | 1 => self.join(random),
                2 | 3 if !self.waits.is_empty() => self.look(random.below(self.waits.len())),
                4 if !self.waits.is_empty() => {
                    let gone = self.waits.swap_remove(random.below(self.waits.len()));
                    offers::part(&self.lines[gone.line], gone.at);
                }
                5 if looks_at_all => (0..self.waits.len()).for_each(|i| self.look(i)),
                _ => {}
            }
        }
    }

    fn check(&self) {
        if end(&self.context) {
            assert!(self.waits.iter().all(|wait| wait.is_seen), "it said that all were seen");
            return;
        }
        let asked: Vec<Option<At>> = self.lines.iter().map(|line| line.asked()).collect();
        for wait in &self.waits {
            let at = asked[wait.line].expect("a line in which one waits is asked");
            assert!(wait.is_seen || at != wait.at, "one that was not seen is taken for seen");
            // So many that they are not counted may be told once too often that they were not.
            let is_counted = self.waits.len() < 200;
            assert!(
                !(wait.is_seen && is_counted) || at == wait.at,
                "one that was seen is told not"
            );
        }
    }
}

fn explore(seed: u64, at_first: usize) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let lines = (0..8).map(|_| Arc::default()).collect();
    let mut model = Model { context: TaskContext::new(7), lines, waits: Vec::new() };
    let context = std::ptr::from_ref(&model.context);
    for step in 0..60 {
        if step > 0 {
            model.waits.iter_mut().for_each(|wait| wait.is_seen = false);
        }
        {
            #[expect(unsafe_code, reason = "this is the runner")]
            // SAFETY: the context stays where it is, in the model, and this thread alone polls.
            let _entered = unsafe { task_context::enter(context) };
            if step == 0 {
                (0..at_first).for_each(|_| model.join(&mut random));
            } else {
                model.step(&mut random);
            }
        }
        model.check();
    }
}

#[test]
fn few_waiters_are_known_whatever_they_do() {
    (1..1000).for_each(|seed| explore(seed, 0));
}

#[test]
fn waiters_are_known_where_they_become_too_many_to_be_counted() {
    for seed in 1..200 {
        for at_first in [250, 253, 255, 257, 260] {
            explore(seed, at_first);
        }
    }
}
