//! hyper's timer is kasasagi's clock and wheel.

use hyper::rt;
use kasasagi::time;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Tells hyper the time and lets it sleep; a sleep that is set anew is used again, without an allocation.
///
/// Give it to every builder of hyper's that takes one: a timeout that was asked for panics without a timer, and
/// those that hyper has by default do nothing.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Timer;

impl Timer {
    /// The timer; it holds nothing.
    pub fn new() -> Self {
        Self
    }
}

pin_project! {
    struct Sleep {
        #[pin]
        sleep: time::Sleep,
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().sleep.poll(cx)
    }
}

impl rt::Sleep for Sleep {}

impl rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep { sleep: time::sleep(duration) })
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep { sleep: time::sleep_until(deadline) })
    }

    fn now(&self) -> Instant {
        time::now()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(ours) => ours.project().sleep.reset(deadline),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}
