//! Linux: `polling` makes and owns the epoll instance, and here it is driven, one system call a turn.
//!
//! `polling::Poller::wait` makes five, and cannot ask for `EPOLLRDHUP`, without which a short read does not
//! prove a stream drained. Its own notifier and timer stay silent as long as nobody asks it to wait.
//! Interrupts come through an edge-triggered eventfd that is never read: every write is a new edge.
#![allow(unsafe_code, reason = "epoll_pwait2 is called by number: it takes nanoseconds")]

use super::{
    Event, Harvester, Patience, Poller, READ, READ_HELD, Registrar, Traits, WRITE, WRITE_HELD,
};
use kasasagi_primitive::sync::Arc;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// The eventfd's key. Generations have 31 bits, so no source has it; nor `polling`'s own, which is the
/// greatest.
const NOTIFIED: u64 = u64::MAX - 1;
/// The timerfd's key.
const EXPIRED: u64 = u64::MAX - 2;

/// Events fetched by one call at most: 12 KiB of buffer. tokio's figure.
const CAPACITY: usize = 1024;

struct Shared {
    poller: polling::Poller,
    notifier: OwnedFd,
}

struct Harvest {
    shared: Arc<Shared>,
    buffer: Vec<epoll::Event>,
    wait: TimedWait,
}

// SAFETY: the events hold keys; nothing here makes or follows the pointer they could hold instead.
unsafe impl Send for Harvest {}

/// How a wait with a limit is made.
enum TimedWait {
    /// `epoll_pwait2`: Linux 5.11, and not behind a filter that does not know it.
    Nanoseconds,
    /// A timer in the same epoll: one more system call, on old kernels only.
    Timer(OwnedFd),
}

/// Makes an epoll instance.
pub(super) fn open() -> io::Result<Poller> {
    open_as(|_| Ok(TimedWait::Nanoseconds))
}

/// As `open`, as if the kernel were too old for `epoll_pwait2`.
pub(crate) fn open_with_timer() -> io::Result<Poller> {
    open_as(|poller| Ok(TimedWait::Timer(make_timer(poller)?)))
}

fn open_as(wait: impl FnOnce(&polling::Poller) -> io::Result<TimedWait>) -> io::Result<Poller> {
    let poller = polling::Poller::new()?;
    let wait = wait(&poller)?;
    let notifier = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let edge = epoll::EventFlags::IN | epoll::EventFlags::ET;
    epoll::add(poller.as_fd(), &notifier, epoll::EventData::new_u64(NOTIFIED), edge)?;
    let shared = Arc::new(Shared { poller, notifier });
    let empty =
        epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) };
    let harvest = Harvest { shared: Arc::clone(&shared), buffer: vec![empty; CAPACITY], wait };
    Ok((Box::new(Hand(shared)), Box::new(harvest)))
}

struct Hand(Arc<Shared>);

impl Registrar for Hand {
    fn add(&self, fd: BorrowedFd<'_>, key: u64) -> io::Result<()> {
        use epoll::EventFlags as Flags;
        let flags = Flags::IN | Flags::OUT | Flags::RDHUP | Flags::PRI | Flags::ET;
        Ok(epoll::add(self.0.poller.as_fd(), fd, epoll::EventData::new_u64(key), flags)?)
    }

    fn arm(&self, _: BorrowedFd<'_>, _: u64, _: bool, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(self.0.poller.as_fd(), fd)?)
    }

    fn notify(&self) -> io::Result<()> {
        write_edge(self.0.notifier.as_fd())
    }

    fn traits(&self) -> Traits {
        Traits { hangups: true, oneshot: false }
    }
}

/// Adds one to an eventfd. A counter that is full is emptied first: what matters is the edge.
fn write_edge(notifier: BorrowedFd<'_>) -> io::Result<()> {
    loop {
        match rustix::io::write(notifier, &1_u64.to_ne_bytes()) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => match rustix::io::read(notifier, &mut [0_u8; 8]) {
                Ok(_) | Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        }
    }
}

impl Harvester for Harvest {
    fn wait(&mut self, patience: Patience, max: usize, out: &mut Vec<Event>) -> io::Result<()> {
        let max = max.clamp(1, self.buffer.len());
        let count = match patience {
            Patience::Look => self.wait_simply(max, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })),
            Patience::Forever => self.wait_simply(max, None),
            Patience::For(limit) => self.wait_for(max, limit),
        };
        let count = match count {
            Ok(count) => count,
            Err(Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        out.extend(self.buffer[..count].iter().filter_map(translate));
        Ok(())
    }
}

impl Harvest {
    fn wait_simply(&mut self, max: usize, limit: Option<&Timespec>) -> rustix::io::Result<usize> {
        epoll::wait(self.shared.poller.as_fd(), &mut self.buffer[..max], limit)
    }

    fn wait_for(&mut self, max: usize, limit: Duration) -> rustix::io::Result<usize> {
        if let TimedWait::Nanoseconds = self.wait {
            match self.wait_nanoseconds(max, limit) {
                // A kernel before 5.11, or a filter that refuses what it does not know.
                Err(Errno::NOSYS | Errno::PERM) => {
                    self.wait = TimedWait::Timer(make_timer(&self.shared.poller)?);
                }
                result => return result,
            }
        }
        let TimedWait::Timer(timer) = &self.wait else {
            unreachable!("a refused call was just replaced by a timer")
        };
        // Zero would disarm it. It is never read: setting it anew makes its next edge.
        let value = timespec(limit.max(Duration::from_nanos(1)));
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let setting = Itimerspec { it_interval: zero, it_value: value };
        timerfd_settime(timer, TimerfdTimerFlags::empty(), &setting)?;
        self.wait_simply(max, None)
    }

    fn wait_nanoseconds(&mut self, max: usize, limit: Duration) -> rustix::io::Result<usize> {
        let limit = libc_timespec(limit);
        let buffer = &mut self.buffer[..max];
        // SAFETY: the kernel writes at most `max` events to `buffer`, whose elements have the kernel's layout
        // (rustix hands the same pointer to the kernel), and reads one timespec; no signal mask is given.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.shared.poller.as_fd().as_raw_fd(),
                buffer.as_mut_ptr(),
                buffer.len() as libc::c_int,
                &raw const limit,
                std::ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        };
        usize::try_from(count)
            .map_err(|_| Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL))
    }
}

fn make_timer(poller: &polling::Poller) -> rustix::io::Result<OwnedFd> {
    let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
    let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
    let edge = epoll::EventFlags::IN | epoll::EventFlags::ET;
    epoll::add(poller.as_fd(), &timer, epoll::EventData::new_u64(EXPIRED), edge)?;
    Ok(timer)
}

fn timespec(limit: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    }
}

fn libc_timespec(limit: Duration) -> libc::timespec {
    libc::timespec {
        // Both are as wide as the platform has them; a wait of 68 years may end early.
        tv_sec: limit.as_secs().min(i32::MAX as u64) as _,
        tv_nsec: limit.subsec_nanos() as _,
    }
}

fn translate(event: &epoll::Event) -> Option<Event> {
    use epoll::EventFlags as Flags;
    // By copy: the kernel's event is packed.
    let (flags, data) = (event.flags, event.data);
    let key = data.u64();
    if key >= EXPIRED {
        return None;
    }
    let mut bits = 0;
    if flags.intersects(Flags::IN | Flags::PRI | Flags::ERR | Flags::HUP | Flags::RDHUP) {
        bits |= READ;
    }
    // Urgent data splits the stream: a read stops short of it, and more may follow.
    if flags.intersects(Flags::HUP | Flags::RDHUP | Flags::PRI) {
        bits |= READ_HELD;
    }
    if flags.intersects(Flags::OUT | Flags::ERR | Flags::HUP) {
        bits |= WRITE;
    }
    if flags.contains(Flags::HUP) {
        bits |= WRITE_HELD;
    }
    Some(Event { key, bits })
}
