//! rayon as an executor.

use crate::threads::executor::Executor;
use kasasagi_blocking::Work;

/// rayon's global pool: as many threads as the machine has processors, for what computes.
///
/// # Examples
/// ```
/// use kasasagi::{Rayon, par_map_on};
///
/// kasasagi::run(async {
///     assert_eq!(par_map_on(&Rayon, 1..=3, |n| n * n).await, [1, 4, 9]);
/// });
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Rayon;

impl Executor for Rayon {
    fn execute(&self, work: Work) {
        rayon::spawn(move || work.run());
    }

    fn parallelism(&self) -> usize {
        rayon::current_num_threads()
    }
}

impl Executor for rayon::ThreadPool {
    fn execute(&self, work: Work) {
        self.spawn(move || work.run());
    }

    fn parallelism(&self) -> usize {
        self.current_num_threads()
    }
}
