//! Models of what is built right on the floor.
#![cfg(kasasagi_loom)]

mod bolt;
mod park;
mod settle;
mod wait_list;
mod wait_site;
