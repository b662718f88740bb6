//! The promises of the house as a whole, on one thread and on workers.

mod alone;
mod fetch;
mod flavour;
mod net;
mod promises;
mod runs;
mod tasks;
