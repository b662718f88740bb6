//! Which types may cross threads.

use kasasagi_task::{Join, JoinError, Runnable, Task, TaskInfo, TaskRef};
use std::cell::Cell;
use std::marker::PhantomData;

trait Fallback {
    const YES: bool = false;
}
impl<T: ?Sized> Fallback for T {}

struct IsSend<T: ?Sized>(PhantomData<T>);
impl<T: ?Sized + Send> IsSend<T> {
    const YES: bool = true;
}
struct IsSync<T: ?Sized>(PhantomData<T>);
impl<T: ?Sized + Sync> IsSync<T> {
    const YES: bool = true;
}

macro_rules! table {
    ($($type:ty: $send:literal $sync:literal)*) => {
        $(assert_eq!(
            (IsSend::<$type>::YES, IsSync::<$type>::YES),
            ($send, $sync),
            stringify!($type)
        );)*
    };
}

#[test]
fn types_cross_threads_as_their_outputs_may() {
    table! {
        Task<u8>: true true
        Task<Cell<u8>>: true true
        Task<*const u8>: false false
        Join<u8>: true true
        Join<*const u8>: false false
        TaskRef: true true
        TaskInfo: true true
        Runnable: true false
        JoinError: true true
    }
}
