//! The future of one who waits to be let in.

use super::{Gate, House, Passes, Right};
use crate::semaphore::Wish;
use kasasagi_primitive::task_context::TaskContext;
use kasasagi_primitive::wait_list::Waiter;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::{coop, task_context};
use pin_project_lite::pin_project;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    pub(crate) struct Enter<H: House, P: Passes> {
        // None once it was let in.
        house: Option<H>,
        place: &'static Location<'static>,
        // None unless it had to get in line: most futures never have to.
        #[pin]
        waiter: Option<Waiter<Wish>>,
        alone: Alone,
        passes: PhantomData<fn() -> P>,
    }

    impl<H: House, P: Passes> PinnedDrop for Enter<H, P> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let (Some(house), Some(waiter)) = (this.house, this.waiter.as_pin_mut()) {
                house.gate().semaphore.leave(waiter);
            }
        }
    }
}

impl<H: House, P: Passes> Enter<H, P> {
    #[inline]
    pub(crate) fn new(house: H, place: &'static Location<'static>) -> Self {
        Self {
            house: Some(house),
            place,
            waiter: None,
            alone: Alone::default(),
            passes: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Right<H, P>> {
        ready!(coop::poll_proceed(cx));
        let this = self.as_mut().project();
        if this.waiter.is_none() {
            // The common case, small enough to be a part of what awaits it.
            if let Some(house) = this.house.take_if(|house| house.gate().enter_by_word::<P>()) {
                return Poll::Ready(Right::new(house, this.place));
            }
        }
        self.poll_in_line(cx)
    }

    /// It is not free, or it was asked for before.
    #[inline(never)]
    fn poll_in_line(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Right<H, P>> {
        let this = self.project();
        let gate = match this.house {
            Some(house) => house.gate(),
            None => panic!("a future is not polled after it gave its result"),
        };
        if gate.semaphore.poll_in_line(P::COUNT, this.waiter, cx).is_ready() {
            let house = this.house.take().expect("it was there just now");
            return Poll::Ready(Right::new(house, this.place));
        }
        coop::refund();
        let place = *this.place;
        let (task, debug) = task_context::who();
        if debug && task != 0 && gate.holder.is(task) {
            this.alone.wait_for_itself(gate, place, cx);
        } else {
            task_context::waiting(WaitKind::Lock, gate.holder.address(), place);
        }
        Poll::Pending
    }
}

/// How a task is caught that waits for a lock which it holds itself, in debug mode.
///
/// That it holds it is no proof: another part of the task, polled beside this one, may go on and release it. But then
/// that part waits for something too. So the task is polled again at once, and if nothing else in it has begun to wait
/// for so many polls, nothing in it will ever go on.
#[derive(Default)]
struct Alone {
    // How often the task had noted that it waits, when it did so here.
    count: Option<u32>,
    // How many polls in a row nothing else in the task has noted that it waits.
    rounds: u32,
}

/// What yields notes nothing, and may do so a few times while it holds the lock: a guess, not measured.
const ROUNDS: u32 = 64;

impl Alone {
    #[cold]
    fn wait_for_itself(
        &mut self,
        gate: &Gate,
        place: &'static Location<'static>,
        cx: &Context<'_>,
    ) {
        let noted = |task: &TaskContext| task.wait.count();
        let (before, is_first) = task_context::with(noted).unwrap_or((0, false));
        self.rounds = if is_first && self.count == Some(before) { self.rounds + 1 } else { 0 };
        if self.rounds == ROUNDS {
            let taken = gate.holder.place().unwrap_or(place);
            panic!(
                "this task waits at {place} for a lock that it holds itself, and would wait for ever: it was taken at \
                 {taken}. Drop that guard before, or pass it on to what needs the value; a guard that is given to \
                 another task is made by `lock_owned`"
            );
        }
        task_context::waiting(WaitKind::Lock, gate.holder.address(), place);
        self.count = task_context::with(noted).map(|(count, _)| count).filter(|_| is_first);
        if self.count.is_some() {
            cx.waker().wake_by_ref();
        }
    }
}
