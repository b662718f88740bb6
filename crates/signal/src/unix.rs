//! SIGINT by `sigaction`.
//!
//! The handler finds all it needs in three words: how many calls are left before the default action comes back, the
//! descriptor to write to, and how many threads are inside it. Who takes the handler away first takes the descriptor,
//! then waits until nobody is inside, and closes the pipe only then: a handler never writes to a descriptor that has
//! become somebody else's.
#![allow(unsafe_code, reason = "a signal handler is installed and removed")]

use crate::NotWatched;
use kasasagi_primitive::hint;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::io::{self, Write};
use std::mem::MaybeUninit;
// std's also in a model: a handler runs on any thread at any moment, where no model has any of its own.
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

#[cfg(any(target_os = "illumos", target_os = "solaris"))]
use libc::___errno as location;
#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as location;
#[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "fuchsia"))]
use libc::__errno_location as location;
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
use libc::__error as location;

/// What is watched: the end of a pipe.
pub type Descriptor = OwnedFd;

/// No descriptor: those are not negative as numbers of 31 bits.
const NONE: u32 = u32::MAX;

static TAKEN: AtomicBool = AtomicBool::new(false);
static PIPE: AtomicU32 = AtomicU32::new(NONE);
static LEFT: AtomicU32 = AtomicU32::new(0);
static INSIDE: AtomicU32 = AtomicU32::new(0);

/// Ctrl-C, watched until this is dropped; then SIGINT is what it was before, unless somebody else has taken it.
#[derive(Debug)]
pub struct CtrlC {
    read: Option<OwnedFd>,
    _write: OwnedFd,
    before: Action,
}

impl CtrlC {
    /// Takes SIGINT over, for `times` signals; the next one after them does what it did before.
    ///
    /// Each signal makes [`take_fd`](Self::take_fd)'s descriptor readable by one byte.
    ///
    /// # Errors
    /// If SIGINT is not at its default, is watched already, or the system refuses; then nothing has changed.
    pub fn watch(times: u32) -> Result<Self, NotWatched> {
        if TAKEN.swap(true, Ordering::SeqCst) {
            return Err(NotWatched::Watched);
        }
        let watched = Self::install(times);
        if watched.is_err() {
            TAKEN.store(false, Ordering::SeqCst);
        }
        watched
    }

    fn install(times: u32) -> Result<Self, NotWatched> {
        if !Action::now().map_err(NotWatched::System)?.is_usual() {
            return Err(NotWatched::Chosen);
        }
        let (read, write) = pipe().map_err(NotWatched::System)?;
        LEFT.store(times, Ordering::SeqCst);
        PIPE.store(write.as_raw_fd().unsigned_abs(), Ordering::SeqCst);
        match Action::ours().install() {
            Ok(before) if before.is_usual() => Ok(Self { read: Some(read), _write: write, before }),
            refused => {
                // Somebody was quicker by a moment: it gets its own back.
                let error = match refused.and_then(|theirs| theirs.install()) {
                    Ok(_) => NotWatched::Chosen,
                    Err(error) => NotWatched::System(error),
                };
                silence();
                Err(error)
            }
        }
    }

    /// The descriptor to wait for and read from; non-blocking, and given out once.
    ///
    /// # Panics
    /// The second time.
    #[track_caller]
    pub fn take_fd(&mut self) -> Descriptor {
        self.read.take().expect("`CtrlC::take_fd` gives its descriptor out once")
    }
}

/// Takes the signals out of the descriptor, and says how many.
///
/// # Errors
/// `WouldBlock` if there are none.
pub fn take(fd: &Descriptor) -> io::Result<u32> {
    let mut bytes = [0; 16];
    Ok(rustix::io::read(fd, &mut bytes)?.try_into().unwrap_or(u32::MAX))
}

impl Drop for CtrlC {
    fn drop(&mut self) {
        // Ours, or the default that our handler has put back. Anything else was chosen meanwhile, and stays.
        if Action::now().is_ok_and(|now| now.is_ours() || now.is_usual()) {
            let _ = self.before.install();
        }
        silence();
        TAKEN.store(false, Ordering::SeqCst);
    }
}

/// No handler writes from now on.
fn silence() {
    // Sequentially consistent, as in the handler: who is inside is seen here, or sees that there is no pipe.
    PIPE.store(NONE, Ordering::SeqCst);
    while INSIDE.load(Ordering::SeqCst) > 0 {
        hint::spin_loop();
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe()?;
    for end in [&read, &write] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
        // A full pipe has a byte to be read: what does not fit says nothing new.
        rustix::io::ioctl_fionbio(end, true)?;
    }
    Ok((read, write))
}

extern "C" fn on_interrupt(_: libc::c_int) {
    INSIDE.fetch_add(1, Ordering::SeqCst);
    let errno = Errno::save();
    if LEFT.fetch_sub(1, Ordering::SeqCst) <= 1 {
        LEFT.store(1, Ordering::SeqCst);
        let _ = Action::usual().install();
    }
    let fd = PIPE.load(Ordering::SeqCst);
    if fd != NONE {
        // SAFETY: `silence` takes the number away, and waits for those inside, before the pipe is closed.
        let fd = unsafe { BorrowedFd::borrow_raw(fd as RawFd) };
        let _ = rustix::io::write(fd.as_fd(), &[1]);
    }
    errno.restore();
    INSIDE.fetch_sub(1, Ordering::SeqCst);
}

/// What the interrupted code had in `errno`.
struct Errno(libc::c_int);

impl Errno {
    fn save() -> Self {
        // SAFETY: the address of this thread's own `errno`.
        Self(unsafe { *errno() })
    }

    fn restore(self) {
        // SAFETY: as above.
        unsafe { *errno() = self.0 };
    }
}

fn errno() -> *mut libc::c_int {
    // SAFETY: it takes nothing, and gives this thread's own.
    unsafe { location() }
}

/// What SIGINT does.
#[derive(Clone, Copy)]
struct Action(libc::sigaction);

impl Action {
    fn of(handler: libc::sighandler_t, flags: libc::c_int) -> Self {
        // SAFETY: integers, a set of bits and optional pointers to functions: zero is a value of each.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        Self(action)
    }

    fn ours() -> Self {
        let handler = on_interrupt as extern "C" fn(libc::c_int);
        // Restarted: reads and waits of other threads do not end with an error because of us. On the alternate stack
        // where the thread has one: the interrupted code may have little left.
        Self::of(handler as libc::sighandler_t, libc::SA_RESTART | libc::SA_ONSTACK)
    }

    fn usual() -> Self {
        Self::of(libc::SIG_DFL, 0)
    }

    fn is_usual(&self) -> bool {
        self.0.sa_sigaction == libc::SIG_DFL
    }

    fn is_ours(&self) -> bool {
        self.0.sa_sigaction == Self::ours().0.sa_sigaction
    }

    /// What it does now.
    fn now() -> io::Result<Self> {
        let mut now = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: nothing is installed, and there is room for what is.
        let code = unsafe { libc::sigaction(libc::SIGINT, std::ptr::null(), now.as_mut_ptr()) };
        if code != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call wrote it; and zero would be a value too.
        Ok(Self(unsafe { now.assume_init() }))
    }

    /// Makes it do this; returns what it did before.
    fn install(&self) -> io::Result<Self> {
        let mut before = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: the handler is the default, was there before, or is ours, which does only what a handler may.
        let code = unsafe { libc::sigaction(libc::SIGINT, &raw const self.0, before.as_mut_ptr()) };
        if code != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call wrote it; and zero would be a value too.
        Ok(Self(unsafe { before.assume_init() }))
    }
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Action").field("default", &self.is_usual()).finish_non_exhaustive()
    }
}

/// Sends SIGINT to this process, for who has watched it and given it back: it ends as if Ctrl-C had never been
/// watched, and whoever started it sees that.
///
/// Does not return: a process that blocks the signal, or survives it, exits with 130, as shells say it.
pub fn interrupt_process() -> ! {
    // What waits for the end of its line would be lost.
    let _ = io::stdout().flush();
    // SAFETY: sends a signal to this thread, and touches no memory.
    let _ = unsafe { libc::raise(libc::SIGINT) };
    std::process::exit(130)
}

/// Whether this is the thread that the process began with.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn is_main_thread() -> bool {
    rustix::thread::gettid() == rustix::process::getpid()
}

/// Whether this is the thread that the program began on, as far as its name tells.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn is_main_thread() -> bool {
    std::thread::current().name() == Some("main")
}
