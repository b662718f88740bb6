//! Children that can be counted.

use kasasagi::{time, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Waits for what has to happen soon; time stands still, so this is no matter of a machine.
pub(crate) async fn until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if done() {
            return;
        }
        time::sleep(Duration::from_micros(100)).await;
    }
    panic!("{what}: it never happens");
}

#[derive(Clone, Default)]
pub(crate) struct World {
    live: Arc<()>,
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl World {
    /// A future that yields and sleeps, and gives its number; it is counted from now on.
    pub(crate) fn child(&self, number: u64) -> impl Future<Output = u64> + Send + use<> {
        let this = self.clone();
        async move {
            // All of it, and not the counters alone.
            let this = this;
            this.begun.fetch_add(1, Ordering::SeqCst);
            for _ in 0..number % 3 {
                yield_now().await;
            }
            time::sleep(ms(number)).await;
            this.ended.fetch_add(1, Ordering::SeqCst);
            number
        }
    }

    pub(crate) fn children(&self) -> [impl Future<Output = u64> + Send + use<>; 3] {
        [3, 1, 2].map(|number| self.child(number))
    }

    /// One that ends well.
    pub(crate) fn fine(
        &self,
        number: u64,
    ) -> impl Future<Output = Result<u64, &'static str>> + Send + use<> {
        let child = self.child(number);
        async move { Ok(child.await) }
    }

    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    pub(crate) fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }

    /// Waits until every child has gone, dropped or at its end.
    pub(crate) async fn gone(&self) {
        until("its children are gone", || Arc::strong_count(&self.live) == 1).await;
    }

    /// Whether one is there this moment.
    pub(crate) fn is_empty(&self) -> bool {
        Arc::strong_count(&self.live) == 1
    }

    /// Waits until so many have come to their end.
    pub(crate) async fn all_end(&self, many: usize) {
        self.gone().await;
        assert_eq!(self.ended(), many, "of those that run on");
    }
}
