//! What kasasagi promises, seen through its public face. Names of tests begin with the number of a behaviour where
//! there is one; `docs/src/reliability/` has the lists.

mod alone;
mod auto_traits;
mod callbacks;
mod cancel;
mod caretaking;
mod child;
mod context;
mod fetch;
mod flavour;
mod futures;
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
mod streams;
mod task_registry;
mod tasks;
mod time;
