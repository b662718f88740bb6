//! Mixed: a gather of futures and tasks of different types, for `gather!`.

use crate::child_scope::{ChildScope, because};
use crate::children::Here;
use kasasagi_primitive::request::Cause;
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_task::{Ends, IntoTask, JoinError, TaskHandle};
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Runs futures and [`Task`](crate::Task)s of different types side by side; awaited, it gives a tuple of what came of
/// each.
///
/// # Examples
/// ```
/// use kasasagi::gather;
///
/// kasasagi::run(async {
///     let (name, age) = gather!(async { "magpie" }, kasasagi::spawn(async { 20 })).await;
///     assert_eq!((name.expect("it ends"), age.expect("it ends")), ("magpie", 20));
/// });
/// ```
///
/// Counterpart: `asyncio.gather(a, b, c, return_exceptions=True)`.
#[macro_export]
macro_rules! gather {
    ($($item:expr),+ $(,)?) => {
        $crate::__gather_mixed(($($item,)+))
    };
}

/// What `gather!` expands to.
#[doc(hidden)]
#[track_caller]
pub fn gather_mixed<M: Mixed>(items: M) -> GatherMixed<M> {
    GatherMixed {
        place: Location::caller(),
        state: State::Ready(items),
        scope: ChildScope::default(),
    }
}

/// A tuple of futures and tasks: what `gather!` takes.
pub trait Mixed {
    /// The handles.
    #[doc(hidden)]
    type Handles;
    /// The outputs, a `Result` each.
    type Outputs;
    #[doc(hidden)]
    fn start(self, place: &'static Location<'static>) -> (Self::Handles, Ends);
    #[doc(hidden)]
    fn cancel(handles: &mut Self::Handles, cause: &Cause) -> bool;
    #[doc(hidden)]
    fn outputs(handles: Self::Handles) -> Self::Outputs;
}

macro_rules! mixed {
    ($count:literal: $($item:ident $index:tt),+) => {
        impl<$($item: IntoTask),+> Mixed for ($($item,)+) {
            type Handles = ($($item::Handle,)+);
            type Outputs = ($(Result<$item::Output, JoinError>,)+);

            fn start(self, place: &'static Location<'static>) -> (Self::Handles, Ends) {
                let mut handles = ($(self.$index.into_task(&mut Here(place)),)+);
                let mut ends = Ends::new($count, $count);
                $(ends.watch($index, handles.$index.task());)+
                (handles, ends)
            }

            fn cancel(handles: &mut Self::Handles, cause: &Cause) -> bool {
                $(if !$item::Handle::LENT {
                    handles.$index.task().cancel_for(cause);
                })+
                // What is lent is not asked, and may go on for ever.
                $(!$item::Handle::LENT)&&+
            }

            fn outputs(mut handles: Self::Handles) -> Self::Outputs {
                ($(handles.$index.task().output(),)+)
            }
        }
    };
}

mixed!(1: A 0);
mixed!(2: A 0, B 1);
mixed!(3: A 0, B 1, C 2);
mixed!(4: A 0, B 1, C 2, D 3);
mixed!(5: A 0, B 1, C 2, D 3, E 4);
mixed!(6: A 0, B 1, C 2, D 3, E 4, F 5);
mixed!(7: A 0, B 1, C 2, D 3, E 4, F 5, G 6);
mixed!(8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
mixed!(9: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
mixed!(10: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
mixed!(11: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
mixed!(12: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);

/// A future of the outputs of up to twelve children of different types; made by `gather!`.
///
/// # Cancel safety
/// Not cancel safe: dropped, it cancels the children that it owns, and what they gave is lost.
#[must_use = "futures do nothing unless awaited"]
pub struct GatherMixed<M: Mixed> {
    place: &'static Location<'static>,
    state: State<M>,
    scope: ChildScope,
}

enum State<M: Mixed> {
    Ready(M),
    Running(M::Handles, Ends),
    Done,
}

// Nothing is pinned in it: futures are spawned, handles move.
impl<M: Mixed> Unpin for GatherMixed<M> {}

impl<M: Mixed> Future for GatherMixed<M> {
    type Output = M::Outputs;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<M::Outputs> {
        let place = self.place;
        if let State::Ready(_) = self.state {
            if let State::Ready(items) = std::mem::replace(&mut self.state, State::Done) {
                let (handles, ends) = items.start(place);
                self.state = State::Running(handles, ends);
            }
        }
        let this = &mut *self;
        let State::Running(handles, ends) = &mut this.state else { super::polled_again() };
        let poll = |handles: &mut M::Handles, cx: &mut Context<'_>| {
            let _ = handles;
            if ends.poll(cx).is_pending() {
                task_context::waiting(WaitKind::Join, 0, place);
                return Poll::Pending;
            }
            Poll::Ready(())
        };
        ready!(this.scope.wait(cx, handles, poll, M::cancel));
        if this.scope.passes() {
            return Poll::Pending;
        }
        match std::mem::replace(&mut self.state, State::Done) {
            State::Running(handles, _) => Poll::Ready(M::outputs(handles)),
            State::Ready(_) | State::Done => super::polled_again(),
        }
    }
}

impl<M: Mixed> Drop for GatherMixed<M> {
    fn drop(&mut self) {
        if let State::Running(handles, _) = &mut self.state {
            M::cancel(handles, &because("its gather was dropped", self.place));
        }
    }
}

impl<M: Mixed> fmt::Debug for GatherMixed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatherMixed").field("place", &self.place).finish_non_exhaustive()
    }
}
