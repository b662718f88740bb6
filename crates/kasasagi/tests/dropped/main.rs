//! Dropped at every poll: every future that the crate gives is polled so many times and dropped, from never to until it
//! is ready; then nothing is lost or left that its section on cancel safety does not give up.
//!
//! Time stands still where nothing can run, so the number of polls is that of the future, and not that of a machine.

mod channels;
mod cleanups;
mod combinators;
mod drive;
mod leaves;
mod lending;
mod locks;
mod queues;
mod sockets;
mod streams;
mod world;
mod wrappers;

use drive::{Case, at_every_poll};

/// Each of them, at every poll, on one worker and on two; how many there are is told, so that none goes missing.
fn each(cases: &[Case], many: usize, waits: bool) {
    for case in cases {
        at_every_poll(case, waits);
    }
    assert_eq!(cases.len(), many);
}

#[test]
fn leaves_that_are_dropped_take_nothing_and_leave_their_place() {
    each(leaves::ALL, 12, true);
}

#[test]
fn channels_cells_and_rates_whose_futures_are_dropped_lose_nothing() {
    each(channels::ALL, 8, true);
}

#[test]
fn waits_at_queues_that_are_dropped_lose_no_item_and_no_room() {
    each(queues::ALL, 4, true);
}

#[test]
fn locks_events_conditions_and_barriers_that_are_waited_for_in_vain_hold_nobody_up() {
    each(locks::ALL, 10, true);
}

#[test]
fn wrappers_that_are_dropped_drop_what_is_inside() {
    each(wrappers::ALL, 7, true);
}

#[test]
fn combinators_that_are_dropped_cancel_what_they_own_and_lose_nothing_that_is_lent() {
    each(combinators::ALL, 18, true);
}

#[test]
fn streams_whose_next_is_dropped_have_given_nothing() {
    each(streams::ALL, 5, true);
}

#[test]
fn cleanups_that_are_owed_run_once_whenever_they_are_dropped() {
    each(cleanups::ALL, 6, true);
}

#[test]
fn sockets_whose_futures_are_dropped_lose_no_byte_and_no_connection() {
    // The system may be done before the first poll.
    each(sockets::ALL, 5, false);
}

#[test]
fn closures_whose_futures_are_dropped_are_gone_and_hold_nobody_up() {
    // A thread may be done before the first poll.
    each(lending::ALL, 5, false);
}

#[test]
fn a_driver_that_is_told_of_a_loss_fails() {
    for broken in drive::BROKEN {
        let outcome = std::panic::catch_unwind(|| at_every_poll(broken, true));
        assert!(outcome.is_err(), "{} is broken, and nobody saw it", broken.name);
    }
}
