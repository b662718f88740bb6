//! How an event loop works, in sixty lines: a queue of what can run, a list of what waits for its time, and a waker that
//! leads from the one to the other. kasasagi does the same with a queue for each worker.
//!
//! A loop that ends when its queue is empty ends too early: those who wait are in no queue. This one ends with its main
//! future.
//!
//! ```sh
//! cargo run --example toy_loop
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

type Coroutine = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Default)]
struct Loop {
    born: RefCell<VecDeque<Coroutine>>,
    timers: RefCell<BTreeMap<Instant, Vec<Waker>>>,
}

/// Puts its coroutine's number into the queue of those that can run.
struct Due(usize, Mutex<Sender<usize>>);

impl Wake for Due {
    fn wake(self: Arc<Self>) {
        let queue = self.1.lock().expect("nobody panics with it");
        queue.send(self.0).expect("the loop lives longer than its coroutines");
    }
}

impl Loop {
    fn run(&self, main: Coroutine) {
        let (due, ready) = channel();
        let mut coroutines = vec![Some(main)];
        due.send(0).expect("it is read below");
        while coroutines[0].is_some() {
            // One at a time: what computes for long keeps all others waiting.
            while let Ok(number) = ready.try_recv() {
                let Some(coroutine) = &mut coroutines[number] else { continue };
                println!("    (poll {number})");
                let waker = Waker::from(Arc::new(Due(number, Mutex::new(due.clone()))));
                if coroutine.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    coroutines[number] = None;
                }
                while let Some(coroutine) = self.born.borrow_mut().pop_front() {
                    due.send(coroutines.len()).expect("it is read here");
                    coroutines.push(Some(coroutine));
                }
            }
            // Nobody can run: sleep until the first one's time has come. A real loop looks at its sockets here.
            let first = self.timers.borrow_mut().pop_first();
            let Some((when, wakers)) = first else { continue };
            thread::sleep(when.saturating_duration_since(Instant::now()));
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    fn spawn(&self, coroutine: impl Future<Output = ()> + 'static) {
        self.born.borrow_mut().push_back(Box::pin(coroutine));
    }

    /// Waits by leaving its waker where the loop finds it: that is all that an `await` does at the bottom.
    async fn sleep(&self, time: Duration) {
        let when = Instant::now() + time;
        std::future::poll_fn(|cx| {
            if Instant::now() >= when {
                return Poll::Ready(());
            }
            self.timers.borrow_mut().entry(when).or_default().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

fn main() {
    let own = Rc::new(Loop::default());
    let inside = Rc::clone(&own);
    own.run(Box::pin(async move {
        for (name, millis) in [("A", 20), ("B", 10)] {
            let own = Rc::clone(&inside);
            inside.spawn(async move {
                println!("{name} begins");
                own.sleep(Duration::from_millis(millis)).await;
                println!("{name} is done");
            });
        }
        inside.sleep(Duration::from_millis(30)).await;
        println!("main is done");
    }));
}
