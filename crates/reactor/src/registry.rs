//! Registry: the reactor's handle for those who register sources, and "the registry of this thread".

use crate::interrupt::Interrupt;
use crate::io::poller::{
    Event, Harvester, Patience, Poller, READ, READ_HELD, Registrar, WRITE, WRITE_HELD,
};
use crate::io::source::{Direction, Readiness, Said};
use crate::io::table::Table;
use kasasagi_primitive::current::Current;
use kasasagi_primitive::sync::{Arc, Mutex};
use kasasagi_primitive::thread_local;
use kasasagi_primitive::wake_batch::WakeBatch;
use std::fmt;
use std::marker::PhantomData;
use std::task::Waker;

#[cfg(all(test, kasasagi_loom))]
mod model;

thread_local! {
    static CURRENT: Current<Registry> = Current::new()
}

/// Sources and the poller that watches them; shared by the reactor and every [`Async`](crate::Async).
pub(crate) struct Shared {
    pub(crate) table: Table,
    pub(crate) registrar: Box<dyn Registrar>,
    /// Held for as long as a thread waits in the poller, and no longer.
    turn: Mutex<Box<dyn Harvester>>,
    /// Buffers for what a harvest brings: it is handed out after the turn was given up.
    spare: Mutex<Vec<Vec<Event>>>,
    interrupt: Interrupt,
}

impl Shared {
    /// No sources yet.
    pub(crate) fn new((registrar, harvester): Poller) -> Self {
        Self {
            table: Table::new(),
            registrar,
            turn: Mutex::new(harvester),
            spare: Mutex::new(Vec::new()),
            interrupt: Interrupt::new(),
        }
    }

    /// Looks and does not wait; nor for another thread that looks or attends.
    pub(crate) fn look(&self, max: usize) -> usize {
        let Some(mut turn) = self.turn.try_lock() else { return 0 };
        let mut events = self.buffer();
        // The edge of an interrupt may be seen here. The flag stays: the next to attend comes back at once.
        harvest(&mut **turn, Patience::Look, max, &mut events);
        drop(turn);
        self.hand_out(events)
    }

    /// Waits, unless somebody interrupts.
    pub(crate) fn attend(&self, max: usize, patience: impl FnOnce() -> Patience) -> usize {
        let mut turn = self.turn.lock();
        let mut events = self.buffer();
        let interrupted = self.interrupt.take() || self.table.is_closed();
        let patience = if interrupted { Patience::Look } else { patience() };
        harvest(&mut **turn, patience, max, &mut events);
        // Before anybody is woken: an interrupt that a wake leads to is for the next to attend.
        self.interrupt.take();
        drop(turn);
        self.hand_out(events)
    }

    /// Makes the thread that attends come back.
    pub(crate) fn interrupt(&self) {
        if self.interrupt.raise() {
            self.registrar.notify().expect("an eventfd that is open can be written");
        }
    }

    /// Every source fails from now on.
    pub(crate) fn close(&self) {
        let mut wakers = Vec::new();
        self.table.close(|waker| wakers.push(waker));
        wakers.into_iter().for_each(Waker::wake);
        self.interrupt();
    }

    fn buffer(&self) -> Vec<Event> {
        self.spare.lock().pop().unwrap_or_default()
    }

    /// Wakes whom the events concern, with no lock held. A waker that panics keeps no event from the others.
    fn hand_out(&self, mut events: Vec<Event>) -> usize {
        let count = events.len();
        // Most looks of a busy worker find nothing, and a batch is half a kilobyte to set up and to drop.
        if count > 0 {
            let mut batch = WakeBatch::new();
            for event in events.drain(..) {
                if let Some(source) = self.table.find(event.key) {
                    tell(source, event.bits, &mut batch);
                }
            }
            batch.wake_all_caught();
        }
        self.spare.lock().push(events);
        count
    }
}

fn harvest(poller: &mut dyn Harvester, patience: Patience, max: usize, events: &mut Vec<Event>) {
    if let Err(error) = poller.wait(patience, max, events) {
        panic!("the operating system refuses to poll: {error}");
    }
}

fn tell(source: &Readiness, bits: u32, batch: &mut WakeBatch) {
    let mut sink = |waker| {
        if batch.is_full() {
            batch.wake_all_caught();
        }
        batch.push(waker);
    };
    if bits & (READ | READ_HELD) != 0 {
        let said = if bits & READ_HELD != 0 { Said::Held } else { Said::Ready };
        source.announce(Direction::Read, said, &mut sink);
    }
    if bits & (WRITE | WRITE_HELD) != 0 {
        let said = if bits & WRITE_HELD != 0 { Said::Held } else { Said::Ready };
        source.announce(Direction::Write, said, &mut sink);
    }
}

/// The reactor's handle for those who register sources.
///
/// Cheap to clone. It keeps the poller open, but not the reactor: when that is closed, sources fail.
#[derive(Clone)]
pub struct Registry {
    pub(crate) shared: Arc<Shared>,
}

impl Registry {
    /// Makes this the registry of the calling thread until the guard is dropped.
    ///
    /// Guards nest, and are dropped in the reverse order.
    pub fn enter(&self) -> RegistryGuard {
        let previous = CURRENT.with(|current| current.replace(Some(self.clone())));
        RegistryGuard { previous, _not_send: PhantomData }
    }

    /// The registry of the calling thread, if one was entered.
    pub fn current() -> Option<Registry> {
        CURRENT.with(|current| current.with(|registry| registry.cloned()))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

/// Puts back the registry that the thread had before.
#[must_use = "the registry is the thread's only until the guard is dropped; bind it: `let _entered = …`"]
pub struct RegistryGuard {
    previous: Option<Registry>,
    // Another thread has another current.
    _not_send: PhantomData<*const ()>,
}

impl Drop for RegistryGuard {
    fn drop(&mut self) {
        let mine = CURRENT.with(|current| current.replace(self.previous.take()));
        drop(mine);
    }
}

impl fmt::Debug for RegistryGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryGuard").finish_non_exhaustive()
    }
}
