//! A value behind a gate, and access to it for whoever has a right.
//!
//! Who has the one right of a gate that takes all passes has the value alone; who has another shares it. The gate sees
//! to it that there are never both. What keeps a gate in its place keeps the value beside it there too.
#![allow(unsafe_code, reason = "the gate says who may touch the value")]

use crate::gate::{Alone, Among, Gate, House, Right};
use crate::{Lock, RwLock};
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::ptr::{self, NonNull};

pub(crate) struct Guarded<T: ?Sized> {
    pub(crate) gate: Gate,
    value: UnsafeCell<T>,
}

/// What keeps a gate together with the value behind it.
pub(crate) trait Home: House {
    type Value: ?Sized;

    /// Always the same, and in the same place; its gate is the one of the house.
    fn guarded(&self) -> &Guarded<Self::Value>;
}

/// The value, or a part of it, for one alone.
pub(crate) struct Exclusive<H: House, U: ?Sized> {
    // Dropped first of what matters: the pointer has nothing to drop.
    right: Right<H, Alone>,
    value: NonNull<U>,
    _invariant: PhantomData<*mut U>,
}

/// The value, or a part of it, for one of many who look.
pub(crate) struct Shared<H: House, U: ?Sized> {
    right: Right<H, Among>,
    value: NonNull<U>,
}

/// Where the value of a lock is, without the right to it.
pub(crate) struct Outside<H, U: ?Sized> {
    pub(crate) house: H,
    value: NonNull<U>,
    _invariant: PhantomData<*mut U>,
}

// SAFETY: the gate keeps threads apart; the value is then used by one at a time.
unsafe impl<T: ?Sized + Send> Sync for Lock<T> {}
// SAFETY: the gate keeps threads apart, or the value is shared, for which it is Sync.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}
// SAFETY: its cell is there for models only, and touched by those who were let in.
unsafe impl Sync for Gate {}
// SAFETY: it is a `&mut U` and what gives the right to it.
unsafe impl<H: House + Send, U: ?Sized + Send> Send for Exclusive<H, U> {}
// SAFETY: as above.
unsafe impl<H: House + Sync, U: ?Sized + Sync> Sync for Exclusive<H, U> {}
// SAFETY: it is a `&U` and what gives the right to it.
unsafe impl<H: House + Send, U: ?Sized + Sync> Send for Shared<H, U> {}
// SAFETY: as above.
unsafe impl<H: House + Sync, U: ?Sized + Sync> Sync for Shared<H, U> {}
// SAFETY: the pointer is used only when the right is there again.
unsafe impl<H: Send, U: ?Sized + Send> Send for Outside<H, U> {}
// SAFETY: nothing can be reached through `&Outside`.
unsafe impl<H: Sync, U: ?Sized + Send> Sync for Outside<H, U> {}

impl<T> Guarded<T> {
    kasasagi_primitive::const_new! {
        pub(crate) const fn new(value: T) -> Self {
            Self { gate: Gate::new(), value: UnsafeCell::new(value) }
        }
    }

    pub(crate) fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Guarded<T> {
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[inline]
    fn address(&self) -> NonNull<T> {
        // SAFETY: what is in a cell has an address.
        unsafe { NonNull::new_unchecked(self.value.get()) }
    }
}

impl<'a, T: ?Sized> Exclusive<&'a Gate, T> {
    /// The value, for whoever has the one right of its gate.
    #[inline]
    pub(crate) fn borrowed(right: Right<&'a Gate, Alone>, guarded: &'a Guarded<T>) -> Self {
        assert!(ptr::eq(*right.house(), &raw const guarded.gate), "each gate has its own rights");
        Self { right, value: guarded.address(), _invariant: PhantomData }
    }
}

impl<'a, T: ?Sized> Shared<&'a Gate, T> {
    /// The value, for whoever has a right of its gate.
    #[inline]
    pub(crate) fn borrowed(right: Right<&'a Gate, Among>, guarded: &'a Guarded<T>) -> Self {
        assert!(ptr::eq(*right.house(), &raw const guarded.gate), "each gate has its own rights");
        Self { right, value: guarded.address() }
    }
}

impl<H: Home> Exclusive<H, H::Value> {
    /// As `borrowed`, of what the right owns.
    pub(crate) fn owned(right: Right<H, Alone>) -> Self {
        let value = right.house().guarded().address();
        Self { right, value, _invariant: PhantomData }
    }
}

impl<H: Home> Shared<H, H::Value> {
    /// As `borrowed`, of what the right owns.
    pub(crate) fn owned(right: Right<H, Among>) -> Self {
        let value = right.house().guarded().address();
        Self { right, value }
    }
}

impl<H: House, U: ?Sized> Exclusive<H, U> {
    /// A part of it.
    #[inline]
    pub(crate) fn map<V: ?Sized>(mut self, f: impl FnOnce(&mut U) -> &mut V) -> Exclusive<H, V> {
        let value = NonNull::from(f(&mut self));
        Exclusive { right: self.right, value, _invariant: PhantomData }
    }

    /// Lets others in who look. Not for a part: what leads to it by `&mut` may be seen by others otherwise.
    pub(crate) fn downgrade(self) -> Shared<H, U> {
        Shared { right: self.right.downgrade(), value: self.value }
    }

    /// Where it is good.
    pub(crate) fn house(&self) -> &H {
        self.right.house()
    }

    /// Takes it apart: where the value is, and the right to it, which is to be given up then.
    pub(crate) fn split(self) -> (Outside<H, U>, Right<H, Alone>)
    where
        H: Clone,
    {
        let Self { right, value, .. } = self;
        (Outside { house: right.house().clone(), value, _invariant: PhantomData }, right)
    }
}

impl<H: House, U: ?Sized> Outside<H, U> {
    /// The value again, for one who was let in.
    pub(crate) fn enter(self, place: &'static Location<'static>) -> Exclusive<H, U> {
        Exclusive {
            right: Right::new(self.house, place),
            value: self.value,
            _invariant: PhantomData,
        }
    }
}

impl<H: House, U: ?Sized> Shared<H, U> {
    /// A part of it.
    #[inline]
    pub(crate) fn map<V: ?Sized>(self, f: impl FnOnce(&U) -> &V) -> Shared<H, V> {
        let value = NonNull::from(f(&self));
        Shared { right: self.right, value }
    }
}

impl<H: House, U: ?Sized> Deref for Exclusive<H, U> {
    type Target = U;
    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: the right keeps all others away while it lives, and the house keeps the value in its place.
        unsafe { self.value.as_ref() }
    }
}

impl<H: House, U: ?Sized> DerefMut for Exclusive<H, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        // SAFETY: as above.
        unsafe { self.value.as_mut() }
    }
}

impl<H: House, U: ?Sized> Deref for Shared<H, U> {
    type Target = U;
    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: the right keeps those away who would change it, and the house keeps the value in its place.
        unsafe { self.value.as_ref() }
    }
}
