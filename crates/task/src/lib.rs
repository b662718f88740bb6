//! What flows through kasasagi: the task cell, its waker, its handle, and the slab it lives in.

pub mod slab;
