//! The executors, each with two workers, behind one face.

use futures_lite::future::block_on;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;
pub(crate) type Spawner = Arc<dyn Fn(Job) + Send + Sync>;

pub(crate) trait Executor {
    /// What spawns tasks on it, from anywhere.
    fn spawner(&self) -> Spawner;

    /// Runs a future to its end.
    fn run(&self, main: Job);
}

/// Spawns tasks that can be waited for.
#[derive(Clone)]
pub(crate) struct Spawn(pub(crate) Spawner);

impl Spawn {
    /// Spawns all of them, and waits for their outputs, in order.
    pub(crate) async fn all<F>(&self, futures: impl IntoIterator<Item = F>) -> Vec<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut ends = Vec::new();
        for future in futures {
            let (sender, receiver) = kasasagi::sync::oneshot::channel();
            (self.0)(Box::pin(async move { drop(sender.send(future.await)) }));
            ends.push(receiver);
        }
        let mut outputs = Vec::new();
        for end in ends {
            outputs.push(end.await.expect("no task panics"));
        }
        outputs
    }
}

pub(crate) struct Kasasagi(kasasagi::Runtime);

impl Kasasagi {
    pub(crate) fn new() -> Self {
        Self(kasasagi::Runtime::builder().workers(2).build().expect("a runtime can be built"))
    }
}

impl Executor for Kasasagi {
    fn spawner(&self) -> Spawner {
        let handle = self.0.handle();
        Arc::new(move |job| drop(handle.spawn(job)))
    }

    fn run(&self, main: Job) {
        self.0.run(main).expect("main ends");
    }
}

pub(crate) struct Tokio(tokio::runtime::Runtime);

impl Tokio {
    pub(crate) fn new() -> Self {
        let builder = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
        Self(builder.expect("a runtime can be built"))
    }
}

impl Executor for Tokio {
    fn spawner(&self) -> Spawner {
        let handle = self.0.handle().clone();
        Arc::new(move |job| drop(handle.spawn(job)))
    }

    fn run(&self, main: Job) {
        self.0.block_on(main);
    }
}

pub(crate) struct Smol {
    executor: Arc<async_executor::Executor<'static>>,
    stop: Vec<(kasasagi::sync::oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Smol {
    pub(crate) fn new() -> Self {
        let executor = Arc::new(async_executor::Executor::new());
        let stop = (0..2)
            .map(|_| {
                let (sender, receiver) = kasasagi::sync::oneshot::channel();
                let executor = Arc::clone(&executor);
                let worker = std::thread::spawn(move || {
                    let _ = block_on(executor.run(receiver));
                });
                (sender, worker)
            })
            .collect();
        Self { executor, stop }
    }
}

impl Executor for Smol {
    fn spawner(&self) -> Spawner {
        let executor = Arc::clone(&self.executor);
        Arc::new(move |job| executor.spawn(job).detach())
    }

    fn run(&self, main: Job) {
        block_on(main);
    }
}

impl Drop for Smol {
    fn drop(&mut self) {
        for (sender, worker) in self.stop.drain(..) {
            sender.send(()).expect("a worker runs until it is told");
            worker.join().expect("a worker does not panic");
        }
    }
}

/// A thread for each task.
pub(crate) struct Bare;

impl Executor for Bare {
    fn spawner(&self) -> Spawner {
        Arc::new(|job| drop(std::thread::spawn(move || block_on(job))))
    }

    fn run(&self, main: Job) {
        block_on(main);
    }
}

/// Each task under the next of them in turn.
pub(crate) struct Mixed(Vec<Box<dyn Executor>>);

impl Mixed {
    pub(crate) fn new() -> Self {
        Self(vec![
            Box::new(Kasasagi::new()),
            Box::new(Tokio::new()),
            Box::new(Smol::new()),
            Box::new(Bare),
        ])
    }
}

impl Executor for Mixed {
    fn spawner(&self) -> Spawner {
        let spawners: Vec<_> = self.0.iter().map(|executor| executor.spawner()).collect();
        let next = AtomicUsize::new(0);
        Arc::new(move |job| spawners[next.fetch_add(1, Ordering::Relaxed) % spawners.len()](job))
    }

    fn run(&self, main: Job) {
        self.0[0].run(main);
    }
}
