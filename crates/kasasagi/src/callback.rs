//! Calls that are made later: soon, at a moment, or when something is done.
//!
//! A call that is due is a task, so that it waits its turn among the tasks. Those that wait for a moment lie in a map,
//! by moment and number, and one task of the runtime sleeps until the first of them; it exists while there are any.

use crate::handle::{Engines, Handle};
use kasasagi_primitive::defer::{self, Defer, Job};
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::vars;
use kasasagi_reactor::time::{self, Sleep};
use kasasagi_task::FutureExt;
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

impl Defer for Engines {
    fn defer(&self, place: &'static Location<'static>, job: Job) {
        drop(self.spawner.spawn(place, async move { job() }));
    }
}

/// The calls of one runtime that wait for their moment.
#[derive(Default)]
pub(crate) struct Calls(Mutex<Waiting>);

type Key = (Instant, u64);

#[derive(Default)]
struct Waiting {
    last: u64,
    queue: BTreeMap<Key, Arc<Call>>,
    /// A task looks after the queue; it ends, under the lock, when the queue is empty.
    attended: bool,
    /// That task's, to be woken when the first moment changes.
    waker: Option<Waker>,
}

struct Call {
    when: Instant,
    place: &'static Location<'static>,
    /// The context variables it was asked for with.
    vars: Option<vars::Context>,
    state: Mutex<State>,
}

enum State {
    Waiting(Job),
    Called,
    Cancelled,
}

/// A call that was asked for, to be taken back or looked at; it keeps nothing alive. Dropping it changes nothing.
///
/// Counterpart: `asyncio.Handle` and `asyncio.TimerHandle`.
#[derive(Clone)]
pub struct TimerHandle {
    call: Arc<Call>,
    /// Where it waits for its moment; `None` if it waits for none.
    place: Option<(Arc<Calls>, u64)>,
}

impl Handle {
    /// Has `f` called soon, as a task of its own: after what was due before, and not inside this call.
    ///
    /// On a runtime with one worker the calls of one thread are made in their order. Where there are several, each may
    /// take one, so that two may be made at the same time: send through a [`Queue`](crate::sync::Queue) what has to
    /// come in order. It may be called from any thread. A panic of `f` is reported to the exception hook. If the runtime is shut
    /// down first, `f` is dropped uncalled.
    ///
    /// # Examples
    /// ```
    /// use kasasagi::Handle;
    ///
    /// kasasagi::run(async {
    ///     let (promise, pending) = kasasagi::promise::<_, String>();
    ///     Handle::current().call_soon(move || promise.set_result("called").expect("it is kept once"));
    ///     assert_eq!(pending.await, Ok("called"));
    /// });
    /// ```
    ///
    /// Counterpart: `loop.call_soon`, and `loop.call_soon_threadsafe`.
    #[track_caller]
    pub fn call_soon(&self, f: impl FnOnce() + Send + 'static) -> TimerHandle {
        let call = Call::new(self.now(), Location::caller(), f);
        self.start(&call);
        TimerHandle { call, place: None }
    }

    /// Has `f` called after `delay`; see [`call_at`](Self::call_at).
    ///
    /// # Examples
    /// ```
    /// use kasasagi::Handle;
    /// use std::time::Duration;
    ///
    /// kasasagi::run(async {
    ///     let (promise, pending) = kasasagi::promise::<_, String>();
    ///     let done = move || promise.set_result("done").expect("it is kept once");
    ///     Handle::current().call_later(Duration::from_millis(5), done);
    ///     assert_eq!(pending.await, Ok("done"));
    /// });
    /// ```
    ///
    /// Counterpart: `loop.call_later`.
    #[track_caller]
    pub fn call_later(&self, delay: Duration, f: impl FnOnce() + Send + 'static) -> TimerHandle {
        let now = self.now();
        // A moment that the clock does not reach never comes, and thirty years do as well.
        let when = now.checked_add(delay).unwrap_or_else(|| now + FAR);
        self.call_at(when, f)
    }

    /// Has `f` called at a moment, as a task of its own; at once, but not in here, if the moment has passed.
    ///
    /// Calls become due in the order of their moments, and those of one moment in the order in which they were asked
    /// for. It may be called from any thread. While calls wait, a task named `call_later` stands for them; at the end
    /// of the runtime it is cancelled, and they are dropped uncalled.
    ///
    /// Counterpart: `loop.call_at`.
    #[track_caller]
    pub fn call_at(&self, when: Instant, f: impl FnOnce() + Send + 'static) -> TimerHandle {
        let call = Call::new(when, Location::caller(), f);
        let calls = &self.engines().calls;
        let number = calls.add(self, &call);
        TimerHandle { call, place: Some((Arc::clone(calls), number)) }
    }

    fn now(&self) -> Instant {
        self.engines().timers.clock().now()
    }

    /// Spawns the call as a task.
    fn start(&self, call: &Arc<Call>) {
        let due = Due(Some(Arc::clone(call)));
        let due = async move { due.call() };
        let spawner = &self.engines().spawner;
        match &call.vars {
            Some(context) => drop(spawner.spawn(call.place, due.in_context(context))),
            None => drop(spawner.spawn(call.place, due)),
        }
    }
}

/// Thirty years.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// A call that is about to be made; dropped instead, it never will be.
struct Due(Option<Arc<Call>>);

impl Due {
    fn call(mut self) {
        let Some(call) = self.0.take() else { return };
        let mut state = call.state.lock();
        if matches!(*state, State::Waiting(_)) {
            let before = std::mem::replace(&mut *state, State::Called);
            drop(state);
            if let State::Waiting(job) = before {
                defer::call(job);
            }
        }
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call.cancel();
        }
    }
}

impl Call {
    fn new(
        when: Instant,
        place: &'static Location<'static>,
        f: impl FnOnce() + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            when,
            place,
            vars: vars::inherit(),
            state: Mutex::new(State::Waiting(Box::new(f))),
        })
    }

    fn cancel(&self) -> bool {
        let mut state = self.state.lock();
        if !matches!(*state, State::Waiting(_)) {
            return false;
        }
        let job = std::mem::replace(&mut *state, State::Cancelled);
        drop(state);
        drop(job);
        true
    }
}

impl Calls {
    /// Puts a call into the queue, and sees to it that somebody looks after it.
    fn add(self: &Arc<Self>, handle: &Handle, call: &Arc<Call>) -> u64 {
        let mut waiting = self.0.lock();
        waiting.last += 1;
        let number = waiting.last;
        let key = (call.when, number);
        waiting.queue.insert(key, Arc::clone(call));
        let is_first = waiting.queue.first_key_value().is_some_and(|(first, _)| *first == key);
        let waker = if is_first { waiting.waker.take() } else { None };
        let attended = std::mem::replace(&mut waiting.attended, true);
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
        if !attended {
            let attend = Attend { calls: Arc::clone(self), ended: false };
            // In no context of anybody: each call has its own.
            let nothing = vars::Context::new();
            let serve = attend.serve(handle.clone()).named("call_later").in_context(&nothing);
            drop(handle.engines().spawner.spawn(call.place, serve));
        }
        number
    }

    /// Takes a call out of the queue.
    fn remove(&self, key: Key) {
        let mut waiting = self.0.lock();
        let call = waiting.queue.remove(&key);
        // Nothing to sleep for any more: the task ends.
        let waker = if waiting.queue.is_empty() { waiting.waker.take() } else { None };
        drop(waiting);
        drop(call);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The task that looks after the queue; dropped before it has ended, it takes the calls with it.
struct Attend {
    calls: Arc<Calls>,
    ended: bool,
}

impl Attend {
    async fn serve(mut self, handle: Handle) {
        let mut sleep = None;
        while let Some(due) = poll_fn(|cx| self.poll_due(cx, &handle, &mut sleep)).await {
            for call in due.values() {
                handle.start(call);
            }
        }
    }

    /// Waits for the first moment, and takes what is due; `None` when nothing is left.
    fn poll_due(
        &mut self,
        cx: &mut Context<'_>,
        handle: &Handle,
        sleep: &mut Option<(Instant, Pin<Box<Sleep>>)>,
    ) -> Poll<Option<BTreeMap<Key, Arc<Call>>>> {
        loop {
            let waker = cx.waker().clone();
            let now = handle.now();
            let mut waiting = self.calls.0.lock();
            let later = waiting.queue.split_off(&(now, u64::MAX));
            let due = std::mem::replace(&mut waiting.queue, later);
            if !due.is_empty() {
                return Poll::Ready(Some(due));
            }
            let Some((&(first, _), _)) = waiting.queue.first_key_value() else {
                waiting.attended = false;
                self.ended = true;
                return Poll::Ready(None);
            };
            waiting.waker = Some(waker);
            drop(waiting);
            if sleep.as_ref().is_none_or(|sleep| sleep.0 != first) {
                *sleep = Some((first, Box::pin(time::sleep_until(first))));
            }
            if let Some((_, sleep)) = sleep {
                ready!(sleep.as_mut().poll(cx));
            }
            *sleep = None;
        }
    }
}

impl Drop for Attend {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let mut waiting = self.calls.0.lock();
        waiting.attended = false;
        let left = std::mem::take(&mut waiting.queue);
        drop(waiting);
        for call in left.values() {
            call.cancel();
        }
    }
}

impl TimerHandle {
    /// Takes the call back, and drops what it holds at once; `false` if it was made already, or taken back before.
    ///
    /// Counterpart: `asyncio.Handle.cancel`.
    pub fn cancel(&self) -> bool {
        let cancelled = self.call.cancel();
        if let (true, Some((calls, number))) = (cancelled, &self.place) {
            calls.remove((self.call.when, *number));
        }
        cancelled
    }

    /// Whether it will never be made: it was taken back, or its runtime has ended.
    ///
    /// Counterpart: `asyncio.Handle.cancelled`.
    pub fn is_cancelled(&self) -> bool {
        matches!(*self.call.state.lock(), State::Cancelled)
    }

    /// The moment it was asked for.
    ///
    /// Counterpart: `asyncio.TimerHandle.when`.
    pub fn when(&self) -> Instant {
        self.call.when
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match *self.call.state.lock() {
            State::Waiting(_) => "waiting",
            State::Called => "called",
            State::Cancelled => "cancelled",
        };
        write!(f, "<TimerHandle {state} asked_for_at={}>", self.call.place)
    }
}
