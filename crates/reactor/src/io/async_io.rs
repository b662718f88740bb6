//! `Async<T>`: a non-blocking object and its registration.
//!
//! An operation is tried first, if the direction's word allows it, and waits only after. The poller learns of
//! the object at the first wait; it forgets it in `Drop`, before the object closes its descriptor.

use crate::io::kind::Source;
use crate::io::poller::ready::is_ready;
use crate::io::source::{Consumed, Direction, Left, Readiness};
use crate::io::table::shut_down;
use crate::registry::{Registry, Shared};
use kasasagi_primitive::coop;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::Ordering;
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::WaitKind;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A non-blocking object whose operations wait in a [`Registry`]'s poller.
///
/// For sockets and for any descriptor that can be polled: pipes, terminals, eventfds. Not for regular files,
/// which are always ready and which pollers refuse: the first wait returns the refusal.
///
/// Operations take `&self`; several tasks may wait for one direction, and an event wakes them all. Do the
/// input and output through [`poll_io`](Self::poll_io), [`poll_read`](Self::poll_read),
/// [`poll_write`](Self::poll_write) or [`try_io`](Self::try_io), which keep the readiness true.
///
/// # Examples
/// ```
/// use kasasagi_reactor::{Async, Direction, NEVER, Reactor};
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use std::panic::Location;
/// use std::task::{Context, Poll, Waker};
///
/// let reactor = Reactor::new(1)?;
/// let _entered = reactor.registry().enter();
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let ours = Async::new(ours)?;
///
/// let mut cx = Context::from_waker(Waker::noop());
/// let mut buf = [0; 8];
/// let mut read = |ours: &Async<UnixStream>| {
///     ours.poll_read(&mut cx, Location::caller(), 8, |mut socket| socket.read(&mut buf))
/// };
/// assert!(read(&ours).is_pending());
/// theirs.write_all(b"news")?;
/// reactor.attend(NEVER, 64);
/// assert!(matches!(read(&ours), Poll::Ready(Ok(4))));
/// # std::io::Result::Ok(())
/// ```
///
/// Counterpart: `loop.add_reader`, `loop.add_writer`.
pub struct Async<T: Source> {
    /// `None` only while `into_inner` takes it.
    io: Option<T>,
    registration: Registration,
}

/// A slot of the table; given back when dropped.
struct Registration {
    shared: Arc<Shared>,
    index: u32,
    key: u64,
}

impl Registration {
    fn source(&self) -> &Readiness {
        self.shared.table.get(self.index)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.shared.table.remove(self.index);
    }
}

impl<T: Source> Async<T> {
    /// Sets `io` non-blocking and watches it with the [registry of this thread](Registry::current).
    ///
    /// Writes are tried at once, reads after the first event. No system call but the one that sets the mode.
    ///
    /// # Errors
    /// If the thread has no registry, the registry's reactor is closed, or the mode cannot be set.
    #[track_caller]
    pub fn new(io: T) -> io::Result<Async<T>> {
        Self::with_readiness(io, false, true)
    }

    /// As [`new`](Self::new); says what is tried at once, before any event.
    ///
    /// `readable` pays where data are likely to be there already (an accepted socket); neither pays for a
    /// socket that is still connecting. A wrong guess costs one system call and is never an error.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    #[track_caller]
    pub fn with_readiness(io: T, readable: bool, writable: bool) -> io::Result<Async<T>> {
        let Some(registry) = Registry::current() else {
            return Err(no_registry(Location::caller()));
        };
        rustix::io::ioctl_fionbio(io.as_fd(), true)?;
        let shared = registry.shared;
        let index = shared.table.insert()?;
        let key = shared.table.key(index);
        let registration = Registration { shared, index, key };
        let source = registration.source();
        if readable {
            source.assume(Direction::Read);
        }
        if writable {
            source.assume(Direction::Write);
        }
        Ok(Self { io: Some(io), registration })
    }

    /// The object itself.
    ///
    /// Reading or writing it directly is allowed, and unknown to the readiness: use [`try_io`](Self::try_io).
    pub fn get_ref(&self) -> &T {
        self.io.as_ref().expect("the object is here until `into_inner` takes it, with `self`")
    }

    /// Whether the [registry of this thread](Registry::current) is the one that watches it.
    ///
    /// An object that outlives the runtime it was made in waits for ever where nobody turns that reactor any more.
    pub fn is_current(&self) -> bool {
        let current = Registry::current();
        current.is_some_and(|here| Arc::ptr_eq(&here.shared, &self.registration.shared))
    }

    /// Gives the object back, unwatched and still non-blocking.
    ///
    /// # Errors
    /// If the poller cannot forget it.
    pub fn into_inner(mut self) -> io::Result<T> {
        self.deregister()?;
        Ok(self.io.take().expect("the object is here until `into_inner` takes it, with `self`"))
    }

    /// Tries `op` until it does something else than `WouldBlock`, and waits for `direction` in between.
    ///
    /// A success says nothing about what comes next: the next operation is tried at once. `place` is where
    /// the program asked for it, and is what a dump of the waiting task shows.
    ///
    /// # Errors
    /// What `op` returns, except `WouldBlock` and `Interrupted`; what the poller says when it is asked to
    /// watch the object; `BrokenPipe` once the reactor is closed.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has done nothing.
    pub fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        place: &'static Location<'static>,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll(cx, direction, place, &mut Anonymous, op, |_| false)
    }

    /// As [`poll_io`](Self::poll_io), for a read of up to `capacity` bytes.
    ///
    /// Where a short count proves that nothing is left (TCP, and a poller that reports hang-ups), the next
    /// read waits for an event instead of asking in vain. For `read` and `readv` only: a peek takes nothing.
    ///
    /// # Errors
    /// As [`poll_io`](Self::poll_io).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has done nothing.
    pub fn poll_read(
        &self,
        cx: &mut Context<'_>,
        place: &'static Location<'static>,
        capacity: usize,
        op: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let proves = T::SHORT_READ_DRAINS && self.registration.shared.registrar.traits().hangups;
        // Zero is the end of the stream, and stays readable.
        let drains = |count: &usize| proves && *count > 0 && *count < capacity;
        self.poll(cx, Direction::Read, place, &mut Anonymous, op, drains)
    }

    /// As [`poll_io`](Self::poll_io), for a write.
    ///
    /// # Errors
    /// As [`poll_io`](Self::poll_io).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has done nothing.
    pub fn poll_write<R>(
        &self,
        cx: &mut Context<'_>,
        place: &'static Location<'static>,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll(cx, Direction::Write, place, &mut Anonymous, op, |_| false)
    }

    /// Does `op` now, without waiting, and keeps the readiness true.
    ///
    /// # Errors
    /// What `op` returns; `WouldBlock` means that [`readable`](Self::readable) or
    /// [`writable`](Self::writable) will wait. `BrokenPipe` once the reactor is closed.
    pub fn try_io<R>(
        &self,
        direction: Direction,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let source = self.registration.source();
        let held = match source.consume(direction) {
            Consumed::Shut => return Err(shut_down()),
            Consumed::Ready { held } => held,
            // Unknown to the poller, nothing can have been said; and trying is always allowed.
            Consumed::Empty => false,
        };
        let restore = Restore { source, direction };
        let result = op(self.get_ref());
        if matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            std::mem::forget(restore);
            source.drained(direction, held);
        }
        result
    }

    /// Waits until reading may be tried.
    ///
    /// Asks the system each time, so that it is right however the object was used meanwhile.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has done nothing, and its waker is not woken any more.
    #[track_caller]
    pub fn readable(&self) -> Readable<'_, T> {
        Readable(Until::new(self, Direction::Read, Location::caller()))
    }

    /// Waits until writing may be tried.
    ///
    /// Asks the system each time, so that it is right however the object was used meanwhile.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has done nothing, and its waker is not woken any more.
    #[track_caller]
    pub fn writable(&self) -> Writable<'_, T> {
        Writable(Until::new(self, Direction::Write, Location::caller()))
    }

    fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        place: &'static Location<'static>,
        waiter: &mut impl Waiter,
        mut op: impl FnMut(&T) -> io::Result<R>,
        drains: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        ready!(coop::poll_proceed(cx));
        let source = self.registration.source();
        loop {
            match source.consume(direction) {
                Consumed::Shut => return Poll::Ready(Err(shut_down())),
                Consumed::Empty => {
                    self.register()?;
                    if waiter.wait(source, direction, cx) == Left::Retry {
                        continue;
                    }
                    self.arm()?;
                    let kind = match direction {
                        Direction::Read => WaitKind::Readable,
                        Direction::Write => WaitKind::Writable,
                    };
                    task_context::waiting(kind, std::ptr::from_ref(source).addr(), place);
                    coop::refund();
                    return Poll::Pending;
                }
                Consumed::Ready { held } => {
                    // Restores on every way out, an unwinding one included, but the two below.
                    let restore = Restore { source, direction };
                    match op(self.get_ref()) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            std::mem::forget(restore);
                            source.drained(direction, held);
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Ok(value) if drains(&value) => {
                            std::mem::forget(restore);
                            return Poll::Ready(Ok(value));
                        }
                        result => return Poll::Ready(result),
                    }
                }
            }
        }
    }

    /// Makes the source known to the poller, if it is not.
    fn register(&self) -> io::Result<()> {
        let source = self.registration.source();
        if source.registered.load(Ordering::Acquire) {
            return Ok(());
        }
        let _one = source.registering.lock();
        if source.registered.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.registration.shared.registrar.add(self.get_ref().as_fd(), self.registration.key)?;
        source.registered.store(true, Ordering::Release);
        Ok(())
    }

    /// Declares what is waited for, where an event disarms the source.
    fn arm(&self) -> io::Result<()> {
        let registrar = &self.registration.shared.registrar;
        if !registrar.traits().oneshot {
            return Ok(());
        }
        let source = self.registration.source();
        // Under the lock: of two waits, the one that sees both directions is to be the last word.
        let _one = source.registering.lock();
        let [read, write] = source.waited_for();
        registrar.arm(self.get_ref().as_fd(), self.registration.key, read, write)
    }

    fn deregister(&mut self) -> io::Result<()> {
        let source = self.registration.source();
        if self.io.is_none() || !source.registered.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        self.registration.shared.registrar.delete(self.get_ref().as_fd())
    }
}

impl<T: Source> Drop for Async<T> {
    fn drop(&mut self) {
        // Nobody is left to be told, and the descriptor is about to be closed, which ends it as well.
        let _ = self.deregister();
    }
}

impl<T: Source + fmt::Debug> fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Async").field(self.get_ref()).finish()
    }
}

/// Gives consumed readiness back when dropped.
struct Restore<'a> {
    source: &'a Readiness,
    direction: Direction,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        self.source.restore(self.direction);
    }
}

/// How a waker is left.
trait Waiter {
    fn wait(&mut self, source: &Readiness, direction: Direction, cx: &Context<'_>) -> Left;
}

/// A poll function: its waker is all that is known of it.
struct Anonymous;

impl Waiter for Anonymous {
    fn wait(&mut self, source: &Readiness, direction: Direction, cx: &Context<'_>) -> Left {
        source.wait(direction, cx.waker())
    }
}

/// A future, which replaces its own waker and takes it back.
#[derive(Default)]
struct Keyed(u64);

impl Waiter for Keyed {
    fn wait(&mut self, source: &Readiness, direction: Direction, cx: &Context<'_>) -> Left {
        source.wait_as(direction, &mut self.0, cx.waker())
    }
}

struct Until<'a, T: Source> {
    io: &'a Async<T>,
    direction: Direction,
    place: &'static Location<'static>,
    key: Keyed,
}

impl<'a, T: Source> Until<'a, T> {
    fn new(io: &'a Async<T>, direction: Direction, place: &'static Location<'static>) -> Self {
        Self { io, direction, place, key: Keyed::default() }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, direction, place, key } = self;
        io.poll(cx, *direction, place, key, |io| is_ready(io, *direction), |()| false)
    }
}

impl<T: Source> Drop for Until<'_, T> {
    fn drop(&mut self) {
        if self.key.0 != 0 {
            self.io.registration.source().forget(self.direction, self.key.0);
        }
    }
}

/// Waits until reading may be tried; made by [`Async::readable`].
#[must_use = "a future does nothing until it is awaited"]
pub struct Readable<'a, T: Source>(Until<'a, T>);

/// Waits until writing may be tried; made by [`Async::writable`].
#[must_use = "a future does nothing until it is awaited"]
pub struct Writable<'a, T: Source>(Until<'a, T>);

impl<T: Source> Future for Readable<'_, T> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll(cx)
    }
}

impl<T: Source> Future for Writable<'_, T> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll(cx)
    }
}

impl<T: Source> fmt::Debug for Readable<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readable").field("place", &self.0.place).finish_non_exhaustive()
    }
}

impl<T: Source> fmt::Debug for Writable<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writable").field("place", &self.0.place).finish_non_exhaustive()
    }
}

fn no_registry(place: &Location<'_>) -> io::Error {
    io::Error::other(format!(
        "no registry on this thread: a source was made at {place}, outside a runtime; make it inside \
         `kasasagi::run(async {{ … }})` or a task, or call `Registry::enter` on this thread first"
    ))
}
