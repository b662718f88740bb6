//! What a task notes of the lines in which futures wait that it has polled.

use kasasagi_primitive::offers::{self, At, Line, Taken};
use kasasagi_primitive::task_context::{self, TaskContext};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// A line that notes who asks it.
#[derive(Default)]
struct Noted {
    offers: AtomicU32,
    asked: Mutex<Vec<At>>,
}

impl Line for Noted {
    fn has_offers(&self) -> bool {
        self.offers.load(Relaxed) > 0
    }

    fn take_back(&self, at: At, taken: &mut Taken) {
        self.asked.lock().expect("nobody panics here").push(at);
        taken.missed = self.offers.swap(0, Relaxed);
    }
}

/// Runs `f` as the task.
#[expect(unsafe_code, reason = "this is the runner")]
fn as_task<R>(context: &TaskContext, f: impl FnOnce() -> R) -> R {
    // SAFETY: the context outlives the guard, and this thread alone polls.
    let _entered = unsafe { task_context::enter(context) };
    context.begin();
    f()
}

#[test]
fn what_the_poll_did_not_look_at_is_unseen() {
    let (one, two) = (Arc::<Noted>::default(), Arc::<Noted>::default());
    let context = TaskContext::new(7);
    let (mut first, mut second) = as_task(&context, || (offers::join(&one), offers::join(&two)));
    assert!(!context.has_unseen(), "who has just come was looked at");
    as_task(&context, || ());
    assert!(context.has_unseen());
    as_task(&context, || {
        for _ in 0..2 {
            first = offers::look(&one, first);
            assert!(context.has_unseen(), "one look more often is none at the other");
        }
        second = offers::look(&two, second);
        assert!(!context.has_unseen());
        offers::part(&one, first);
    });
    assert!(!context.has_unseen());
    as_task(&context, || {
        assert!(context.has_unseen());
        offers::part(&two, second);
        assert!(!context.has_unseen(), "who is gone is not left");
    });
    as_task(&context, || ());
    assert!(!context.has_unseen(), "nobody waits");
}

#[test]
fn who_looked_and_left_in_one_poll_hides_nobody() {
    let line = Arc::<Noted>::default();
    let context = TaskContext::new(7);
    let (first, _) = as_task(&context, || (offers::join(&line), offers::join(&line)));
    as_task(&context, || offers::part(&line, offers::look(&line, first)));
    assert!(context.has_unseen());
}

#[test]
fn so_many_that_they_are_not_counted_are_looked_at_closely() {
    const MANY: usize = 300;
    let line = Arc::<Noted>::default();
    let context = TaskContext::new(7);
    let mut waits: Vec<At> = as_task(&context, || (0..MANY).map(|_| offers::join(&line)).collect());
    as_task(&context, || waits.iter_mut().for_each(|at| *at = offers::look(&line, *at)));
    assert!(context.has_unseen(), "whether there are others is not known");
    as_task(&context, || waits.drain(200..).for_each(|at| offers::part(&line, at)));
    as_task(&context, || waits[1..].iter_mut().for_each(|at| *at = offers::look(&line, *at)));
    assert!(context.has_unseen());
    as_task(&context, || waits.iter_mut().for_each(|at| *at = offers::look(&line, *at)));
    assert!(!context.has_unseen(), "they are counted again");
}

#[test]
fn lines_with_offers_are_asked_and_no_others() {
    let lines: Vec<Arc<Noted>> = (0..6).map(|_| Arc::default()).collect();
    let context = TaskContext::new(7);
    let waits: Vec<At> = as_task(&context, || lines.iter().map(offers::join).collect());
    as_task(&context, || offers::part(&lines[1], waits[1]));
    for line in [0, 1, 3, 5] {
        lines[line].offers.store(1, Relaxed);
    }
    assert!(!as_task(&context, || offers::take_back(&context)));
    let asked = lines.iter().map(|line| line.asked.lock().expect("nobody panics").len());
    assert_eq!(asked.collect::<Vec<_>>(), [1, 0, 0, 1, 0, 1]);
    as_task(&context, || [2, 4].map(|line| offers::part(&lines[line], waits[line])));
    as_task(&context, || ());
    assert!(!context.has_unseen(), "three have missed their turn, and the others left");
}

#[test]
fn who_comes_from_another_task_is_counted_here() {
    let line = Arc::<Noted>::default();
    let (here, there) = (TaskContext::new(7), TaskContext::new(8));
    let at = as_task(&here, || offers::join(&line));
    let at = as_task(&there, || offers::look(&line, at));
    assert_eq!(at.task, 8);
    as_task(&there, || ());
    assert!(there.has_unseen());
    as_task(&here, || offers::part(&line, at));
    as_task(&here, || ());
    assert!(here.has_unseen(), "too careful, as it was not told");
    drop((line, there));
    assert!(!as_task(&here, || offers::take_back(&here)));
    as_task(&here, || ());
    assert!(!here.has_unseen(), "nobody is left who could wait in it");
}

#[test]
fn lines_that_nobody_else_has_are_forgotten() {
    let context = TaskContext::new(7);
    let lines = as_task(&context, || {
        let come = (0..1000).map(|_| {
            let line = Arc::<Noted>::default();
            let _ = offers::join(&line);
            // Its future goes to another task, which ends: nobody tells this one.
            Arc::downgrade(&line)
        });
        come.collect::<Vec<_>>()
    });
    let kept = lines.iter().filter(|line| line.strong_count() > 0).count();
    assert!(kept < 16, "{kept} lines are kept");
}
