//! Who is let in to a value: one alone, or many who only look. First come, first served.
//!
//! A semaphore with as many permits as there can be: who looks takes one, who is to be alone takes all. A [`Right`] is
//! what was taken; whoever has one may touch the value, and gives it back by dropping it.

mod enter;
mod holder;

pub(crate) use enter::Enter;
pub(crate) use holder::Holder;

use crate::Semaphore;
use kasasagi_primitive::cell::UnsafeCell;
use kasasagi_primitive::const_new;
use std::marker::PhantomData;
use std::panic::Location;

/// What who is to be alone takes.
const ALL: usize = Semaphore::MAX_PERMITS;

/// How many permits a right is made of.
pub(crate) trait Passes {
    const COUNT: usize;
}

/// Of one who is alone.
pub(crate) struct Alone;

/// Of one who looks, among others.
pub(crate) struct Among;

impl Passes for Alone {
    const COUNT: usize = ALL;
}

impl Passes for Among {
    const COUNT: usize = 1;
}

pub(crate) struct Gate {
    pub(crate) semaphore: Semaphore,
    pub(crate) holder: Holder,
    // Touched as a right begins and ends: a model sees so that they exclude each other. Otherwise it is nothing.
    probe: UnsafeCell<()>,
}

/// Where a gate is, and what keeps it there.
pub(crate) trait House {
    /// Whether a right may be dropped by another task than got it, as a matter of course.
    const WANDERS: bool;

    /// Always the same one.
    fn gate(&self) -> &Gate;
}

impl House for &Gate {
    const WANDERS: bool = false;

    #[inline]
    fn gate(&self) -> &Gate {
        self
    }
}

impl Gate {
    /// What who is to be alone asks for.
    pub(crate) const ALONE: usize = ALL;

    const_new! {
        /// Nobody is inside.
        pub(crate) const fn new() -> Self {
            Self {
                semaphore: Semaphore::new(ALL),
                holder: Holder::new(),
                probe: UnsafeCell::new(()),
            }
        }
    }

    /// Lets one in if that is possible at once.
    #[inline]
    pub(crate) fn try_enter<P: Passes>(&self) -> bool {
        let taken =
            if P::COUNT == ALL { self.semaphore.take_all() } else { self.semaphore.take(P::COUNT) };
        taken.is_ok()
    }

    /// As `try_enter`, for who gets in line otherwise.
    #[inline]
    pub(super) fn enter_by_word<P: Passes>(&self) -> bool {
        if P::COUNT == ALL {
            self.semaphore.take_all_of_word()
        } else {
            self.semaphore.take_of_word(P::COUNT).is_ok()
        }
    }

    #[inline]
    fn entered<P: Passes>(&self, place: &'static Location<'static>, wanders: bool) {
        if P::COUNT == ALL {
            self.probe.with_mut(|_| ());
            self.holder.set(place, wanders);
        } else {
            self.probe.with(|_| ());
        }
    }

    #[inline]
    fn leave<P: Passes>(&self) {
        if P::COUNT == ALL {
            self.probe.with_mut(|_| ());
            self.holder.clear();
            self.semaphore.give_back_all();
        } else {
            self.probe.with(|_| ());
            self.semaphore.give_back(P::COUNT);
        }
    }

    /// How many are inside who look, and whether one is alone.
    pub(crate) fn inside(&self) -> (usize, bool) {
        match ALL - self.semaphore.available_permits() {
            ALL => (0, true),
            readers => (readers, false),
        }
    }

    /// Whether one is inside who is alone.
    pub(crate) fn is_closed(&self) -> bool {
        self.semaphore.available_permits() == 0
    }
}

/// The right to be inside, which ends when it is dropped.
pub(crate) struct Right<H: House, P: Passes> {
    // None once it is over.
    house: Option<H>,
    _passes: PhantomData<fn() -> P>,
}

impl<H: House, P: Passes> Right<H, P> {
    /// Of one who was let in.
    #[inline]
    pub(crate) fn new(house: H, place: &'static Location<'static>) -> Self {
        house.gate().entered::<P>(place, H::WANDERS);
        Self { house: Some(house), _passes: PhantomData }
    }

    /// Where it is good.
    #[inline]
    pub(crate) fn house(&self) -> &H {
        self.house.as_ref().expect("a right has a house until it ends")
    }
}

impl<H: House> Right<H, Alone> {
    /// Lets others who only look come in, and stays.
    pub(crate) fn downgrade(mut self) -> Right<H, Among> {
        // First, since to let others in is to wake them, and a waker may panic.
        let among = Right { house: self.house.take(), _passes: PhantomData };
        if let Some(house) = &among.house {
            let gate = house.gate();
            gate.holder.clear();
            gate.semaphore.give_back(ALL - 1);
        }
        among
    }
}

impl<H: House, P: Passes> Drop for Right<H, P> {
    #[inline]
    fn drop(&mut self) {
        if let Some(house) = &self.house {
            house.gate().leave::<P>();
        }
    }
}
