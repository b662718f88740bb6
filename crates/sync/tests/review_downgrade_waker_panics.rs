//! Review: a waker that panics while a writer downgrades costs the lock one pass for ever.
use kasasagi_sync::{RwLock, WriteGuard};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

struct Panics;
impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker panics");
    }
}

#[test]
fn a_waker_that_panics_in_a_downgrade_does_not_keep_the_lock_for_ever() {
    let lock = RwLock::new(0);
    let guard = lock.try_write().expect("nobody has it");
    let mut reader = Box::pin(lock.read());
    let waker = Waker::from(Arc::new(Panics));
    assert!(reader.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(WriteGuard::downgrade(guard)))).is_err());
    drop(reader);
    // No guard and no future is left.
    assert!(format!("{lock:?}").contains("readers: 0"), "{lock:?}");
    assert!(lock.try_write().is_ok(), "nobody has it");
}
