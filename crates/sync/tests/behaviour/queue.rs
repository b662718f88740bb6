//! Queues, poll by poll: order, room, futures dropped in every state, and the end. The names carry the ids of the
//! behaviours they hold.

use kasasagi_primitive::task_context::{self, TaskContext};
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_sync::{Closed, Join, LifoQueue, PriorityQueue, Queue, TryGetError, TryPutError};
use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Wake, Waker};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future with a waker that counts.
struct Waiting<F> {
    future: Pin<Box<F>>,
    wakes: Arc<Count>,
}

impl<F: Future> Waiting<F> {
    fn new(future: F) -> Self {
        Self { future: Box::pin(future), wakes: Arc::default() }
    }

    /// One that was polled and waits.
    fn begun(future: F) -> Self {
        let mut waiting = Self::new(future);
        assert!(waiting.poll().is_pending());
        waiting
    }

    fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn output(&mut self) -> F::Output {
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it waits on, after {} wakes", self.wakes()),
        }
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }
}

fn now<F: Future>(future: F) -> F::Output {
    Waiting::new(future).output()
}

fn drained<T>(queue: &Queue<T>) -> Vec<T> {
    std::iter::from_fn(|| queue.try_get().ok()).collect()
}

/// One of each kind.
fn kinds(capacity: usize) -> [Queue<u32>; 3] {
    let (lifo, priority) = (LifoQueue::bounded(capacity), PriorityQueue::bounded(capacity));
    [Queue::bounded(capacity), Queue::clone(&lifo), Queue::clone(&priority)]
}

#[test]
fn que_01_02_03_each_kind_has_its_order() {
    let orders = [[1, 3, 2], [2, 3, 1], [1, 2, 3]];
    for (queue, order) in kinds(3).into_iter().zip(orders) {
        for item in [1, 3, 2] {
            assert_eq!(queue.try_put(item), Ok(()));
        }
        assert_eq!(drained(&queue), order, "{queue:?}");
    }
}

/// Over many segments, filled and emptied again and again.
#[test]
fn que_01_a_long_queue_keeps_its_order() {
    let queue = Queue::unbounded();
    let (mut put, mut got) = (0_u32, 0);
    for round in 0..40 {
        for _ in 0..round * 97 {
            assert_eq!(queue.try_put(put), Ok(()));
            put += 1;
        }
        for _ in 0..round * 89 {
            assert_eq!(queue.try_get(), Ok(got));
            got += 1;
        }
        assert_eq!(queue.len(), usize::try_from(put - got).unwrap_or(0));
    }
    let rest: Vec<_> = (got..put).collect();
    assert_eq!(drained(&queue), rest);
}

#[test]
fn que_03_a_priority_queue_is_right_for_any_order_of_puts() {
    let queue = PriorityQueue::unbounded();
    let mut random = 1_u32;
    let mut all: Vec<_> = std::iter::repeat_with(|| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random >> 20
    })
    .take(2_000)
    .collect();
    for item in &all {
        assert_eq!(queue.try_put(*item), Ok(()));
    }
    all.sort_unstable();
    assert_eq!(drained(&queue), all);
}

#[test]
fn que_04_05_it_tells_how_much_is_in_it_and_how_much_could_be() {
    for queue in kinds(2) {
        assert_eq!((queue.len(), queue.is_empty(), queue.is_full()), (0, true, false));
        assert_eq!(queue.capacity(), Some(2));
        assert!(queue.try_put(1).is_ok() && !queue.is_full() && queue.try_put(2).is_ok());
        assert_eq!((queue.len(), queue.is_empty(), queue.is_full()), (2, false, true));
    }
    let unbounded = Queue::unbounded();
    for item in 0..10_000 {
        assert_eq!(unbounded.try_put(item), Ok(()));
    }
    assert!(!unbounded.is_full() && unbounded.capacity().is_none());
    let refused = catch_unwind(|| Queue::<u8>::bounded(0)).map(drop);
    let said = refused.expect_err("there is no such queue");
    let said = said.downcast_ref::<&str>().copied().unwrap_or_default();
    assert!(said.contains("`Queue::unbounded()`"), "{said}");
}

#[test]
fn que_06_a_put_waits_for_room() {
    let queue = Queue::bounded(2);
    assert!(now(queue.put(0)).is_ok() && now(queue.put(1)).is_ok());
    let mut putter = Waiting::begun(queue.put(2));
    assert_eq!(queue.len(), 2);
    assert_eq!(queue.try_get(), Ok(0));
    assert_eq!(putter.wakes(), 1);
    assert_eq!(putter.output(), Ok(()));
    assert_eq!(drained(&queue), [1, 2]);
}

#[test]
fn que_07_a_get_waits_for_an_item() {
    let queue = Queue::bounded(2);
    let mut getter = Waiting::begun(queue.get());
    assert_eq!(queue.try_put(1), Ok(()));
    assert_eq!((getter.wakes(), getter.output()), (1, Ok(1)));
}

#[test]
fn que_08_without_waiting_it_says_empty_or_full_and_gives_the_item_back() {
    let queue = Queue::bounded(1);
    assert_eq!(queue.try_get(), Err(TryGetError::Empty));
    assert_eq!(queue.try_put(1), Ok(()));
    assert_eq!(queue.try_put(2), Err(TryPutError::Full(2)));
    assert_eq!(queue.try_put(2).map_err(TryPutError::into_inner), Err(2));
    let message = queue.try_put(2).map_err(|full| full.to_string());
    assert_eq!(message, Err("the queue is full, or others wait for room already".to_owned()));
}

#[test]
fn que_09_one_item_and_one_room_wake_one_each() {
    let queue = Queue::bounded(1);
    let mut getters: Vec<_> = (0..3).map(|_| Waiting::begun(queue.get())).collect();
    assert_eq!(queue.try_put(1), Ok(()));
    assert_eq!(getters.iter().map(Waiting::wakes).collect::<Vec<_>>(), [1, 0, 0]);
    assert_eq!(getters[0].output(), Ok(1));
    drop(getters);
    assert_eq!(queue.try_put(2), Ok(()));
    let mut putters: Vec<_> = (3..6).map(|item| Waiting::begun(queue.put(item))).collect();
    assert_eq!(queue.try_get(), Ok(2));
    assert_eq!(putters.iter().map(Waiting::wakes).collect::<Vec<_>>(), [1, 0, 0]);
    assert_eq!(putters[0].output(), Ok(()));
}

/// No newcomer takes what one in line was woken for, neither an item nor room.
#[test]
fn que_10_a_newcomer_does_not_overtake() {
    let queue = Queue::bounded(1);
    let mut first = Waiting::begun(queue.get());
    assert_eq!(queue.try_put('a'), Ok(()));
    assert_eq!(queue.try_get(), Err(TryGetError::Empty), "it is promised");
    let mut second = Waiting::begun(queue.get());
    assert_eq!(first.output(), Ok('a'));
    assert!(second.poll().is_pending());
    drop(second);

    assert_eq!(queue.try_put('b'), Ok(()));
    let mut first = Waiting::begun(queue.put('c'));
    assert_eq!(queue.try_get(), Ok('b'));
    assert_eq!(queue.try_put('X'), Err(TryPutError::Full('X')), "the room is kept");
    let mut second = Waiting::begun(queue.put('d'));
    assert_eq!(first.output(), Ok(()));
    assert!(second.poll().is_pending());
    assert_eq!(queue.try_get(), Ok('c'));
    assert_eq!(second.output(), Ok(()));
    assert_eq!(drained(&queue), ['d']);
}

#[test]
fn que_12_each_room_wakes_one_of_four_putters() {
    let queue = Queue::bounded(2);
    assert!(queue.try_put(0).is_ok() && queue.try_put(1).is_ok());
    let mut putters: Vec<_> = (2..6).map(|item| Waiting::begun(queue.put(item))).collect();
    let mut got = Vec::new();
    while !putters.is_empty() {
        for _ in 0..queue.len() {
            got.push(queue.try_get().expect("so many are there"));
        }
        let before = putters.len();
        putters.retain_mut(|putter| putter.wakes() == 0 || putter.output().is_err());
        assert!(putters.len() < before, "room was made, and nobody was woken");
    }
    got.extend(drained(&queue));
    assert_eq!(got, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn que_13_a_getter_that_left_is_passed_over() {
    let queue = Queue::unbounded();
    let leaver = Waiting::begun(queue.get());
    let mut stays = Waiting::begun(queue.get());
    drop(leaver);
    assert_eq!(queue.try_put('a'), Ok(()));
    assert_eq!(stays.output(), Ok('a'));
}

#[test]
fn que_14_a_woken_getter_that_leaves_loses_no_item_and_no_order() {
    let queue = Queue::unbounded();
    let woken = Waiting::begun(queue.get());
    assert!(queue.try_put(1).is_ok() && queue.try_put(2).is_ok());
    assert_eq!(woken.wakes(), 1);
    drop(woken);
    assert_eq!(drained(&queue), [1, 2]);
}

#[test]
fn que_15_of_three_getters_and_two_items_a_woken_one_leaves() {
    let queue = Queue::unbounded();
    let mut getters: Vec<_> = (0..3).map(|_| Waiting::begun(queue.get())).collect();
    assert!(queue.try_put(1).is_ok() && queue.try_put(2).is_ok());
    drop(getters.remove(0));
    let got: Vec<_> = getters.iter_mut().map(|getter| (getter.wakes(), getter.output())).collect();
    assert_eq!(got, [(1, Ok(1)), (1, Ok(2))]);
}

#[test]
fn que_16_a_woken_putter_that_leaves_has_put_nothing() {
    let queue = Queue::bounded(1);
    assert_eq!(queue.try_put(1), Ok(()));
    let woken = Waiting::begun(queue.put(2));
    assert_eq!(queue.try_get(), Ok(1));
    assert_eq!(woken.wakes(), 1);
    drop(woken);
    assert_eq!((queue.len(), queue.unfinished()), (0, 1));
    assert_eq!(queue.try_put(2), Ok(()), "the room is anybody's again");
    assert_eq!(drained(&queue), [2]);
}

#[test]
fn que_17_a_putter_that_leaves_the_line_takes_its_item_along() {
    let queue = Queue::bounded(1);
    assert_eq!(queue.try_put('a'), Ok(()));
    let leaver = Waiting::begun(queue.put('X'));
    let mut stays = Waiting::begun(queue.put('b'));
    drop(leaver);
    assert_eq!(queue.try_get(), Ok('a'));
    assert_eq!(stays.output(), Ok(()));
    assert_eq!(drained(&queue), ['b']);
}

#[test]
fn que_18_room_that_was_kept_for_one_who_left_is_kept_for_the_next() {
    let queue = Queue::bounded(1);
    assert_eq!(queue.try_put(1), Ok(()));
    let woken = Waiting::begun(queue.put(2));
    let mut next = Waiting::begun(queue.put(3));
    assert_eq!(queue.try_get(), Ok(1));
    drop(woken);
    assert_eq!((next.wakes(), next.output()), (1, Ok(())));
    assert_eq!(drained(&queue), [3]);
}

#[test]
fn que_19_those_who_left_leave_nothing() {
    let queue = Queue::bounded(1);
    let wakes = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&wakes));
    for _ in 0..100 {
        let mut getter = Box::pin(queue.get());
        assert!(getter.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(queue.try_put(0), Ok(()));
    for item in 0..100 {
        let mut putter = Box::pin(queue.put(item));
        assert!(putter.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let debug = format!("{queue:?}");
    assert!(debug.contains("getters: 0, putters: 0"), "{debug}");
    drop(waker);
    assert_eq!((Arc::strong_count(&wakes), wakes.0.load(Ordering::Relaxed)), (1, 0));
}

#[test]
fn que_20_a_put_that_needs_no_wait_does_not_suspend() {
    let queue = Queue::bounded(1);
    assert_eq!(now(queue.put(1)), Ok(()));
    assert_eq!(now(queue.get()), Ok(1));
}

#[test]
fn que_21_24_28_a_join_waits_while_something_is_left() {
    for queue in kinds(5) {
        now(queue.join());
        now(queue.join());
        assert!(queue.try_put(1).is_ok() && queue.try_put(2).is_ok());
        let mut join = Waiting::begun(queue.join());
        assert_eq!(drained(&queue).len(), 2);
        assert_eq!(queue.task_done(), Ok(()));
        assert!(join.poll().is_pending() && join.wakes() == 0, "one is left");
        assert_eq!(queue.task_done(), Ok(()));
        assert_eq!(join.wakes(), 1);
        // More comes before it is polled: its own are done, and the next one has to wait.
        assert_eq!(queue.try_put(3), Ok(()));
        join.output();
        let mut again = Waiting::begun(queue.join());
        assert!(queue.try_get().is_ok() && queue.task_done().is_ok());
        again.output();
    }
}

#[test]
fn que_23_28_one_task_done_too_many_is_an_error() {
    for queue in kinds(5) {
        let error = queue.task_done().expect_err("nothing was put");
        assert!(error.to_string().contains("too many times"), "{error}");
        assert!(queue.try_put(1).is_ok() && queue.task_done().is_ok());
        assert!(queue.task_done().is_err());
        assert_eq!(queue.unfinished(), 0);
        now(queue.join());
    }
}

/// More of them than are woken at a time; who comes in between belongs to the next round.
#[test]
fn que_25_all_joiners_wake() {
    let queue = Queue::unbounded();
    assert_eq!(queue.try_put(1), Ok(()));
    let mut joins: Vec<_> = (0..100).map(|_| Waiting::begun(queue.join())).collect();
    drop(joins.remove(50));
    assert_eq!(queue.task_done(), Ok(()));
    assert!(joins.iter().all(|join| join.wakes() == 1));
    joins.iter_mut().for_each(Waiting::output);
}

/// A future that gave its result may be asked once more, as one that had not to wait.
#[test]
fn que_25_a_join_that_waited_can_be_asked_again() {
    let queue = Queue::unbounded();
    assert_eq!(queue.try_put(1), Ok(()));
    let mut join = Waiting::begun(queue.join());
    assert_eq!(queue.task_done(), Ok(()));
    join.output();
    join.output();
    assert_eq!(queue.try_put(2), Ok(()));
    assert!(join.poll().is_pending());
    assert_eq!(queue.task_done(), Ok(()));
    join.output();
}

#[test]
fn que_25_who_joins_while_others_are_woken_belongs_to_the_next_round() {
    static QUEUE: LazyLock<Queue<u32>> = LazyLock::new(|| Queue::bounded(1));
    static LATE: Mutex<Option<Waiting<Join<'static, u32>>>> = Mutex::new(None);

    /// Puts an item, and begins to join, when it is woken.
    struct Joins;
    impl Wake for Joins {
        fn wake(self: Arc<Self>) {
            assert_eq!(QUEUE.try_put(2), Ok(()));
            *LATE.lock().expect("no panic") = Some(Waiting::begun(QUEUE.join()));
        }
    }
    assert_eq!(QUEUE.try_put(1), Ok(()));
    let mut nosy = Box::pin(QUEUE.join());
    let waker = Waker::from(Arc::new(Joins));
    assert!(nosy.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let others: Vec<_> = (0..40).map(|_| Waiting::begun(QUEUE.join())).collect();
    assert!(QUEUE.try_get().is_ok() && QUEUE.task_done().is_ok());
    assert!(others.iter().all(|join| join.wakes() == 1));
    let mut late = LATE.lock().expect("no panic").take().expect("it joined");
    assert_eq!(late.wakes(), 0, "its item is not done");
    assert!(QUEUE.try_get().is_ok() && QUEUE.task_done().is_ok());
    late.output();
}

#[test]
fn que_26_an_item_is_done_when_its_guard_is_dropped() {
    let queue = Queue::unbounded();
    for item in 1..=4 {
        assert_eq!(queue.try_put(item), Ok(()));
    }
    // Without a guard nothing is done, even if who took it is gone.
    assert_eq!((now(queue.get()), queue.unfinished()), (Ok(1), 4));
    let mut guard = now(queue.get_guarded()).expect("it is open");
    *guard += 10;
    assert_eq!((*guard, queue.unfinished()), (12, 4));
    drop(guard);
    assert_eq!(queue.unfinished(), 3);
    let owned = now(queue.get_guarded()).expect("it is open").into_owned();
    assert_eq!((*owned, queue.unfinished()), (3, 3));
    drop(owned);
    assert_eq!(queue.unfinished(), 2);
    assert_eq!(now(queue.get_guarded()).map(kasasagi_sync::ItemGuard::into_inner), Ok(4));
    assert_eq!(queue.unfinished(), 1);
    // Dropped before it is ready it has taken nothing.
    drop(Waiting::begun(queue.get_guarded()));
    assert_eq!(queue.unfinished(), 1);
}

#[test]
fn que_26_an_item_whose_drop_panics_is_done_all_the_same() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    let queue = Queue::unbounded();
    assert!(queue.try_put(Bomb).is_ok());
    let guard = now(queue.get_guarded()).expect("it is open");
    assert!(catch_unwind(AssertUnwindSafe(|| drop(guard))).is_err());
    assert_eq!(queue.unfinished(), 0);
}

#[test]
fn que_27_an_end_mark_that_is_not_called_done_stays_unfinished() {
    let queue = Queue::unbounded();
    assert!(queue.try_put(Some(1)).is_ok() && queue.try_put(None).is_ok());
    while let Ok(Some(_)) = queue.try_get() {
        assert_eq!(queue.task_done(), Ok(()));
    }
    let _join = Waiting::begun(queue.join());
    assert_eq!((queue.len(), queue.unfinished()), (0, 1));
    assert!(format!("{queue:?}").contains("unfinished: 1"));
}

#[test]
fn que_29_33_a_shutdown_of_an_empty_queue() {
    for queue in kinds(1) {
        let mut getters: Vec<_> = (0..40).map(|_| Waiting::begun(queue.get())).collect();
        queue.shutdown(false);
        for getter in &mut getters {
            assert_eq!((getter.wakes(), getter.output()), (1, Err(Closed)));
        }
        queue.shutdown(false);
        queue.shutdown(true);
        assert!(queue.is_shut_down());
        assert_eq!(now(queue.get()), Err(Closed));
        assert_eq!(queue.try_get(), Err(TryGetError::Closed));
        assert_eq!(now(queue.put(7)).map_err(|error| error.into_inner()), Err(7));
        assert_eq!(queue.try_put(8), Err(TryPutError::Closed(8)));
        now(queue.join());
    }
}

#[test]
fn que_30_33_a_shutdown_leaves_what_is_left() {
    for queue in kinds(2) {
        assert!(queue.try_put(1).is_ok() && queue.try_put(2).is_ok());
        let mut putters: Vec<_> = (3..43).map(|item| Waiting::begun(queue.put(item))).collect();
        let mut join = Waiting::begun(queue.join());
        queue.shutdown(false);
        for (putter, item) in putters.iter_mut().zip(3..) {
            assert_eq!(putter.wakes(), 1);
            assert_eq!(putter.output().map_err(|error| error.0), Err(item));
        }
        assert!(now(queue.get()).is_ok() && queue.try_get().is_ok());
        assert_eq!(now(queue.get()), Err(Closed));
        assert!(join.poll().is_pending());
        assert!(queue.task_done().is_ok() && queue.task_done().is_ok());
        join.output();
    }
}

/// Room that was kept for it does it no good.
#[test]
fn que_30_a_woken_putter_is_refused_after_a_shutdown() {
    let queue = Queue::bounded(1);
    assert_eq!(queue.try_put(1), Ok(()));
    let mut woken = Waiting::begun(queue.put(2));
    let leaves = Waiting::begun(queue.put(3));
    assert_eq!(queue.try_get(), Ok(1));
    queue.shutdown(false);
    drop(leaves);
    assert_eq!(woken.output().map_err(|error| error.0), Err(2));
    assert_eq!(queue.try_get(), Err(TryGetError::Closed));
}

/// Those behind a woken getter are told of the end when its item is gone, and not before: it may leave it to them.
#[test]
fn que_30_the_last_item_goes_to_somebody_though_a_woken_getter_leaves() {
    for leaves in [false, true] {
        let queue = Queue::unbounded();
        let mut woken = Waiting::begun(queue.get());
        let mut behind = Waiting::begun(queue.get());
        assert_eq!(queue.try_put(1), Ok(()));
        queue.shutdown(false);
        let mut newcomer = Waiting::begun(queue.get());
        assert_eq!(queue.try_get(), Err(TryGetError::Empty), "it is promised");
        assert_eq!((behind.wakes(), newcomer.wakes()), (0, 0));
        if leaves {
            drop(woken);
            assert_eq!((behind.wakes(), behind.output()), (1, Ok(1)));
        } else {
            assert_eq!(woken.output(), Ok(1));
            assert_eq!((behind.wakes(), behind.output()), (1, Err(Closed)));
        }
        assert_eq!((newcomer.wakes(), newcomer.output()), (1, Err(Closed)));
    }
}

#[test]
fn que_31_33_an_immediate_shutdown_throws_away_what_is_left_and_calls_it_done() {
    for queue in kinds(2) {
        assert!(queue.try_put(1).is_ok() && queue.try_put(2).is_ok());
        let mut putter = Waiting::begun(queue.put(3));
        let mut join = Waiting::begun(queue.join());
        queue.shutdown(true);
        assert_eq!((join.wakes(), putter.wakes()), (1, 1));
        join.output();
        assert_eq!(putter.output().map_err(|error| error.0), Err(3));
        assert_eq!(now(queue.get()), Err(Closed));
        assert!(queue.task_done().is_err());
    }
}

#[test]
fn que_31_a_woken_getter_finds_its_item_thrown_away() {
    let queue = Queue::unbounded();
    let mut woken = Waiting::begun(queue.get());
    let leaves = Waiting::begun(queue.get());
    assert!(queue.try_put(1).is_ok() && queue.try_put(2).is_ok());
    queue.shutdown(true);
    drop(leaves);
    assert_eq!(woken.output(), Err(Closed));
    assert_eq!(queue.unfinished(), 0);
}

/// What is thrown away is dropped once, and outside the lock: its drop may use the queue.
#[test]
fn que_31_items_are_dropped_after_the_lock() {
    struct Nosy(Queue<Nosy>, Rc<Cell<u32>>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            assert_eq!(self.0.len(), 0);
            self.1.set(self.1.get() + 1);
        }
    }
    let queue = Queue::unbounded();
    let drops = Rc::new(Cell::new(0));
    for _ in 0..3 {
        assert!(queue.try_put(Nosy(queue.clone(), Rc::clone(&drops))).is_ok());
    }
    queue.shutdown(true);
    assert_eq!(drops.get(), 3);
}

#[test]
fn que_32_an_immediate_shutdown_waits_for_what_is_in_flight() {
    for queue in kinds(2) {
        assert!(queue.try_put(1).is_ok() && queue.try_put(2).is_ok());
        assert!(queue.try_get().is_ok());
        let mut join = Waiting::begun(queue.join());
        queue.shutdown(true);
        assert_eq!(queue.unfinished(), 1);
        assert!(join.poll().is_pending());
        assert_eq!(queue.task_done(), Ok(()));
        join.output();
        assert!(queue.task_done().is_err());
    }
}

#[test]
fn que_36_it_shows_its_state() {
    let queue = Queue::bounded(1);
    assert_eq!(queue.try_put(1), Ok(()));
    let _putter = Waiting::begun(queue.put(2));
    queue.shutdown(false);
    assert_eq!(
        format!("{queue:?}"),
        "Queue { len: 1, capacity: Some(1), getters: 0, putters: 0, unfinished: 1, shut_down: true }"
    );
    let queue = LifoQueue::<u8>::unbounded();
    let _getter = Waiting::begun(queue.get());
    assert_eq!(
        format!("{queue:?}"),
        "LifoQueue { len: 0, capacity: None, getters: 1, putters: 0, unfinished: 0, shut_down: false }"
    );
    assert!(format!("{:?}", PriorityQueue::<u8>::unbounded()).starts_with("PriorityQueue {"));
}

#[test]
fn que_37_threads_put_and_get() {
    let queue = Queue::bounded(3);
    let sum = std::thread::scope(|scope| {
        let putters = [(); 4].map(|()| {
            let queue = queue.clone();
            scope.spawn(move || {
                for item in 1..=250_u64 {
                    queue.put_blocking(item).expect("it is open");
                }
            })
        });
        let getters = [(); 4].map(|()| {
            let queue = queue.clone();
            scope.spawn(move || {
                let mut sum = 0;
                while let Ok(item) = queue.get_blocking() {
                    sum += item;
                    queue.task_done().expect("it was put");
                }
                sum
            })
        });
        for putter in putters {
            putter.join().expect("no panic");
        }
        queue.join_blocking();
        assert_eq!((queue.len(), queue.unfinished()), (0, 0));
        queue.shutdown(false);
        getters.into_iter().map(|getter| getter.join().expect("no panic")).sum::<u64>()
    });
    assert_eq!(sum, 4 * 250 * 251 / 2);
}

#[test]
fn mt_05_a_spent_budget_suspends_and_takes_nothing() {
    let queue = Queue::unbounded();
    for item in 0..1_000 {
        assert_eq!(queue.try_put(item), Ok(()));
    }
    let previous = kasasagi_primitive::coop::start();
    let mut taken = 0;
    while Waiting::new(queue.get()).poll().is_ready() {
        taken += 1;
    }
    assert_eq!(taken, usize::from(kasasagi_primitive::coop::BUDGET));
    assert_eq!(queue.len(), 1_000 - taken);
    kasasagi_primitive::coop::restore(previous);
}

#[test]
fn a_waiting_task_says_what_for_and_where() {
    let queue = Queue::bounded(1);
    assert_eq!(queue.try_put(1), Ok(()));
    let context = TaskContext::new(1);
    let site = |waiting: &mut dyn FnMut()| {
        {
            #[expect(unsafe_code, reason = "the test stands in for the task cell")]
            // SAFETY: the context outlives the guard, and this is the only thread that polls under it.
            let _entered = unsafe { task_context::enter(&raw const context) };
            waiting();
        }
        let wait = context.wait.get().expect("it waits");
        assert_eq!(wait.kind, WaitKind::Queue);
        wait.place.map(std::panic::Location::line)
    };
    let line = Some(line!() + 1);
    let (mut put, mut join) = (Waiting::new(queue.put(2)), Waiting::new(queue.join()));
    assert_eq!(site(&mut || assert!(put.poll().is_pending())), line);
    assert_eq!(site(&mut || assert!(join.poll().is_pending())), line);
    assert_eq!(queue.try_get(), Ok(1));
    let line = Some(line!() + 1);
    let mut get = Waiting::new(queue.get_guarded());
    assert_eq!(site(&mut || assert!(get.poll().is_pending())), line);
}

#[test]
fn que_37_inside_a_task_the_blocking_forms_are_refused() {
    let queue = Queue::bounded(1);
    assert_eq!(queue.put_blocking(1), Ok(()));
    let context = TaskContext::new(1);
    #[expect(unsafe_code, reason = "the test stands in for the task cell")]
    // SAFETY: the context outlives the guard, and this is the only thread that polls under it.
    let entered = unsafe { task_context::enter(&raw const context) };
    let refused = catch_unwind(AssertUnwindSafe(|| queue.get_blocking()));
    drop(entered);
    let said = refused.expect_err("the worker would stop");
    let said = said.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(said.contains("write `queue.get().await`"), "{said}");
    assert_eq!(queue.get_blocking(), Ok(1));
}

/// A waker that panics loses neither the item of who wakes it, nor the wakes behind it.
#[test]
fn a_waker_that_panics_loses_no_item() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("boom");
        }
    }
    let queue = Queue::bounded(1);
    assert_eq!(queue.try_put(1), Ok(()));
    let mut putter = Box::pin(queue.put(2));
    let bomb = Waker::from(Arc::new(Bomb));
    assert!(putter.as_mut().poll(&mut Context::from_waker(&bomb)).is_pending());
    assert_eq!(queue.try_get(), Ok(1));
    assert_eq!(now(putter.as_mut()), Ok(()));
    drop(putter);
    let mut first = Box::pin(queue.put(3));
    assert!(first.as_mut().poll(&mut Context::from_waker(&bomb)).is_pending());
    let second = Waiting::begun(queue.put(4));
    queue.shutdown(false);
    assert_eq!(second.wakes(), 1);
}

/// Its `Ord` is the user's: the queue holds together when it panics.
#[test]
fn an_ord_that_panics_leaves_a_queue_that_works() {
    #[derive(PartialEq, Eq, Debug)]
    struct Item(u32);
    impl PartialOrd for Item {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Item {
        fn cmp(&self, other: &Self) -> std::cmp::Ordering {
            assert!(self.0 != 13 && other.0 != 13, "unlucky");
            self.0.cmp(&other.0)
        }
    }
    let queue = PriorityQueue::unbounded();
    assert_eq!(queue.try_put(Item(1)), Ok(()));
    assert!(catch_unwind(AssertUnwindSafe(|| queue.try_put(Item(13)))).is_err());
    assert_eq!((queue.len(), queue.unfinished()), (2, 2));
    queue.shutdown(true);
    assert_eq!((queue.len(), queue.unfinished()), (0, 0));
}

/// Nobody has the item that is lost then, and so nobody could call it done.
#[test]
fn an_item_that_is_lost_as_an_ord_panics_counts_as_done() {
    static BREAKS: AtomicBool = AtomicBool::new(false);
    #[derive(PartialEq, Eq)]
    struct Item(u32);
    impl PartialOrd for Item {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Item {
        fn cmp(&self, other: &Self) -> std::cmp::Ordering {
            assert!(!BREAKS.load(Ordering::Relaxed), "it cannot be compared");
            self.0.cmp(&other.0)
        }
    }
    for waits in [false, true] {
        let queue = PriorityQueue::unbounded();
        let mut getter = waits.then(|| Box::pin(queue.get()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(getter.as_mut().is_none_or(|getter| getter.as_mut().poll(&mut cx).is_pending()));
        for number in 0..4 {
            assert!(queue.try_put(Item(number)).is_ok());
        }
        let mut join = Waiting::begun(queue.join());
        BREAKS.store(true, Ordering::Relaxed);
        let got = catch_unwind(AssertUnwindSafe(|| match &mut getter {
            Some(getter) => getter.as_mut().poll(&mut cx).is_ready(),
            None => queue.try_get().is_ok(),
        }));
        BREAKS.store(false, Ordering::Relaxed);
        assert!(got.is_err());
        assert_eq!((queue.len(), queue.unfinished()), (3, 3), "waits: {waits}");
        while queue.try_get().is_ok() {
            assert_eq!(queue.task_done(), Ok(()));
        }
        assert!(join.poll().is_ready());
    }
}
