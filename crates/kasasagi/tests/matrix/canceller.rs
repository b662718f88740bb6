//! A thread that belongs to no runtime, and cancels a task while that is being polled.

use crate::probe::Probe;
use kasasagi::TaskRef;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

pub(crate) struct Canceller {
    orders: Sender<(TaskRef, Arc<Probe>)>,
    thread: JoinHandle<()>,
}

impl Canceller {
    pub(crate) fn start() -> Self {
        let (orders, ordered) = channel::<(TaskRef, Arc<Probe>)>();
        let thread = std::thread::spawn(move || {
            for (task, probe) in ordered {
                probe.in_poll.wait();
                task.cancel();
                probe.cancelled.set();
            }
        });
        Self { orders, thread }
    }

    /// Cancels `task` as soon as it is in its first poll, which waits for that.
    pub(crate) fn order(&self, task: TaskRef, probe: &Arc<Probe>) {
        self.orders.send((task, Arc::clone(probe))).expect("the thread waits for orders");
    }

    pub(crate) fn stop(self) {
        drop(self.orders);
        self.thread.join().expect("it does not panic");
    }
}
