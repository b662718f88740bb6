//! Cold word: leads to the cold part of a task, or is a plain request to cancel the task, which then needs no such part.
//!
//! A request is plain if it gives no reason, and comes from the task's parent or from outside tasks: a place and a bit say
//! all of it. Whoever needs a cold part after that makes it of the request.
//!
//! ```text
//!          ask              take (the runner)
//!   bare ────────► asked ───────────────────► taken
//!    │  ▲           │ │                         │
//!    │  └─ withdraw ┘ │                         │
//!    └────────────────┴───────► cold part ◄─────┘
//! ```
#![allow(
    unsafe_code,
    reason = "one word is the pointer to the cold part, or to a place, by the bits at its lower end"
)]

use crate::cold::Cold;
use crate::request::{Cause, Request};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicPtr, Ordering};
use std::fmt;
use std::panic::Location;
use std::ptr::null_mut;

/// A plain request; else it is a cold part, or nothing.
const ASKED: usize = 1;
/// The parent asked; else nobody who is a task.
const BY_PARENT: usize = 2;
/// The runner has begun to end the task for it.
const TAKEN: usize = 4;
const BITS: usize = ASKED | BY_PARENT | TAKEN;

/// Whether the bits have room; where they have none every request has a cold part.
const HAS_ROOM: bool = align_of::<Location<'static>>() > BITS;

/// A plain request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain {
    place: &'static Location<'static>,
    by_parent: bool,
    pub(crate) is_taken: bool,
}

impl Plain {
    /// The request in full, to a task with this parent.
    pub(crate) fn cause(self, parent: u64) -> Cause {
        let by = (self.by_parent && parent != 0).then_some(parent);
        Cause { reason: None, place: Some(self.place), by, interrupted: None }
    }
}

/// The word.
pub(crate) struct ColdWord(AtomicPtr<()>);

/// What it says.
pub(crate) enum View<'a> {
    Bare,
    Plain(Plain),
    Cold(&'a Cold),
}

impl ColdWord {
    #[inline]
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    /// The cold part, if there is one.
    #[inline]
    pub(crate) fn get(&self) -> Option<&Cold> {
        let word = self.0.load(Ordering::Acquire);
        // The usual word first.
        if word.is_null() { None } else { Self::cold_at(word) }
    }

    /// Whether there are context variables.
    #[inline]
    pub(crate) fn has_vars(&self) -> bool {
        let word = self.0.load(Ordering::Acquire);
        !word.is_null() && has_vars_at(word)
    }

    /// Whether nothing was asked, and there is no cold part.
    #[inline]
    pub(crate) fn is_bare(&self) -> bool {
        self.0.load(Ordering::Acquire).is_null()
    }

    #[inline]
    fn cold_at<'a>(word: *mut ()) -> Option<&'a Cold> {
        if word.is_null() || word.addr() & ASKED != 0 {
            return None;
        }
        // SAFETY: without ASKED the word is what `get_or_new` put there, once, and lives as long as the word.
        Some(unsafe { &*word.cast::<Cold>() })
    }

    fn view<'a>(word: *mut ()) -> View<'a> {
        if let Some(cold) = Self::cold_at(word) {
            return View::Cold(cold);
        }
        if word.is_null() {
            return View::Bare;
        }
        let place = word.map_addr(|address| address & !BITS).cast::<Location<'static>>();
        // SAFETY: with ASKED the word is what `ask` put there: the address of a place, which is 'static, and bits.
        let place = unsafe { &*place };
        let has = |bit| word.addr() & bit != 0;
        View::Plain(Plain { place, by_parent: has(BY_PARENT), is_taken: has(TAKEN) })
    }

    /// What it says now. Whoever asks for the one and then for the other may find neither: the one becomes the other.
    pub(crate) fn look(&self) -> View<'_> {
        Self::view(self.0.load(Ordering::Acquire))
    }

    /// The plain request, if there is one.
    pub(crate) fn plain(&self) -> Option<Plain> {
        match self.look() {
            View::Plain(plain) => Some(plain),
            View::Bare | View::Cold(_) => None,
        }
    }

    /// The cold part, made if there is none: of the plain request, if there is one, of a task with this parent.
    pub(crate) fn get_or_new(&self, parent: u64) -> &Cold {
        let mut now = self.0.load(Ordering::Acquire);
        loop {
            let request = match Self::view(now) {
                View::Cold(cold) => return cold,
                View::Bare => Request::default(),
                View::Plain(plain) => Request::of_plain(plain.cause(parent), plain.is_taken),
            };
            let new = Cold { request: Mutex::new(request), ..Cold::default() };
            let new = Box::into_raw(Box::new(new));
            // AcqRel: who loses sees what the winner made.
            match self.0.compare_exchange(now, new.cast(), Ordering::AcqRel, Ordering::Acquire) {
                // SAFETY: made above; it is freed with the word alone.
                Ok(_) => return unsafe { &*new },
                Err(other) => {
                    // SAFETY: made above, and nobody has seen it.
                    drop(unsafe { Box::from_raw(new) });
                    now = other;
                }
            }
        }
    }

    /// Puts a plain request here, if there is nothing yet.
    pub(crate) fn ask(&self, place: &'static Location<'static>, by_parent: bool) -> bool {
        if !HAS_ROOM {
            return false;
        }
        let bits = ASKED | if by_parent { BY_PARENT } else { 0 };
        let word = std::ptr::from_ref(place).cast_mut().cast::<()>();
        let word = word.map_addr(|address| address | bits);
        self.0.compare_exchange(null_mut(), word, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Takes the plain request, to end the task; `false` if there is none, or it was taken.
    pub(crate) fn take(&self) -> bool {
        let now = self.0.load(Ordering::Acquire);
        // Whoever comes between withdraws it, or makes a cold part of it.
        now.addr() & (ASKED | TAKEN) == ASKED && {
            let taken = now.map_addr(|address| address | TAKEN);
            self.0.compare_exchange(now, taken, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        }
    }

    /// Takes the plain request back; `false` if there is none, or the runner has taken it.
    pub(crate) fn withdraw(&self) -> bool {
        let now = self.0.load(Ordering::Acquire);
        now.addr() & (ASKED | TAKEN) == ASKED
            && self.0.compare_exchange(now, null_mut(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Drop for ColdWord {
    #[inline]
    fn drop(&mut self) {
        let word = self.0.load(Ordering::Acquire);
        if !word.is_null() {
            drop_at(word);
        }
    }
}

#[cold]
fn has_vars_at(word: *mut ()) -> bool {
    ColdWord::cold_at(word).is_some_and(|cold| cold.vars.get().is_some())
}

#[cold]
fn drop_at(word: *mut ()) {
    if word.addr() & ASKED == 0 {
        // SAFETY: made by `Box::into_raw`, and whose word is dropped has nobody else any more.
        drop(unsafe { Box::from_raw(word.cast::<Cold>()) });
    }
}

impl fmt::Debug for ColdWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.look() {
            View::Bare => f.write_str("Bare"),
            View::Plain(plain) => plain.fmt(f),
            View::Cold(cold) => cold.fmt(f),
        }
    }
}
