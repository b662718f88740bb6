//! A function over items that are only borrowed: the caller waits, and works itself meanwhile.
//!
//! A task cannot lend what it borrows, since whoever drops its future may forget to; a thread that does not return
//! before all is done can.

use crate::threads::executor::Executor;
use crate::threads::scope::scope;
use crate::threads::split::{Parts, Split, in_order};
use kasasagi_blocking::JobInfo;
use kasasagi_primitive::sync::Mutex;
use std::any::Any;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

/// Calls `f` with each item on the threads of `executor` and on this one, and gives the values in the order of the
/// items. It returns when all is done, and so items and `f` may borrow.
///
/// For threads of the program's own, and closures on a pool. Threads of `executor` that are busy are not waited for:
/// this one does it all then.
///
/// # Panics
/// Inside a task, whose worker it would block: use [`par_map_on`](crate::par_map_on). With the payload of `f`, if that
/// panics; no other item is begun then.
///
/// # Examples
/// ```
/// use kasasagi::{ThreadPool, scoped_map};
///
/// let pool = ThreadPool::new(2);
/// let words = [String::from("a"), String::from("bc")];
/// assert_eq!(scoped_map(&pool, &words, |word| word.len()), [1, 2]);
/// ```
///
/// Counterpart: rayon's `par_iter().map(…).collect()`.
#[track_caller]
pub fn scoped_map<E, I, F, U>(executor: &E, items: I, f: F) -> Vec<U>
where
    E: Executor + ?Sized,
    I: IntoIterator,
    I::IntoIter: Send,
    F: Fn(I::Item) -> U + Sync,
    U: Send,
{
    assert!(
        !kasasagi_scheduler::is_worker(),
        "`scoped_map` was called inside a task, and would stop its worker: write `par_map_on(…).await`, or call it in \
         `to_thread`"
    );
    let place = Location::caller();
    let items = items.into_iter();
    let most = executor.parallelism().min(items.size_hint().1.unwrap_or(usize::MAX));
    let helpers = most.saturating_sub(1);
    let split = Split::new(items, f, helpers + 1);
    let made = Mutex::new(Made { parts: Vec::new(), panic: None });
    let work = || match catch_unwind(AssertUnwindSafe(|| split.work())) {
        Ok(mut parts) => made.lock().parts.append(&mut parts),
        Err(payload) => {
            split.stop();
            made.lock().panic.get_or_insert(payload);
        }
    };
    scope(|scope| {
        let lend = |_| scope.lend(|work| executor.execute(work), JobInfo::new(place), &work);
        let lent: Vec<_> = (0..helpers).map(lend).collect();
        work();
        // Those that have not started are taken back: all is done, or ends.
        drop(lent);
    });
    let Made { parts, panic } = made.into_inner();
    if let Some(payload) = panic {
        resume_unwind(payload);
    }
    in_order(parts)
}

/// Calls `f` with each item on the threads of `executor` and on this one; see [`scoped_map`].
///
/// # Panics
/// As [`scoped_map`].
///
/// # Examples
/// ```
/// let pool = kasasagi::ThreadPool::new(2);
/// let mut numbers = vec![1, 2, 3];
/// kasasagi::scoped_for_each(&pool, &mut numbers, |n| *n *= 10);
/// assert_eq!(numbers, [10, 20, 30]);
/// ```
#[track_caller]
pub fn scoped_for_each<E, I, F>(executor: &E, items: I, f: F)
where
    E: Executor + ?Sized,
    I: IntoIterator,
    I::IntoIter: Send,
    F: Fn(I::Item) + Sync,
{
    let _: Vec<()> = scoped_map(executor, items, f);
}

struct Made<U> {
    parts: Parts<U>,
    panic: Option<Box<dyn Any + Send>>,
}
