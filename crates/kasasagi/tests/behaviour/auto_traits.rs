//! Which public types may go to other threads.

use kasasagi::{
    AsCompleted, Builder, CallbackId, Cancelled, CatchCancel, ChildError, Context, ContextVar,
    Deferred, Exit, Finally, FirstError, Gather, GroupError, Handle, InvalidState, Join, JoinError,
    Metrics, Named, NoRuntime, Outcome, Promise, PromiseError, Race, Report, ReturnWhen, RunError,
    Runtime, SeatMetrics, Shield, ShutdownReport, Task, TaskGroup, TaskId, TaskInfo, TaskMut,
    TaskRef, TaskState, TimerHandle, Token, TryGather, Uninterruptible, Wait, Waited, YieldNow,
    stream, sync, time,
};
use std::cell::Cell;
use std::future::Pending;
use std::rc::Rc;

fn send<T: Send>() {}
fn sync<T: Sync>() {}
fn unpin<T: Unpin>() {}
fn everywhere<T: Send + Sync + Unpin + 'static>() {}

/// Implemented twice for what has the trait: then the call below cannot say which is meant.
macro_rules! is_not {
    ($type:ty: $what:ident) => {{
        trait Ambiguous<A> {
            fn ask() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        struct Other;
        impl<T: ?Sized + $what> Ambiguous<Other> for T {}
        <$type as Ambiguous<_>>::ask();
    }};
}

#[test]
fn what_a_program_holds_goes_anywhere() {
    everywhere::<Runtime>();
    everywhere::<Builder>();
    everywhere::<Handle>();
    everywhere::<NoRuntime>();
    everywhere::<RunError>();
    everywhere::<ShutdownReport>();
    everywhere::<JoinError>();
    everywhere::<TaskId>();
    everywhere::<TaskInfo>();
    everywhere::<TaskRef>();
    everywhere::<TaskState>();
    everywhere::<Metrics>();
    everywhere::<SeatMetrics>();
    everywhere::<YieldNow>();
    everywhere::<Named<Pending<()>>>();
}

#[test]
fn a_handle_is_shared_if_its_output_may_move() {
    everywhere::<Task<u32>>();
    everywhere::<Join<u32>>();
    // A reference to a handle gives nobody the output, so the output need not be shared.
    send::<Task<Cell<u32>>>();
    sync::<Task<Cell<u32>>>();
    unpin::<Task<std::marker::PhantomPinned>>();
    is_not!(Task<Rc<u32>>: Send);
    is_not!(Task<Rc<u32>>: Sync);
    is_not!(Join<Rc<u32>>: Send);
    is_not!(Task<*const u32>: Send);
}

#[test]
fn futures_of_time_and_sync_go_where_their_tasks_go() {
    fn may_move<T: Send + Sync + 'static>() {}
    may_move::<time::Sleep>();
    may_move::<time::Interval>();
    may_move::<time::Timeout<Pending<()>>>();
    may_move::<time::Elapsed>();
    may_move::<time::Clock>();
    is_not!(time::Sleep: Unpin);
    is_not!(time::Timeout<Pending<Rc<u32>>>: Clone);
    may_move::<sync::Semaphore>();
    may_move::<sync::Acquire<'static>>();
    may_move::<sync::Permit<'static>>();
}

#[test]
fn what_waits_for_tasks_goes_where_its_tasks_go() {
    fn may_move<T: Send + Unpin + 'static>() {}
    type Items = std::vec::IntoIter<Task<Cell<u32>>>;
    type Fallible = std::vec::IntoIter<Task<Result<u32, String>>>;
    may_move::<Gather<Items>>();
    may_move::<FirstError<Fallible, u32, String>>();
    may_move::<TryGather<Fallible, u32, String>>();
    may_move::<Wait<Items>>();
    may_move::<Waited<Task<Cell<u32>>>>();
    may_move::<AsCompleted<Cell<u32>>>();
    may_move::<Race<Items>>();
    may_move::<Shield<Task<Cell<u32>>>>();
    send::<TaskMut<'static, Cell<u32>>>();
    is_not!(AsCompleted<Rc<u32>>: Send);
}

#[test]
fn groups_and_what_they_tell_go_anywhere() {
    everywhere::<TaskGroup<String>>();
    everywhere::<GroupError<String>>();
    everywhere::<ChildError<String>>();
    everywhere::<ReturnWhen>();
}

#[test]
fn scopes_go_where_what_is_in_them_goes() {
    fn may_move<T: Send + 'static>() {}
    may_move::<CatchCancel<Pending<Cell<u32>>>>();
    may_move::<Finally<Pending<Cell<u32>>>>();
    may_move::<Uninterruptible<Pending<Cell<u32>>>>();
    may_move::<Cancelled>();
    may_move::<Deferred>();
    may_move::<Outcome<Cell<u32>>>();
    everywhere::<Exit>();
    is_not!(CatchCancel<std::future::Ready<Rc<u32>>>: Send);
}

#[test]
fn promises_callbacks_and_contexts_go_anywhere() {
    everywhere::<Promise<u32, String>>();
    everywhere::<kasasagi::Pending<u32, String>>();
    everywhere::<PromiseError<String>>();
    everywhere::<InvalidState<u32>>();
    everywhere::<CallbackId>();
    everywhere::<TimerHandle>();
    everywhere::<Context>();
    everywhere::<ContextVar<u32>>();
    send::<Token<u32>>();
    send::<stream::Emitter<u32>>();
    sync::<Report>();
}
