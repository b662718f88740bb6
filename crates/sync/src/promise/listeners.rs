//! Who has to be told when a promise is settled: tasks, by their wakers, and callbacks.
//!
//! The first waiter stands by itself, since most promises have one; the others and the callbacks are in a box that is
//! made when it is needed. Both are in the order in which they came.

use super::{Pending, Shared};
use kasasagi_primitive::defer::{self, CallbackId, Job};
use kasasagi_primitive::settle::Note;
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::wake_batch::wake_caught;
use std::panic::Location;
use std::task::Waker;

pub(super) struct Listeners<T, E> {
    list: Mutex<List<T, E>>,
    /// Where the promise was made.
    pub(super) place: &'static Location<'static>,
}

struct List<T, E> {
    first: Option<Waker>,
    more: Option<Box<More<T, E>>>,
}

struct More<T, E> {
    /// The last key that was given out.
    last: Key,
    /// By key; those that left are holes.
    waiters: Vec<(Key, Option<Waker>)>,
    holes: usize,
    callbacks: Vec<Callback<T, E>>,
}

/// A callback with what makes its call; that is known where it is registered, since `T` and `E` are there known to be
/// fit for other threads.
pub(super) type Callback<T, E> = defer::Callback<Box<dyn FnOnce(Pending<T, E>) -> Job + Send>>;

/// A callback that is registered here.
pub(super) fn callback<T, E, F>(place: &'static Location<'static>, call: F) -> Callback<T, E>
where
    F: FnOnce(Pending<T, E>) + Send + 'static,
    T: Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    let name = std::any::type_name::<F>();
    Callback::new(name, place, Box::new(move |pending| Box::new(move || call(pending))))
}

/// Has all of them called in this order.
pub(super) fn call_later<T, E>(callbacks: Vec<Callback<T, E>>, shared: &Shared<T, E>) {
    let with_pending =
        |callback: Callback<T, E>| callback.map(|job| job(Pending::new(shared.clone())));
    defer::Callback::call_later(callbacks.into_iter().map(with_pending).collect());
}

/// Which waiter of a promise a future is: one word, so that a future is moved in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(u64);

impl Key {
    /// It has not waited yet.
    pub(super) const NONE: Self = Self(0);
    /// The one that stands by itself.
    const FIRST: Self = Self(1);
}

/// What becomes of one who wants to wait.
pub(super) enum Waits {
    /// It is in the list.
    Yes,
    /// The promise is being settled at this moment.
    Late,
    Settled,
}

impl<T, E> Listeners<T, E> {
    #[inline]
    pub(super) fn new(place: &'static Location<'static>) -> Self {
        Self { list: Mutex::new(List { first: None, more: None }), place }
    }

    /// Puts a waker into the list, or in the place of the one that is there by this key.
    pub(super) fn wait(&self, shared: &Shared<T, E>, key: &mut Key, waker: &Waker) -> Waits {
        if *key != Key::NONE && self.is_there(*key, waker) {
            return Waits::Yes;
        }
        let waker = waker.clone();
        let mut list = self.list.lock();
        match shared.note() {
            Note::Taken => {}
            Note::Late => return Waits::Late,
            Note::Settled => return Waits::Settled,
        }
        let place = match *key {
            Key::NONE => {
                let (new, place) = list.new_waiter();
                *key = new;
                place
            }
            Key::FIRST => &mut list.first,
            key => list.more_or_new().waiter(key),
        };
        let old = place.replace(waker);
        drop(list);
        drop(old);
        Waits::Yes
    }

    /// Whether a waker as good as this one is in the list, and so will be woken.
    fn is_there(&self, key: Key, waker: &Waker) -> bool {
        let mut list = self.list.lock();
        let place = match key {
            Key::NONE => None,
            Key::FIRST => list.first.as_ref(),
            key => list.more.as_mut().and_then(|more| more.waiter(key).as_ref()),
        };
        place.is_some_and(|old| old.will_wake(waker))
    }

    /// Takes a waker out of the list.
    #[cold]
    #[inline(never)]
    pub(super) fn leave(&self, key: Key) {
        let mut list = self.list.lock();
        let waker = match key {
            Key::NONE => None,
            Key::FIRST => list.first.take(),
            key => list.more.as_mut().and_then(|more| more.remove(key)),
        };
        drop(list);
        drop(waker);
    }

    /// Puts a callback into the list; gives it back if the promise is settled.
    pub(super) fn add(
        &self,
        shared: &Shared<T, E>,
        callback: Callback<T, E>,
    ) -> Result<(), Callback<T, E>> {
        loop {
            let mut list = self.list.lock();
            match shared.note() {
                Note::Taken => {
                    list.more_or_new().callbacks.push(callback);
                    return Ok(());
                }
                Note::Settled => return Err(callback),
                // Another thread is about to write the value: no longer than a move of it takes.
                Note::Late => drop(list),
            }
            kasasagi_primitive::thread::yield_now();
        }
    }

    /// Takes a callback out of the list.
    pub(super) fn remove(&self, id: CallbackId) -> bool {
        let mut list = self.list.lock();
        let Some(more) = list.more.as_mut() else { return false };
        let Some(at) = more.callbacks.iter().position(|callback| callback.id == id) else {
            return false;
        };
        let callback = more.callbacks.remove(at);
        drop(list);
        drop(callback);
        true
    }

    /// The names of the callbacks: all, or the first and the last with the number of those between.
    pub(super) fn names(&self) -> (Vec<&'static str>, usize) {
        let list = self.list.lock();
        let callbacks = list.more.as_ref().map_or(&[][..], |more| &more.callbacks);
        match callbacks {
            [first, between @ .., last] if !between.is_empty() => {
                (vec![first.name, last.name], between.len())
            }
            all => (all.iter().map(|callback| callback.name).collect(), 0),
        }
    }

    /// Wakes the waiters, and has the callbacks called; nobody joins them any more.
    #[cold]
    pub(super) fn tell(&self, shared: &Shared<T, E>) {
        let mut list = self.list.lock();
        let first = list.first.take();
        let more = list.more.take();
        drop(list);
        let Some(more) = more else { return first.into_iter().for_each(wake_caught) };
        let More { waiters, callbacks, .. } = *more;
        // Callbacks first: they only get into a queue, and a waker may be foreign and panic.
        call_later(callbacks, shared);
        first
            .into_iter()
            .chain(waiters.into_iter().filter_map(|waiter| waiter.1))
            .for_each(wake_caught);
    }
}

impl<T, E> List<T, E> {
    fn more_or_new(&mut self) -> &mut More<T, E> {
        self.more.get_or_insert_with(|| {
            Box::new(More {
                last: Key::FIRST,
                waiters: Vec::new(),
                holes: 0,
                callbacks: Vec::new(),
            })
        })
    }

    fn new_waiter(&mut self) -> (Key, &mut Option<Waker>) {
        // Behind those that wait already, although the first has left.
        let waits = |more: &More<T, E>| more.waiters.len() > more.holes;
        if self.first.is_none() && !self.more.as_deref().is_some_and(waits) {
            return (Key::FIRST, &mut self.first);
        }
        let more = self.more_or_new();
        more.last = Key(more.last.0 + 1);
        let at = more.waiters.len();
        more.waiters.push((more.last, None));
        (more.last, &mut more.waiters[at].1)
    }
}

impl<T, E> More<T, E> {
    fn waiter(&mut self, key: Key) -> &mut Option<Waker> {
        let at = self.waiters.binary_search_by_key(&key.0, |waiter| waiter.0.0);
        let at = at.expect("a key stays in the list until its future leaves it, or all are told");
        &mut self.waiters[at].1
    }

    fn remove(&mut self, key: Key) -> Option<Waker> {
        let at = self.waiters.binary_search_by_key(&key.0, |waiter| waiter.0.0).ok()?;
        let waker = self.waiters[at].1.take();
        self.holes += 1;
        if self.holes > self.waiters.len() / 2 {
            self.waiters.retain(|waiter| waiter.1.is_some());
            self.holes = 0;
        }
        waker
    }
}
