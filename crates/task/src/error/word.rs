//! The word of an error: a box of what is to be told; or, of a plain cancellation, the task itself, whose block knows it.
//!
//! As long as such an error is kept, the block is. It holds a share of no owner, so that nothing is kept in a circle.
#![allow(
    unsafe_code,
    reason = "one word is a box or a reference to a task, by the bit at its lower end"
)]

use super::Repr;
use crate::cell::{Header, Ptr};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// The word points to a task, which is complete, and counts as a reference to it.
const TASK: usize = 1;

pub(super) struct Word(NonNull<u8>, PhantomData<Box<Repr>>);

// SAFETY: the word is a box that is Send, or a reference to a task that has ended, whose words any thread may read.
unsafe impl Send for Word {}
// SAFETY: as above, of a box that is Sync.
unsafe impl Sync for Word {}

pub(super) enum View<'a> {
    Boxed(&'a Repr),
    Plain(Ptr),
}

impl Word {
    pub(super) fn of_box(repr: Box<Repr>) -> Self {
        const { assert!(align_of::<Repr>() > TASK) };
        // SAFETY: a box is not null.
        Self(unsafe { NonNull::new_unchecked(Box::into_raw(repr)) }.cast(), PhantomData)
    }

    /// Takes a reference to the task over.
    pub(super) fn of_task(task: Ptr) -> Self {
        const { assert!(align_of::<Header>() > TASK) };
        Self(task.0.cast::<u8>().map_addr(|address| address | TASK), PhantomData)
    }

    #[inline]
    fn task(&self) -> Option<Ptr> {
        if self.0.addr().get() & TASK == 0 {
            return None;
        }
        let header = self.0.as_ptr().map_addr(|address| address & !TASK);
        // SAFETY: a header's address has more bits than the lowest, so it is not null without it.
        Some(Ptr(unsafe { NonNull::new_unchecked(header) }.cast()))
    }

    #[inline]
    pub(super) fn view(&self) -> View<'_> {
        match self.task() {
            Some(task) => View::Plain(task),
            // SAFETY: without the bit it came from `of_box`, and the box is this word's.
            None => View::Boxed(unsafe { self.0.cast::<Repr>().as_ref() }),
        }
    }

    /// The box, if it is one.
    pub(super) fn into_box(self) -> Result<Box<Repr>, Self> {
        if self.task().is_some() {
            return Err(self);
        }
        let word = ManuallyDrop::new(self);
        // SAFETY: as in `view`; the word is not dropped.
        Ok(unsafe { Box::from_raw(word.0.cast::<Repr>().as_ptr()) })
    }
}

impl Drop for Word {
    #[inline]
    fn drop(&mut self) {
        match self.task() {
            Some(task) => task.follow(task.state().drop_ref_of_complete()),
            // SAFETY: as in `view`; it is dropped once.
            None => drop(unsafe { Box::from_raw(self.0.cast::<Repr>().as_ptr()) }),
        }
    }
}
