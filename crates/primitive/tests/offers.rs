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

/// One poll of the task, which does `f`; and whether it has looked at all who wait.
#[expect(unsafe_code, reason = "this is the runner")]
fn poll<R>(context: &TaskContext, f: impl FnOnce() -> R) -> (R, bool) {
    // SAFETY: the context outlives the guard, and this thread alone polls.
    let _entered = unsafe { task_context::enter(context) };
    context.begin();
    let result = f();
    let has_seen_all = context.end_looks();
    context.renew_looks();
    (result, has_seen_all)
}

#[test]
fn a_poll_that_did_not_look_at_all_is_told_so() {
    let (one, two) = (Arc::<Noted>::default(), Arc::<Noted>::default());
    let context = TaskContext::new(7);
    let ((first, second), all) = poll(&context, || (offers::join(&one), offers::join(&two)));
    assert!(all, "who has just come was looked at");
    assert!(!poll(&context, || ()).1);
    let (first, all) = poll(&context, || offers::look(&one, offers::look(&one, first)));
    assert!(!all, "one look more often is none at the other");
    let (second, all) = poll(&context, || {
        offers::part(&one, offers::look(&one, first));
        offers::look(&two, second)
    });
    assert!(all);
    assert!(poll(&context, || offers::part(&two, second)).1, "who is gone is not left");
    assert!(poll(&context, || ()).1, "nobody waits");
}

#[test]
fn who_was_looked_at_and_left_in_one_poll_hides_nobody() {
    let line = Arc::<Noted>::default();
    let context = TaskContext::new(7);
    let ((first, _), _) = poll(&context, || (offers::join(&line), offers::join(&line)));
    assert!(!poll(&context, || offers::part(&line, offers::look(&line, first))).1);
    assert!(!poll(&context, || ()).1);
}

#[test]
fn who_came_and_left_in_one_poll_hides_nobody() {
    let line = Arc::<Noted>::default();
    let context = TaskContext::new(7);
    let _ = poll(&context, || offers::join(&line));
    for _ in 0..2 {
        assert!(!poll(&context, || offers::part(&line, offers::join(&line))).1);
    }
}

#[test]
fn so_many_that_they_are_not_counted_are_not_said_to_be_seen() {
    const MANY: usize = 300;
    let line = Arc::<Noted>::default();
    let context = TaskContext::new(7);
    let (mut waits, _) =
        poll(&context, || (0..MANY).map(|_| offers::join(&line)).collect::<Vec<At>>());
    let look_at = |waits: &mut [At]| {
        poll(&context, || waits.iter_mut().for_each(|at| *at = offers::look(&line, *at))).1
    };
    assert!(!look_at(&mut waits), "whether there are others is not known");
    poll(&context, || waits.drain(200..).for_each(|at| offers::part(&line, at)));
    assert!(!look_at(&mut waits[1..]));
    assert!(look_at(&mut waits), "they are counted again");
}

#[test]
fn lines_with_offers_are_asked_and_no_others() {
    let lines: Vec<Arc<Noted>> = (0..6).map(|_| Arc::default()).collect();
    let context = TaskContext::new(7);
    let (waits, _) = poll(&context, || lines.iter().map(offers::join).collect::<Vec<At>>());
    poll(&context, || offers::part(&lines[1], waits[1]));
    for line in [0, 1, 3, 5] {
        lines[line].offers.store(1, Relaxed);
    }
    assert!(poll(&context, offers::take_back).0, "others may have been served instead");
    let asked = lines.iter().map(|line| line.asked.lock().expect("nobody panics").len());
    assert_eq!(asked.collect::<Vec<_>>(), [1, 0, 0, 1, 0, 1]);
    poll(&context, || [2, 4].map(|line| offers::part(&lines[line], waits[line])));
    assert!(poll(&context, || ()).1, "three have missed their turn, and the others left");
}

#[test]
fn who_comes_from_another_task_is_counted_here() {
    let line = Arc::<Noted>::default();
    let (here, there) = (TaskContext::new(7), TaskContext::new(8));
    let (at, _) = poll(&here, || offers::join(&line));
    let (at, _) = poll(&there, || offers::look(&line, at));
    assert_eq!(at.task, 8);
    assert!(!poll(&there, || ()).1);
    poll(&here, || offers::part(&line, at));
    assert!(!poll(&here, || ()).1, "too careful, as it was not told");
    drop((line, there));
    assert!(!poll(&here, offers::take_back).0);
    assert!(poll(&here, || ()).1, "nobody is left who could wait in it");
}

#[test]
fn who_is_gone_is_noticed_after_some_polls() {
    const LINES: usize = 10;
    let lines: Vec<Arc<Noted>> = (0..LINES).map(|_| Arc::default()).collect();
    let context = TaskContext::new(7);
    poll(&context, || lines.iter().map(offers::join).count());
    assert!(!poll(&context, offers::take_back).0);
    drop(lines);
    let polls = (0..).take_while(|_| {
        poll(&context, offers::take_back);
        !poll(&context, || ()).1
    });
    assert!(polls.take(LINES + 1).count() < LINES, "it is still too careful");
}

#[test]
fn lines_that_nobody_else_has_are_forgotten() {
    let context = TaskContext::new(7);
    let (lines, _) = poll(&context, || {
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
