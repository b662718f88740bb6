//! Pool: threads that run closures, with as many workers as each peer has.

use crate::column::WORKERS;
use crossbeam_channel::{Sender, unbounded};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::OnceLock;

type Job = Box<dyn FnOnce() + Send>;

/// rayon's pool.
pub fn rayon() -> &'static ThreadPool {
    static POOL: OnceLock<ThreadPool> = OnceLock::new();
    POOL.get_or_init(|| {
        ThreadPoolBuilder::new().num_threads(WORKERS).build().expect("a pool starts")
    })
}

/// Has a thread of the crate threadpool run it.
pub fn threadpool(job: impl FnOnce() + Send + 'static) {
    static POOL: OnceLock<threadpool::ThreadPool> = OnceLock::new();
    POOL.get_or_init(|| threadpool::ThreadPool::new(WORKERS)).execute(job);
}

/// Has one of the plain threads run it.
pub fn threads(job: impl FnOnce() + Send + 'static) {
    static POOL: OnceLock<Sender<Job>> = OnceLock::new();
    let send = POOL.get_or_init(|| {
        let (send, jobs) = unbounded::<Job>();
        for _ in 0..WORKERS {
            let jobs = jobs.clone();
            std::thread::spawn(move || jobs.iter().for_each(|job| job()));
        }
        send
    });
    send.send(Box::new(job)).expect("the threads last");
}
