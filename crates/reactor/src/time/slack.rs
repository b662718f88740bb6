//! How late the operating system may wake a thread from a wait with a limit.
//!
//! Linux gathers timers of a thread within its *slack*, 50 µs by default, which is most of a short sleep's lateness. A
//! seat's thread that waits for a timer gives its slack up, and gets it back when it leaves; see `pace.rs` for what
//! keeps it from waking too often. Threads that it starts meanwhile inherit the slack.

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use linux::Slack;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use other::Slack;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use rustix::thread::{current_timer_slack, set_current_timer_slack};
    use std::num::NonZeroU64;

    /// The slack that this thread had; it has it again when this is dropped.
    #[derive(Debug)]
    pub(in crate::time) struct Slack(Option<NonZeroU64>);

    impl Slack {
        /// Takes the thread's slack. A system that refuses leaves it as it is.
        #[cold]
        pub(in crate::time) fn take() -> Option<Self> {
            let before = current_timer_slack().ok().and_then(NonZeroU64::new);
            // 1 ns: 0 stands for the default.
            let _ = before.and_then(|_| set_current_timer_slack(Some(NonZeroU64::MIN)).ok());
            Some(Self(before))
        }
    }

    impl Drop for Slack {
        fn drop(&mut self) {
            if self.0.is_some() {
                // It worked before; and if not, the thread is only woken more exactly than need be.
                let _ = set_current_timer_slack(self.0);
            }
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod other {
    /// Threads have no slack here, or none that could be asked for.
    #[derive(Debug)]
    pub(in crate::time) struct Slack;

    impl Slack {
        pub(in crate::time) fn take() -> Option<Self> {
            Some(Self)
        }
    }
}
