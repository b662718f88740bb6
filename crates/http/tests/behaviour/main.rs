//! The promises of HTTP on kasasagi, on one thread and on workers.

mod auto_traits;
mod client;
mod flavour;
mod serving;
mod wire;
