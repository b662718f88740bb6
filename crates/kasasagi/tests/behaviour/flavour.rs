//! Each promise is kept by both flavours of the runtime.

use kasasagi::{Runtime, time};
use std::time::Duration;

/// What nothing in these tests may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Runs `test` on one thread, then on two workers.
pub(crate) fn for_each_flavour(test: impl AsyncFn()) {
    for builder in [Runtime::builder().current_thread(), Runtime::builder().workers(2)] {
        let runtime = builder.build().expect("a runtime can be built");
        let outcome = runtime.run(async { time::timeout(LIMIT, test()).await });
        outcome.expect("it runs to its end").expect("it ends within the limit");
    }
}

/// Shows `test` a runtime of one thread, of two workers and of four.
pub(crate) fn on_each(test: impl Fn(&Runtime)) {
    for workers in [1, 2, 4] {
        test(&Runtime::builder().workers(workers).build().expect("a runtime can be built"));
    }
}

/// Runs `main`, which nothing cancels.
pub(crate) fn run<F: Future>(runtime: &Runtime, main: F) -> F::Output {
    runtime.run(main).expect("main is neither nested nor cancelled")
}
