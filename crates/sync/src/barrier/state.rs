//! What a barrier's lock guards: who is in line, who is outside, and what each is told.

use kasasagi_primitive::wait_list::{WaitList, Waiter};
use kasasagi_primitive::wake_batch::{Lead, wake, wake_caught};
use std::collections::VecDeque;
use std::mem;
use std::task::Waker;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Filling,
    Draining,
    Resetting,
    Broken,
}

pub(super) struct State {
    pub(super) phase: Phase,
    // How many were let go or sent away, and have not left.
    pub(super) inside: usize,
    // Grows when those who were let go, and have not left, are to be told that it is broken all the same.
    pub(super) epoch: u64,
    // Filling: those who have arrived. Else nobody.
    pub(super) line: WaitList<Ticket>,
    // Those who arrived in another phase. Filling: the first of those who have arrived.
    pub(super) outside: WaitList<Ticket>,
    // Filling: one of those outside has run since, and all of them count as if they had: a reset means them too.
    pub(super) came_in: bool,
    // Kept, so that letting go allocates once.
    pub(super) spare: VecDeque<Waker>,
}

/// What a waiter is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    pub(super) fate: Fate,
    pub(super) epoch: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// It is let go, so many before it.
    Go(usize),
    /// It was inside, and is sent away.
    Away,
    /// It was outside, and is sent away.
    Refused,
}

impl State {
    pub(super) fn n_waiting(&self) -> usize {
        if self.phase == Phase::Filling { self.outside.len() + self.line.len() } else { 0 }
    }

    /// The list that a waiter is in.
    pub(super) fn list_of(&mut self, waiter: &Waiter<Ticket>) -> &mut WaitList<Ticket> {
        if self.outside.is_home_of(waiter) { &mut self.outside } else { &mut self.line }
    }

    /// One that waits is polled: if it was outside and may come in, it does, and all with it. If all are there with those,
    /// they are let go.
    pub(super) fn come_in(&mut self, waiter: &Waiter<Ticket>, parties: usize) -> Option<Wakers> {
        if self.phase != Phase::Filling || !self.outside.is_home_of(waiter) {
            return None;
        }
        if self.n_waiting() >= parties {
            return Some(self.let_go(parties));
        }
        self.came_in = true;
        None
    }

    /// Filling begins: the first of those outside is to come in.
    pub(super) fn begin_filling(&mut self) -> Option<Waker> {
        self.phase = Phase::Filling;
        self.came_in = false;
        self.outside.rouse_front()
    }

    /// One that waited and was not told anything is gone; `roused`: it had no waker. The next is to come in, if it was to.
    pub(super) fn gone(&mut self, roused: bool) -> Option<Waker> {
        if roused && self.phase == Phase::Filling && !self.came_in {
            return self.outside.rouse_front();
        }
        None
    }

    /// How many are inside whom a reset sends away.
    pub(super) fn present(&self) -> usize {
        let came_in = if self.came_in { self.outside.len() } else { 0 };
        self.line.len() + came_in
    }

    /// Lets those go who came first, so many.
    pub(super) fn let_go(&mut self, n: usize) -> Wakers {
        self.phase = Phase::Draining;
        self.came_in = false;
        self.inside = n;
        let mut wakers = mem::take(&mut self.spare);
        wakers.reserve(n);
        let epoch = self.epoch;
        for number in 0..n {
            // Who waits outside came before all who are in line.
            let list = if self.outside.is_empty() { &mut self.line } else { &mut self.outside };
            if let Some(ticket) = list.front() {
                *ticket = Ticket { fate: Fate::Go(number), epoch };
            }
            wakers.extend(list.pop_front());
        }
        Wakers(wakers)
    }

    /// Tells all inside, and if it says so those outside, that they are sent away.
    pub(super) fn send_away(&mut self, and_outside: bool) -> Wakers {
        let mut wakers = mem::take(&mut self.spare);
        let epoch = self.epoch;
        while let Some(ticket) = self.outside.front().filter(|_| self.came_in) {
            *ticket = Ticket { fate: Fate::Away, epoch };
            wakers.extend(self.outside.pop_front());
        }
        while let Some(ticket) = self.line.front() {
            *ticket = Ticket { fate: Fate::Away, epoch };
            wakers.extend(self.line.pop_front());
        }
        while let Some(ticket) = self.outside.front().filter(|_| and_outside) {
            *ticket = Ticket { fate: Fate::Refused, epoch };
            wakers.extend(self.outside.pop_front());
        }
        self.came_in = false;
        Wakers(wakers)
    }
}

/// Wakers to be woken with no lock held, all of them, even if one panics.
#[derive(Default)]
pub(super) struct Wakers(pub(super) VecDeque<Waker>);

impl Wakers {
    pub(super) fn wake_all(mut self) -> VecDeque<Waker> {
        let lead = self.0.pop_front().map(Lead::new);
        while let Some(waker) = self.0.pop_front() {
            wake(waker);
        }
        if let Some(lead) = lead {
            lead.follow();
        }
        mem::take(&mut self.0)
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        for waker in self.0.drain(..) {
            wake_caught(waker);
        }
    }
}
