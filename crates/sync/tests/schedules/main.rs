//! What excludes others, and what is waited for, among more threads than loom can explore, under random schedules.
//!
//! `.ci/schedules` runs them. A wake that is lost is a deadlock, which shuttle reports. Who leaves a wait leaves it at any
//! moment: in line, when it was given what it waits for, or before.
#![cfg(kasasagi_shuttle)]

mod hand;
mod locks;
mod order;
mod permits;
mod signals;
