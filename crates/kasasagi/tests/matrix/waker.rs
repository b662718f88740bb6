//! The join waker: counted, and panicking where the case says so.

use crate::axes::Panics;
use crate::probe::Probe;
use kasasagi_primitive::park::Parker;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

/// A waker that wakes nobody, and whose copies are counted.
pub(crate) fn counted(probe: &Arc<Probe>) -> Waker {
    probe.join_wakers.made();
    // SAFETY: the functions keep the Arc's count, and may be called from any thread.
    unsafe { Waker::from_raw(raw(Arc::into_raw(Arc::clone(probe)))) }
}

fn raw(probe: *const Probe) -> RawWaker {
    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);
    RawWaker::new(probe.cast(), &VTABLE)
}

unsafe fn clone(data: *const ()) -> RawWaker {
    let probe = data.cast::<Probe>();
    // SAFETY: a waker holds a count of the Arc.
    let shared = unsafe { &*probe };
    if shared.case.panics == Panics::JoinWakerClone {
        panic!("planted: in the join waker's clone");
    }
    shared.join_wakers.made();
    // SAFETY: as above; the copy gets a count of its own.
    unsafe { Arc::increment_strong_count(probe) };
    raw(probe)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: the waker's count, which ends here.
    let probe = unsafe { Arc::from_raw(data.cast::<Probe>()) };
    probe.join_wakers.lost();
    if probe.case.panics == Panics::JoinWakerWake {
        panic!("planted: in the join waker's wake");
    }
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: a waker holds a count of the Arc.
    let probe = unsafe { &*data.cast::<Probe>() };
    if probe.case.panics == Panics::JoinWakerWake {
        panic!("planted: in the join waker's wake");
    }
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: the waker's count, which ends here.
    let probe = unsafe { Arc::from_raw(data.cast::<Probe>()) };
    probe.join_wakers.lost();
    if probe.case.panics == Panics::JoinWakerDrop && !std::thread::panicking() {
        panic!("planted: in the join waker's drop");
    }
}

/// Runs a future that needs no runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Parker::new();
    let waker = parker.unparker().into_waker();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        parker.park();
    }
}
