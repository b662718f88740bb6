//! What a pool can be told: how many threads, for how long, under which name, and what is called on each.

use kasasagi_primitive::MODEL;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

/// What is called on a thread of a pool.
pub type Hook = Arc<dyn Fn() + Send + Sync>;

/// What a [`Pool`](crate::Pool) is made from.
///
/// # Examples
/// ```
/// use kasasagi_blocking::{Config, Pool};
/// let mut config = Config::default();
/// config.max_threads = 4;
/// let pool = Pool::new(config);
/// assert_eq!(pool.metrics().threads, 0);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Most threads at a time, at least 1. Default 512: closures mostly wait, so it has nothing to do with the number
    /// of cores; it is where memory for stacks (2 MiB of address space each) begins to matter. tokio's figure.
    pub max_threads: usize,
    /// How long an idle thread stays. Default 10 s: longer than the pauses of a program in use, so that it does not
    /// start threads over and over (20 to 50 µs each); tokio's figure.
    pub keep_alive: Duration,
    /// How often, while work waits, a spare thread looks how fast it is served: slowly, and more threads go to work.
    /// Default 100 µs: some twice of what it takes to start a thread, so that waiting has already cost more than a
    /// thread does. Derived, not measured.
    pub stall: Duration,
    /// How many closures that compute are worth a thread each. Default: as many as the machine runs at once.
    pub(crate) processors: usize,
    /// The threads' name, for debuggers; Linux shows its first 15 bytes. Default `kasasagi-pool`.
    pub thread_name: String,
    /// Each thread's stack in bytes. Default `None`: the platform's, 2 MiB with std.
    pub stack_size: Option<usize>,
    /// Called on each thread before its first closure. Default `None`. A panic in it ends there.
    pub on_thread_start: Option<Hook>,
    /// Called on each thread after its last closure. Default `None`. A panic in it ends there.
    pub on_thread_stop: Option<Hook>,
    /// Called on each thread after `on_thread_start`: without it no closure can be run. Default `None`. If it panics,
    /// the pool is [broken](crate::BlockingError::Broken): it closes, and what waits in it ends with that error.
    pub initializer: Option<Hook>,
    /// Called on each thread when it begins, and before it sleeps or ends, for whoever keeps something between closures that follow each
    /// other. Default `None`. It must not panic.
    #[doc(hidden)]
    pub before_rest: Option<fn()>,
    /// Called to wake several at once: it runs what it is given, which does so. Default `None`. It must not panic.
    #[doc(hidden)]
    pub gather_wakes: Option<fn(&mut dyn FnMut())>,
    /// For tests of a system that refuses threads: called before each is started.
    #[doc(hidden)]
    pub before_thread: Option<Arc<dyn Fn() -> io::Result<()> + Send + Sync>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_threads: 512,
            keep_alive: Duration::from_secs(10),
            stall: Duration::from_micros(100),
            processors: if MODEL { 2 } else { available_parallelism().map_or(1, usize::from) },
            thread_name: String::from("kasasagi-pool"),
            stack_size: None,
            on_thread_start: None,
            on_thread_stop: None,
            initializer: None,
            before_rest: None,
            gather_wakes: None,
            before_thread: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("max_threads", &self.max_threads)
            .field("keep_alive", &self.keep_alive)
            .field("stall", &self.stall)
            .field("thread_name", &self.thread_name)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}
