//! What kasasagi promises, seen through its public face. Names of tests begin with the number of a behaviour where
//! there is one; `docs/src/reliability/` has the lists.

mod alone;
mod auto_traits;
mod cancel;
mod caretaking;
mod child;
mod cleanup;
mod fetch;
mod flavour;
mod hand;
mod messages;
mod mt;
mod net;
mod panics;
mod promises;
mod run;
mod runtimes;
mod settled;
mod sharing;
mod shutdown;
mod task_registry;
mod tasks;
mod time;
mod timeouts;
mod traps;
