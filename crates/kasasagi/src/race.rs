//! Race: the value of the task that ends first; the others are cancelled, and have ended, when it is given.

use crate::child_scope::{ChildScope, because};
use crate::children::{Children, Wake};
use crate::map_concurrent::raise;
use kasasagi_primitive::request::Cause;
use kasasagi_task::{IntoTask, JoinError};
use std::fmt;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Runs everything in `items` side by side, and gives the value that is there first. The losers are cancelled, and have
/// ended, clean-up included, when it is given.
///
/// A runner that is cancelled by somebody else drops out. Losers that are only lent ([`Task::by_ref`](crate::Task::by_ref))
/// run on, and are neither cancelled nor waited for.
///
/// # Panics
/// If the first to end panicked, with its payload, once the losers have ended. If there is nothing in `items`, or every
/// runner was cancelled: a race without a winner has no value. When it is polled where no runtime runs.
///
/// # Cancel safety
/// Not cancel safe: dropped, it cancels the runners that it owns.
///
/// # Examples
/// ```
/// use kasasagi::{race, time};
/// use std::time::Duration;
///
/// kasasagi::run(async {
///     let ask = |name, millis| async move {
///         time::sleep(Duration::from_millis(millis)).await;
///         name
///     };
///     assert_eq!(race([ask("near", 1), ask("far", 10_000)]).await, "near");
/// });
/// ```
///
/// Counterpart: `asyncio.wait(…, return_when=FIRST_COMPLETED)`, then `cancel` of what is pending.
#[track_caller]
pub fn race<I>(items: I) -> Race<I::IntoIter>
where
    I: IntoIterator,
    I::Item: IntoTask,
{
    Race {
        place: Location::caller(),
        state: State::Ready(items.into_iter()),
        scope: ChildScope::default(),
    }
}

/// What [`race`] gives: a future of the winner's value.
#[must_use = "futures do nothing unless awaited"]
pub struct Race<I>
where
    I: Iterator<Item: IntoTask>,
{
    place: &'static Location<'static>,
    state: State<I>,
    scope: ChildScope,
}

type Handle<I> = <<I as Iterator>::Item as IntoTask>::Handle;
type Joined<I> = Result<<<I as Iterator>::Item as IntoTask>::Output, JoinError>;

enum State<I: Iterator<Item: IntoTask>> {
    Ready(I),
    Running(Runners<I>),
    Done,
}

struct Runners<I: Iterator<Item: IntoTask>> {
    children: Children<Handle<I>>,
    place: &'static Location<'static>,
    left: usize,
    /// The race was called off before anybody had won.
    off: bool,
    winner: Option<Joined<I>>,
    /// The last of those that were cancelled before there was a winner.
    out: Option<JoinError>,
}

// Nothing is pinned in it: handles and outputs move.
impl<I: Iterator<Item: IntoTask>> Unpin for Race<I> {}

impl<I: Iterator<Item: IntoTask>> Runners<I> {
    /// Waits for the winner, then for the losers.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.left > 0 {
            ready!(self.children.poll(cx));
            while let Some(slot) = self.children.next() {
                self.left -= 1;
                let output = self.children.take(slot);
                match output {
                    _ if self.off || self.winner.is_some() => {}
                    Err(error) if error.is_cancelled() => self.out = Some(error),
                    output => {
                        self.winner = Some(output);
                        if !self.children.cancel(&because("another won the race", self.place)) {
                            // Those that are lent go on, and may do so for ever.
                            return Poll::Ready(());
                        }
                    }
                }
            }
        }
        Poll::Ready(())
    }

    fn cancel(&mut self, cause: &Cause) -> bool {
        self.off |= self.winner.is_none();
        self.children.cancel(cause)
    }
}

impl<I: Iterator<Item: IntoTask>> Future for Race<I> {
    type Output = <I::Item as IntoTask>::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let State::Ready(_) = this.state {
            if let State::Ready(items) = mem::replace(&mut this.state, State::Done) {
                let place = this.place;
                let children = Children::all(items, Wake::First, place);
                let left = children.len();
                let (off, winner, out) = (false, None, None);
                this.state = State::Running(Runners { children, place, left, off, winner, out });
            }
        }
        let State::Running(runners) = &mut this.state else {
            panic!("a race was polled again after it had given its value: await it once")
        };
        ready!(this.scope.poll(cx, runners, Runners::poll, Runners::cancel));
        if runners.winner.is_some() {
            this.scope.give_back();
        } else if this.scope.passes() {
            return Poll::Pending;
        }
        let (winner, out) = (runners.winner.take(), runners.out.take());
        this.state = State::Done;
        match winner {
            Some(Ok(value)) => Poll::Ready(value),
            Some(Err(error)) => raise(error, "race", this.place),
            None => no_winner(out, this.place),
        }
    }
}

fn no_winner(out: Option<JoinError>, place: &Location<'_>) -> ! {
    match out {
        Some(error) => raise(error, "race", place),
        None => panic!(
            "`race` at {place} was given nothing, and will never have a winner: ask whether there is something to \
             run before"
        ),
    }
}

impl<I: Iterator<Item: IntoTask>> Drop for Race<I> {
    fn drop(&mut self) {
        if let State::Running(runners) = &mut self.state {
            runners.children.cancel(&because("its race was dropped", self.place));
        }
    }
}

impl<I: Iterator<Item: IntoTask>> fmt::Debug for Race<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race").field("place", &self.place).finish_non_exhaustive()
    }
}
