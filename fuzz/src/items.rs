//! Queues of items, in their three orders, against a list and two lines of numbers.
//!
//! The model knows what was asked and who waits; after each operation it looks whom that concerns, anew and by rules of one
//! line each. Compared are every answer, how often each waker was woken, and all that the queue tells of itself.

use arbitrary::Arbitrary;
use kasasagi_sync::{LifoQueue, PriorityQueue, Queue, TryGetError, TryPutError};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// What is done to a queue; the numbers choose among those who wait.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Op {
    TryPut(u8),
    TryGet,
    Put(u8),
    Get,
    Join,
    Poll(u8),
    Drop(u8),
    TaskDone,
    Shutdown(bool),
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Ask {
    Put(u32),
    Get,
    Join,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Answer {
    Put(Result<(), u32>),
    Got(Option<u32>),
    Joined,
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future of the real queue, and what the model knows of it.
struct Waiter {
    ask: Ask,
    future: Pin<Box<dyn Future<Output = Answer>>>,
    wakes: Arc<Count>,
    /// In line; else woken, once.
    in_line: bool,
}

struct Model {
    order: u8,
    capacity: usize,
    items: Vec<u32>,
    unfinished: usize,
    shut: bool,
}

impl Model {
    /// Takes the item whose turn it is.
    fn take(&mut self) -> u32 {
        let last = self.items.len() - 1;
        let least = || {
            let least = self.items.iter().enumerate().min_by_key(|(_, item)| **item);
            least.map_or(0, |(at, _)| at)
        };
        let at = [0, last, least()][usize::from(self.order)];
        self.items.remove(at)
    }

    fn count(waiters: &[Waiter], of: fn(Ask) -> bool, in_line: bool) -> usize {
        waiters.iter().filter(|waiter| of(waiter.ask) && waiter.in_line == in_line).count()
    }

    /// Items that nobody was woken for.
    fn free(&self, waiters: &[Waiter]) -> usize {
        self.items.len().saturating_sub(Self::count(waiters, is_get, false))
    }

    /// Room that nobody was woken for.
    fn room(&self, waiters: &[Waiter]) -> usize {
        self.capacity - self.items.len() - Self::count(waiters, is_put, false)
    }

    /// Wakes whom it concerns.
    fn settle(&self, waiters: &mut [Waiter]) {
        for at in 0..waiters.len() {
            // In the order in which they came.
            let is_due = match waiters[at].ask {
                Ask::Put(_) => self.shut || self.room(waiters) > 0,
                Ask::Get => (self.shut && self.items.is_empty()) || self.free(waiters) > 0,
                // As it was when the last one was done.
                Ask::Join => false,
            };
            if is_due {
                waiters[at].in_line = false;
            }
        }
    }

    fn settle_joins(&self, waiters: &mut [Waiter]) {
        if self.unfinished == 0 {
            waiters
                .iter_mut()
                .filter(|one| one.ask == Ask::Join)
                .for_each(|one| one.in_line = false);
        }
    }
}

fn is_get(ask: Ask) -> bool {
    ask == Ask::Get
}

fn is_put(ask: Ask) -> bool {
    matches!(ask, Ask::Put(_))
}

fn future(queue: &Queue<u32>, ask: Ask) -> Pin<Box<dyn Future<Output = Answer>>> {
    let queue = queue.clone();
    match ask {
        Ask::Put(item) => Box::pin(async move {
            Answer::Put(queue.put(item).await.map_err(|error| error.into_inner()))
        }),
        Ask::Get => Box::pin(async move { Answer::Got(queue.get().await.ok()) }),
        Ask::Join => Box::pin(async move {
            queue.join().await;
            Answer::Joined
        }),
    }
}

struct World {
    queue: Queue<u32>,
    model: Model,
    waiters: Vec<Waiter>,
    next: u32,
}

impl World {
    /// Polls a real future, and does to the model what the answer should be.
    fn poll(&mut self, at: usize, is_new: bool) {
        let ask = self.waiters[at].ask;
        let (model, in_line) = (&mut self.model, self.waiters[at].in_line);
        // It counts for nothing itself while it is asked what it could have.
        self.waiters[at].in_line = true;
        let served = !is_new && !in_line;
        let expected = match ask {
            Ask::Put(item) if model.shut => Some(Answer::Put(Err(item))),
            Ask::Put(item) if served || (is_new && model.room(&self.waiters) > 0) => {
                model.items.push(item);
                model.unfinished += 1;
                Some(Answer::Put(Ok(())))
            }
            Ask::Get if model.items.is_empty() && model.shut => Some(Answer::Got(None)),
            Ask::Get if served || (is_new && model.free(&self.waiters) > 0) => {
                Some(Answer::Got(Some(model.take())))
            }
            Ask::Join if served || (is_new && model.unfinished == 0) => Some(Answer::Joined),
            _ => None,
        };
        let waiter = &mut self.waiters[at];
        let waker = Waker::from(Arc::clone(&waiter.wakes));
        let answer = match waiter.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        };
        assert_eq!(answer, expected, "{ask:?}");
        if answer.is_some() {
            self.waiters.remove(at);
        }
    }

    fn begin(&mut self, ask: Ask) {
        let future = future(&self.queue, ask);
        self.waiters.push(Waiter { ask, future, wakes: Arc::default(), in_line: true });
        self.poll(self.waiters.len() - 1, true);
    }

    fn item(&mut self, high: u8) -> u32 {
        self.next += 1;
        // All differ: among equals a priority queue may choose.
        u32::from(high) << 16 | self.next
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::TryPut(high) => {
                let item = self.item(high);
                let expected = if self.model.shut {
                    Err(TryPutError::Closed(item))
                } else if self.model.room(&self.waiters) == 0 {
                    Err(TryPutError::Full(item))
                } else {
                    self.model.items.push(item);
                    self.model.unfinished += 1;
                    Ok(())
                };
                assert_eq!(self.queue.try_put(item), expected);
            }
            Op::TryGet => {
                let expected = if self.model.shut && self.model.items.is_empty() {
                    Err(TryGetError::Closed)
                } else if self.model.free(&self.waiters) == 0 {
                    Err(TryGetError::Empty)
                } else {
                    Ok(self.model.take())
                };
                assert_eq!(self.queue.try_get(), expected);
            }
            Op::Put(high) => {
                let item = self.item(high);
                self.begin(Ask::Put(item));
            }
            Op::Get => self.begin(Ask::Get),
            Op::Join => self.begin(Ask::Join),
            Op::Poll(at) if !self.waiters.is_empty() => {
                self.poll(usize::from(at) % self.waiters.len(), false);
            }
            Op::Drop(at) if !self.waiters.is_empty() => {
                self.waiters.remove(usize::from(at) % self.waiters.len());
            }
            Op::Poll(_) | Op::Drop(_) => {}
            Op::TaskDone => {
                let is_one = self.model.unfinished > 0;
                assert_eq!(self.queue.task_done().is_ok(), is_one);
                if is_one {
                    self.model.unfinished -= 1;
                    self.model.settle_joins(&mut self.waiters);
                }
            }
            Op::Shutdown(immediate) => {
                self.queue.shutdown(immediate);
                self.model.shut = true;
                if immediate {
                    let left = std::mem::take(&mut self.model.items).len();
                    self.model.unfinished = self.model.unfinished.saturating_sub(left);
                    self.model.settle_joins(&mut self.waiters);
                }
            }
        }
        self.model.settle(&mut self.waiters);
    }

    fn compare(&self) {
        let (model, queue, waiters) = (&self.model, &self.queue, &self.waiters);
        assert_eq!((queue.len(), queue.unfinished()), (model.items.len(), model.unfinished));
        assert_eq!(queue.is_full(), model.items.len() == model.capacity);
        assert_eq!(queue.is_shut_down(), model.shut);
        for waiter in waiters {
            let wakes = waiter.wakes.0.load(Ordering::Relaxed);
            assert_eq!(wakes, usize::from(!waiter.in_line), "{:?}", waiter.ask);
        }
        let (getters, putters) =
            (Model::count(waiters, is_get, true), Model::count(waiters, is_put, true));
        let line = format!("getters: {getters}, putters: {putters}, ");
        assert!(format!("{queue:?}").contains(&line), "{queue:?}, not {line}");
    }
}

/// Plays the operations that the bytes spell; the first byte says what queue it is.
pub fn run(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let order = kind % 3;
    let capacity = match kind / 3 % 5 {
        0 => usize::MAX,
        n => usize::from(n),
    };
    let (lifo, priority);
    let queue: &Queue<u32> = match (order, capacity) {
        (0, usize::MAX) => &Queue::unbounded(),
        (0, n) => &Queue::bounded(n),
        (1, n) => {
            lifo = if n == usize::MAX { LifoQueue::unbounded() } else { LifoQueue::bounded(n) };
            &lifo
        }
        (_, n) => {
            priority = if n == usize::MAX {
                PriorityQueue::unbounded()
            } else {
                PriorityQueue::bounded(n)
            };
            &priority
        }
    };
    let model = Model { order, capacity, items: Vec::new(), unfinished: 0, shut: false };
    let mut world = World { queue: queue.clone(), model, waiters: Vec::new(), next: 0 };
    for op in crate::operations::<Op>(bytes, 300) {
        world.step(op);
        world.compare();
    }
}
