//! Closures on threads: lent from the runtime's pool, from a pool of one's own, or from anybody who runs closures.

mod default_executor;
mod executor;
mod job;
mod lent;
mod map;
mod par;
#[cfg(feature = "rayon")]
mod rayon;
mod region;
mod scope;
mod scoped;
mod split;
mod stay;
mod submitted;
mod thread_pool;

pub use default_executor::ShutdownDefaultExecutor;
pub use executor::{Executor, run_in_executor, to_thread};
pub use job::{IntoJob, JobExt, NamedJob};
pub use map::{Map, MapChunks, MapChunksStream, MapStream};
pub use par::{ParForEach, ParMap, par_for_each, par_for_each_on, par_map, par_map_on};
#[cfg(feature = "rayon")]
pub use rayon::Rayon;
pub use scoped::{scoped_for_each, scoped_map};
pub(crate) use stay::leave;
pub use submitted::{Submit, Submitted};
pub use thread_pool::{PoolFull, ThreadPool, ThreadPoolBuilder};
