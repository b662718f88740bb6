//! Who owns a task, and is told when it is done.

use crate::support::{Drops, Joiner, Queue, Token, assert_no_blocks, join_all, poll, run_once};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::thread;
use kasasagi_task::slab::Heap;
use kasasagi_task::{Attributes, Birth, Keeper, Owned, Owner, Ran, Spawn, TaskRef};
use std::any::Any;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// A future that is ready at once, and has an owner.
struct Child {
    output: Option<Token>,
    owned: Option<Owned>,
}

impl Future for Child {
    type Output = Token;
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Token> {
        Poll::Ready(self.output.take().expect("it is polled once"))
    }
}

/// How it is spawned.
struct Children;

impl Spawn for Children {
    type Output = Token;
    type Future = Child;
    fn into_parts(self) -> (Child, Attributes) {
        unreachable!("the model makes the future itself")
    }
    fn owned(future: &mut Child) -> Option<Owned> {
        future.owned.take()
    }
}

/// Looks at the task when it is told, as a group that lets it go.
#[derive(Default)]
struct Group {
    child: Mutex<Option<TaskRef>>,
    told: AtomicUsize,
}

impl Keeper for Group {
    fn ended(&self, key: u32) -> Option<Waker> {
        assert_eq!(key, 7, "the number that it was spawned under");
        let child = self.child.lock().expect("nobody panics here").take();
        assert!(child.expect("it is told once").is_finished(), "it is done by then");
        self.told.fetch_add(1, Relaxed);
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Race: a task with an owner ends while its handle waits for it and goes. The owner is told once, when the task is done,
/// and goes with the block.
///
/// Mutation `task-owner-told-first`: the owner is told before the end is published.
/// Mutation `task-owner-kept`: whoever frees the block does not let go of the owner.
#[test]
fn task_owner_is_told_once_and_goes_with_the_block() {
    explore("task_owner", || {
        let (heap, queue, outputs) = (Heap::new(), Queue::new(1), Drops::new());
        let group = Arc::new(Group::default());
        let keeper: Arc<Group> = Arc::clone(&group);
        let owner = Owner::new(keeper);
        let owned = Some(Owned { owner: Arc::clone(&owner), key: 7 });
        let future = Child { output: Some(outputs.token()), owned };
        let (place, attributes) = (Location::caller(), Attributes::default());
        let birth = Birth { heap: &heap, home: &queue, id: 1, pin: None, place, attributes };
        let (due, mut task) = birth.spawn_as::<Children>(future);
        *group.child.lock().expect("nobody panics here") = Some(task.handle());
        let (joiner, waker) = Joiner::new();
        let threads = [thread::spawn(move || {
            if let Poll::Ready(output) = poll(&waker, &mut task) {
                drop(output.expect("the task gives a token"));
            }
            drop(task);
        })];
        assert!(matches!(run_once(due), Ran::Complete(_)));
        join_all(threads);
        drop(queue);
        assert_eq!((group.told.load(Relaxed), outputs.all(), joiner.wakers()), (1, 1, 0));
        assert_no_blocks(&heap);
        assert_eq!(Arc::strong_count(&owner), 1, "the block held one, and let it go");
    });
}
