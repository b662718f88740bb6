//! Slots: at most so many workers, lent one at a time, first come, first served.
//!
//! A lease is a worker, or the right to start one. Whoever gets none stands in the line with a channel; a lease that is
//! dropped goes to the first of it. No lock is held while a lease is handed over or dropped.

use kasasagi_primitive::sync::Mutex;
use kasasagi_sync::{Event, oneshot};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// What a slot holds: a worker, or what the line's own tests put there.
pub(crate) trait Tenant: Send + 'static {
    /// Whether it may have another job.
    fn may_stay(&self) -> bool;
    /// It has no job, and gets none any more.
    fn leave(self);
}

/// Slots, and who waits for one.
pub(crate) struct Slots<T: Tenant> {
    state: Mutex<State<T>>,
    max: usize,
    /// Set once it is closed and nothing is lent.
    empty: Event,
}

struct State<T: Tenant> {
    idle: Vec<T>,
    lent: usize,
    line: VecDeque<oneshot::Sender<Lease<T>>>,
    is_closed: bool,
}

/// A slot that is lent. What is in it when it is dropped is for the next; what was taken out of it is gone.
pub(crate) struct Lease<T: Tenant> {
    slots: Option<Arc<Slots<T>>>,
    pub(crate) tenant: Option<T>,
}

/// A lease, or a place in the line.
pub(crate) enum Place<T: Tenant> {
    Lease(Lease<T>),
    Line(oneshot::Receiver<Lease<T>>),
}

/// The slots are closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

impl<T: Tenant> Place<T> {
    /// Waits for the turn.
    pub(crate) async fn wait(self) -> Result<Lease<T>, Closed> {
        match self {
            Self::Lease(lease) => Ok(lease),
            Self::Line(turn) => turn.await.map_err(|_| Closed),
        }
    }
}

impl<T: Tenant> Slots<T> {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        let state = State { idle: Vec::new(), lent: 0, line: VecDeque::new(), is_closed: false };
        Arc::new(Self { state: Mutex::new(state), max: max.max(1), empty: Event::new() })
    }

    /// A lease if there is one and nobody waits, else a place at the end of the line.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Place<T>, Closed> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(Closed);
        }
        if let Some(tenant) = state.idle.pop() {
            // Nobody waits while one is idle.
            state.lent += 1;
            return Ok(Place::Lease(self.lease(Some(tenant))));
        }
        let has_room = state.lent < self.max;
        if has_room && state.line.is_empty() {
            state.lent += 1;
            return Ok(Place::Lease(self.lease(None)));
        }
        let (sender, receiver) = oneshot::channel();
        state.line.push_back(sender);
        if has_room {
            // Who waits could not start one before; it is their turn to try.
            state.lent += 1;
            drop(state);
            drop(self.lease(None));
        }
        Ok(Place::Line(receiver))
    }

    fn lease(self: &Arc<Self>, tenant: Option<T>) -> Lease<T> {
        Lease { slots: Some(Arc::clone(self)), tenant }
    }

    /// A slot that came back: to the first who waits, else among the idle.
    fn hand_on(self: &Arc<Self>, mut tenant: Option<T>) {
        loop {
            let mut state = self.state.lock();
            let may_stay = !state.is_closed || !state.line.is_empty();
            if let Some(leaving) = tenant.take_if(|tenant| !may_stay || !tenant.may_stay()) {
                drop(state);
                // While its slot is still lent: who sees that nothing is lent any more knows that all were told.
                leaving.leave();
                continue;
            }
            let Some(next) = state.line.pop_front() else {
                state.lent -= 1;
                state.idle.extend(tenant);
                let is_empty = state.is_closed && state.lent == 0;
                drop(state);
                if is_empty {
                    self.empty.set();
                }
                return;
            };
            // There is room beside a line after a failed start. A worker that lives is a sign that another start may work.
            let has_room = tenant.is_some() && !state.line.is_empty() && state.lent < self.max;
            state.lent += usize::from(has_room);
            drop(state);
            let sent = next.send(self.lease(tenant.take()));
            if has_room {
                // Without a worker: it lends no further one.
                self.hand_on(None);
            }
            match sent {
                Ok(()) => return,
                // Who waited has gone: the next.
                Err(oneshot::SendError(mut lease)) => {
                    lease.slots = None;
                    tenant = lease.tenant.take();
                }
            }
        }
    }

    /// No more leases. Those in the line are served, unless they are sent away; the idle ones leave.
    pub(crate) fn close(self: &Arc<Self>, send_away: bool) {
        let mut state = self.state.lock();
        state.is_closed = true;
        let idle = std::mem::take(&mut state.idle);
        // Lent until they were told to leave.
        state.lent += idle.len();
        let line = if send_away { std::mem::take(&mut state.line) } else { VecDeque::new() };
        let is_empty = state.lent == 0;
        drop(state);
        drop(line);
        idle.into_iter().for_each(|tenant| self.hand_on(Some(tenant)));
        if is_empty {
            self.empty.set();
        }
    }

    /// Waits until it is closed and nothing is lent.
    pub(crate) async fn emptied(&self) {
        self.empty.wait().await;
    }

    /// How many are idle, how many lent, how many wait.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let state = self.state.lock();
        (state.idle.len(), state.lent, state.line.len())
    }
}

impl<T: Tenant> Lease<T> {
    /// No worker can be started. If there is another, the slot is given up for a place at the front of the line.
    ///
    /// # Errors
    /// The lease, if there is no other: its holder has to fail, or all would wait for nobody.
    pub(crate) fn wait_for_another(mut self) -> Result<Place<T>, Self> {
        let Some(slots) = self.slots.take() else { return Err(self) };
        let mut state = slots.state.lock();
        if let Some(tenant) = state.idle.pop() {
            drop(state);
            return Ok(Place::Lease(slots.lease(Some(tenant))));
        }
        if state.lent <= 1 {
            drop(state);
            self.slots = Some(slots);
            return Err(self);
        }
        let (sender, receiver) = oneshot::channel();
        state.line.push_front(sender);
        state.lent -= 1;
        Ok(Place::Line(receiver))
    }
}

impl<T: Tenant> Drop for Lease<T> {
    fn drop(&mut self) {
        let Some(slots) = self.slots.take() else { return };
        slots.hand_on(self.tenant.take());
    }
}

impl<T: Tenant> fmt::Debug for Slots<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (idle, lent, waiting) = self.counts();
        f.debug_struct("Slots")
            .field("max", &self.max)
            .field("idle", &idle)
            .field("lent", &lent)
            .field("waiting", &waiting)
            .finish()
    }
}

#[cfg(test)]
mod tests;
