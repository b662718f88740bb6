//! The memory of all values, which several threads fill at once, each a region of its own.
//!
//! A region is given out once, and owns the values in it as a vector does. When all are back, and fill the memory from
//! its beginning without a gap, it becomes a vector without a copy.
#![allow(
    unsafe_code,
    reason = "several threads write into one allocation; no two regions of it overlap"
)]

use kasasagi_primitive::sync::{Arc, Mutex};
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::ptr::{self, NonNull};

/// Room for a number of values.
pub(super) struct Room<U> {
    first: NonNull<U>,
    size: usize,
    capacity: usize,
    given: Mutex<Given>,
    _values: PhantomData<U>,
}

struct Given {
    /// So much of it.
    size: usize,
    /// The memory is somebody else's.
    away: bool,
}

// SAFETY: each value is written, moved and dropped by whoever has its region; none is shared.
unsafe impl<U: Send> Send for Room<U> {}
// SAFETY: as above.
unsafe impl<U: Send> Sync for Room<U> {}

impl<U> Room<U> {
    /// `None` if there is no memory for so many.
    pub(super) fn new(size: usize) -> Option<Arc<Self>> {
        let mut values = Vec::<U>::new();
        values.try_reserve_exact(size).ok()?;
        let mut values = ManuallyDrop::new(values);
        let (capacity, given) = (values.capacity(), Mutex::new(Given { size: 0, away: false }));
        let first = NonNull::new(values.as_mut_ptr())?;
        Some(Arc::new(Self { first, size, capacity, given, _values: PhantomData }))
    }

    /// The next `size` places; `None` if there are not so many, and no more then.
    pub(super) fn give(room: &Arc<Self>, size: usize) -> Option<Region<U>> {
        let mut given = room.given.lock();
        let from = given.size;
        if size > room.size - from {
            given.size = room.size;
            return None;
        }
        given.size += size;
        drop(given);
        // SAFETY: `from` is at most `size`, and so inside the allocation, or just behind it.
        let first = unsafe { room.first.add(from) };
        Some(Region { first, size, count: 0, room: Arc::clone(room) })
    }
}

impl<U> Drop for Room<U> {
    fn drop(&mut self) {
        if !self.given.get_mut().away {
            // SAFETY: a vector's memory, of this capacity, which is nobody else's. No value is left: a region, which
            // has a share of the room, drops its own.
            drop(unsafe { Vec::from_raw_parts(self.first.as_ptr(), 0, self.capacity) });
        }
    }
}

/// Places of one's own, and the values in the first of them.
pub(super) struct Region<U> {
    first: NonNull<U>,
    size: usize,
    count: usize,
    room: Arc<Room<U>>,
}

// SAFETY: it owns its values, and nobody else reaches them.
unsafe impl<U: Send> Send for Region<U> {}

impl<U> Region<U> {
    /// Puts `most` values behind those that are there, or as many as there are.
    ///
    /// # Panics
    /// If there is no room for `most`.
    #[inline]
    pub(super) fn extend(&mut self, most: usize, mut values: impl Iterator<Item = U>) {
        // Once, and not for each: a look at the room and a count in the iterator took 0.3 ns a value.
        assert!(most <= self.size - self.count, "a region takes as many values as it has places");
        let first = self.first;
        // In a register, and put back even if the iterator panics.
        let mut put = Put { now: self.count, count: &mut self.count };
        for _ in 0..most {
            let Some(value) = values.next() else { break };
            // SAFETY: `most` more than there were are at most `size`: inside the allocation.
            let place = unsafe { first.add(put.now) };
            // SAFETY: a place of this region, at which nothing is yet.
            unsafe { place.write(value) };
            put.now += 1;
        }
    }

    /// Moves the values behind those of `all`.
    pub(super) fn append_to(mut self, all: &mut Vec<U>) {
        let count = mem::take(&mut self.count);
        for at in 0..count {
            // SAFETY: below `size`, and so inside the allocation.
            let place = unsafe { self.first.add(at) };
            // SAFETY: a value of this region, which counts none any more: it is moved out once.
            all.push(unsafe { place.read() });
        }
    }

    /// Makes a vector of regions that are all of one room, in their order; gives them back if they leave a gap.
    pub(super) fn join(regions: Vec<Self>) -> Result<Vec<U>, Vec<Self>> {
        let Some(room) = regions.first().map(|region| Arc::clone(&region.room)) else {
            return Err(regions);
        };
        let mut count = 0;
        for region in &regions {
            let begins = region.first.as_ptr() == room.first.as_ptr().wrapping_add(count);
            if !begins || !Arc::ptr_eq(&region.room, &room) {
                return Err(regions);
            }
            count += region.count;
        }
        let mut given = room.given.lock();
        if mem::replace(&mut given.away, true) {
            return Err(regions);
        }
        drop(given);
        for region in regions {
            let region = ManuallyDrop::new(region);
            // SAFETY: the region is not dropped, and so its share of the room is, here, once; its values are not.
            drop(unsafe { ptr::read(&raw const region.room) });
        }
        // SAFETY: a vector's memory, of this capacity, taken by `away`. The regions held `count` values from the first
        // place on without a gap, and let go of them.
        Ok(unsafe { Vec::from_raw_parts(room.first.as_ptr(), count, room.capacity) })
    }
}

/// How many values a region has, while some are put in.
struct Put<'a> {
    now: usize,
    count: &'a mut usize,
}

impl Drop for Put<'_> {
    fn drop(&mut self) {
        *self.count = self.now;
    }
}

impl<U> Drop for Region<U> {
    fn drop(&mut self) {
        let values = ptr::slice_from_raw_parts_mut(self.first.as_ptr(), self.count);
        // SAFETY: so many values are there, they are this region's, and it is gone.
        unsafe { values.drop_in_place() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts who is alive.
    fn tokens() -> (std::sync::Arc<()>, impl FnMut() -> std::sync::Arc<()>) {
        let token = std::sync::Arc::new(());
        let kept = std::sync::Arc::clone(&token);
        (token, move || std::sync::Arc::clone(&kept))
    }

    fn filled<U>(room: &Arc<Room<U>>, n: usize, mut value: impl FnMut() -> U) -> Region<U> {
        let mut region = Room::give(room, n).expect("there is room");
        region.extend(n, (0..n).map(|_| value()));
        region
    }

    #[test]
    fn regions_without_a_gap_become_a_vector_in_place() {
        let room = Room::new(5).expect("there is memory");
        let mut n = 0;
        let mut next = || {
            n += 1;
            n.to_string()
        };
        let (first, second) = (filled(&room, 2, &mut next), filled(&room, 3, &mut next));
        let address = first.first;
        assert!(Room::give(&room, 1).is_none(), "it is all given out");
        let all = Region::join(vec![first, second]).ok().expect("there is no gap");
        assert_eq!(all, ["1", "2", "3", "4", "5"]);
        assert_eq!(all.as_ptr(), address.as_ptr().cast_const());
    }

    #[test]
    fn what_is_not_joined_is_dropped_once() {
        let (token, mut clone) = tokens();
        let room = Room::new(4).expect("there is memory");
        let first = filled(&room, 1, &mut clone);
        let mut second = Room::give(&room, 3).expect("there is room");
        second.extend(3, std::iter::once(clone()));
        drop(room);
        assert_eq!(std::sync::Arc::strong_count(&token), 4);
        let Err(regions) = Region::join(vec![second, first]) else { panic!("they leave a gap") };
        let mut all = Vec::new();
        regions.into_iter().for_each(|region| region.append_to(&mut all));
        assert_eq!(all.len(), 2);
        drop((all, clone));
        assert_eq!(std::sync::Arc::strong_count(&token), 1);
    }

    #[test]
    fn a_region_that_is_dropped_takes_its_values_along() {
        let (token, mut clone) = tokens();
        let room = Room::new(2).expect("there is memory");
        drop(filled(&room, 2, &mut clone));
        drop((room, clone));
        assert_eq!(std::sync::Arc::strong_count(&token), 1);
    }

    #[test]
    fn what_was_put_before_a_panic_is_dropped_once() {
        let (token, mut clone) = tokens();
        let room = Room::new(3).expect("there is memory");
        let mut region = Room::give(&room, 3).expect("there is room");
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            region.extend(3, (0..3).map(|n| if n < 2 { clone() } else { panic!("the third") }));
        }));
        assert!(panicked.is_err());
        assert_eq!(std::sync::Arc::strong_count(&token), 4);
        drop((region, room, clone));
        assert_eq!(std::sync::Arc::strong_count(&token), 1);
    }

    #[test]
    fn values_without_a_size_have_room() {
        let room = Room::new(usize::MAX).expect("they need none");
        let region = filled(&room, 3, || ());
        assert_eq!(Region::join(vec![region]).ok(), Some(vec![(), (), ()]));
        assert!(Room::<u64>::new(usize::MAX).is_none());
    }

    #[test]
    #[should_panic(expected = "as many values as it has places")]
    fn a_region_takes_no_more_than_it_has_places() {
        let room = Room::new(2).expect("there is memory");
        let mut region = filled(&room, 1, || 0);
        region.extend(2, std::iter::once(0));
    }
}
