//! Cold word: leads to the cold part of a task, or is a plain request to cancel the task, which then needs no such part.
//!
//! A request is plain if it gives no reason, and comes from the task's parent or from outside tasks: a place and a bit say
//! all of it. Whoever needs a cold part after that makes it of the request.
//!
//! A task that has waited in a line has a *side*, a small block: the word leads there from then on, and the side has a word
//! that says all of this, besides the lines.
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
use crate::offers::Lines;
use crate::request::{Cause, Request};
use crate::stash;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicPtr, Ordering};
use std::fmt;
use std::panic::Location;
use std::ptr::{NonNull, null_mut};

/// A plain request; else it is a cold part, or nothing.
const ASKED: usize = 1;
/// The parent asked; else nobody who is a task.
const BY_PARENT: usize = 2;
/// The runner has begun to end the task for it.
const TAKEN: usize = 4;
const BITS: usize = ASKED | BY_PARENT | TAKEN;
/// Without ASKED: it leads to the side.
const SIDE: usize = 2;

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

/// What a task has that has waited in a line: small, since many do, and then end.
struct Side {
    /// What the word said, and would say.
    word: AtomicPtr<()>,
    /// Touched only by the thread that polls the task.
    lines: Lines,
}

const _: () = assert!(align_of::<Side>() > BITS && align_of::<Cold>() > BITS);

/// What it says.
pub(crate) enum View<'a> {
    Bare,
    Plain(Plain),
    Cold(&'a Cold),
}

fn is_side(word: *mut ()) -> bool {
    word.addr() & (ASKED | SIDE) == SIDE
}

fn is_asked(word: *mut ()) -> bool {
    word.addr() & (ASKED | TAKEN) == ASKED
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
        if word.is_null() { None } else { self.cold_beyond(word) }
    }

    #[inline]
    fn cold_beyond(&self, word: *mut ()) -> Option<&Cold> {
        Self::cold_at(self.beyond(word))
    }

    /// Whether there are context variables.
    #[inline]
    pub(crate) fn has_vars(&self) -> bool {
        let word = self.0.load(Ordering::Acquire);
        !word.is_null() && self.has_vars_beyond(word)
    }

    #[cold]
    fn has_vars_beyond(&self, word: *mut ()) -> bool {
        self.cold_beyond(word).is_some_and(|cold| cold.vars.get().is_some())
    }

    /// Whether nothing was asked, and there is no cold part.
    #[inline]
    pub(crate) fn is_bare(&self) -> bool {
        let word = self.0.load(Ordering::Acquire);
        word.is_null() || self.beyond(word).is_null()
    }

    /// The side, if this word of ours leads there.
    #[inline]
    fn side_at(&self, word: *mut ()) -> Option<&Side> {
        if !is_side(word) {
            return None;
        }
        let side = word.map_addr(|address| address & !SIDE).cast::<Side>();
        // SAFETY: with SIDE and without ASKED the word is what `new_lines` put there, once, and lives as long as the word.
        Some(unsafe { &*side })
    }

    /// What this word of ours says, or that of the side that it leads to.
    #[inline]
    fn beyond(&self, word: *mut ()) -> *mut () {
        self.side_at(word).map_or(word, |side| side.word.load(Ordering::Acquire))
    }

    /// What is said now.
    fn now(&self) -> *mut () {
        self.beyond(self.0.load(Ordering::Acquire))
    }

    /// Says `next` instead of `now`, wherever that is said; an error is what is said there.
    fn exchange(&self, now: *mut (), next: *mut ()) -> Result<(), *mut ()> {
        // AcqRel: who loses sees what the winner made.
        let exchange = |word: &AtomicPtr<()>| {
            word.compare_exchange(now, next, Ordering::AcqRel, Ordering::Acquire)
        };
        match exchange(&self.0) {
            Ok(_) => Ok(()),
            Err(other) => match self.side_at(other) {
                // No further: what is said there leads to no side.
                Some(side) => exchange(&side.word).map(drop),
                None => Err(other),
            },
        }
    }

    #[inline]
    fn cold_at<'a>(word: *mut ()) -> Option<&'a Cold> {
        if word.is_null() || word.addr() & ASKED != 0 {
            return None;
        }
        // SAFETY: beyond the side, and without ASKED, the word is what `get_or_new` put there, once, and lives as long as
        // the word.
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
        Self::view(self.now())
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
        let mut now = self.now();
        loop {
            let request = match Self::view(now) {
                View::Cold(cold) => return cold,
                View::Bare => Request::default(),
                View::Plain(plain) => Request::of_plain(plain.cause(parent), plain.is_taken),
            };
            let new = Cold { request: Mutex::new(request), ..Cold::default() };
            let new = Box::into_raw(Box::new(new));
            match self.exchange(now, new.cast()) {
                // SAFETY: made above; it is freed with the word alone.
                Ok(()) => return unsafe { &*new },
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
        self.exchange(null_mut(), word).is_ok()
    }

    /// Takes the plain request, to end the task; `false` if there is none, or it was taken.
    pub(crate) fn take(&self) -> bool {
        let now = self.now();
        // Whoever comes between withdraws it, or makes a cold part of it.
        is_asked(now) && self.exchange(now, now.map_addr(|address| address | TAKEN)).is_ok()
    }

    /// Takes the plain request back; `false` if there is none, or the runner has taken it.
    pub(crate) fn withdraw(&self) -> bool {
        let now = self.now();
        is_asked(now) && self.exchange(now, null_mut()).is_ok()
    }

    /// Shows the lines in which the task waits, if it ever did; only the thread that polls the task calls it.
    #[inline]
    pub(crate) fn with_lines<R>(&self, f: impl FnOnce(&Lines) -> R) -> Option<R> {
        // Relaxed: a poll of the task put the side there, and polls come one after the other.
        self.side_at(self.0.load(Ordering::Relaxed)).map(|side| f(&side.lines))
    }

    /// The same, made if there are none.
    #[inline]
    pub(crate) fn lines_or_new(&self) -> &Lines {
        match self.side_at(self.0.load(Ordering::Relaxed)) {
            Some(side) => &side.lines,
            None => self.new_lines(),
        }
    }

    #[cold]
    fn new_lines(&self) -> &Lines {
        let mut word = self.0.load(Ordering::Acquire);
        let side = stash::take::<Side>();
        let lines = Lines::default();
        // SAFETY: the block is for a side, and nobody has seen it.
        unsafe { side.write(Side { word: AtomicPtr::new(word), lines }) };
        let leads = side.as_ptr().cast::<()>().map_addr(|address| address | SIDE);
        // Others come between: who asks, takes that back, or makes a cold part.
        while let Err(now) =
            self.0.compare_exchange(word, leads, Ordering::AcqRel, Ordering::Acquire)
        {
            word = now;
            // SAFETY: nobody else has seen the side yet.
            unsafe { side.as_ref() }.word.store(now, Ordering::Relaxed);
        }
        // SAFETY: it is in its place, and lives as long as the word.
        unsafe { &side.as_ref().lines }
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
fn drop_at(word: *mut ()) {
    if word.addr() & ASKED != 0 {
        return;
    }
    let word = if is_side(word) { drop_side(word) } else { word };
    if !word.is_null() && word.addr() & ASKED == 0 {
        // SAFETY: made by `Box::into_raw`, and whose word is dropped has nobody else any more.
        drop(unsafe { Box::from_raw(word.cast::<Cold>()) });
    }
}

/// Frees the side; returns what its word said.
fn drop_side(word: *mut ()) -> *mut () {
    let side = word.map_addr(|address| address & !SIDE).cast::<Side>();
    let Some(block) = NonNull::new(side) else { return null_mut() };
    // SAFETY: `new_lines` made it, and whose word is dropped has nobody else any more.
    let Side { word, lines } = unsafe { block.read() };
    drop(lines);
    // SAFETY: `new_lines` took it from the stash, and it is used no more.
    unsafe { stash::give(block) };
    word.load(Ordering::Acquire)
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
