//! One worker, as its parent has it: asked without blocking, one job at a time.

use crate::entry::image;
use crate::frame::{Header, Kind};
use crate::launch::Launched;
use crate::leaving::Leaving;
use crate::orphans::Orphans;
use crate::sys;
use crate::transport::{Incoming, Outgoing, Step};
use kasasagi_blocking::Pool;
use kasasagi_reactor::{Async, Direction};
use rustix::fd::OwnedFd;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::unix::net::UnixStream;
use std::panic::Location;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Reads or writes of one poll: some megabytes, as large as the buffers of sockets are.
const ROUNDS: u32 = 8;

/// A worker process. Dropped, it is killed.
pub(crate) struct Worker {
    // Each is `None` only while it is moved, or once the process has ended.
    child: Option<Child>,
    socket: Option<Async<UnixStream>>,
    life: Option<Async<OwnedFd>>,
    incoming: Incoming,
    orphans: Arc<Orphans>,
    /// Jobs that it was given, the initializer not counted.
    pub(crate) calls: u32,
}

/// Why there was no answer.
#[derive(Debug)]
pub(crate) enum Silence {
    /// The stream has ended, or the process.
    End,
    /// It has ended and never read the whole question: the job has not begun.
    Unread,
    /// What came is no frame, or not an answer.
    Garbage(String),
    /// The reactor is closed, or refuses.
    System(io::Error),
}

impl Worker {
    /// Watches it with the reactor of this thread.
    pub(crate) fn adopt(mut launched: Launched) -> io::Result<Self> {
        let socket =
            launched.socket.take().and_then(Arc::into_inner).map(Async::new).transpose()?;
        let life = launched.life.take();
        let life = life.map(|life| Async::with_readiness(life, false, false)).transpose()?;
        Ok(Self {
            child: launched.child.take(),
            socket,
            life,
            incoming: Incoming::default(),
            orphans: Arc::clone(&launched.orphans),
            calls: 0,
        })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Gets it ready for a job on this thread; `false` if it has ended while it was idle.
    pub(crate) fn is_ready(&mut self) -> bool {
        if self.socket.as_ref().is_some_and(|socket| !socket.is_current()) {
            // It waits in the reactor of another runtime, which may have ended.
            let socket = self.socket.take().and_then(|socket| socket.into_inner().ok());
            self.socket = socket.and_then(|socket| Async::new(socket).ok());
            let life = self.life.take().and_then(|life| life.into_inner().ok());
            self.life = life.and_then(|life| Async::with_readiness(life, false, false).ok());
        }
        let Some(socket) = &self.socket else { return false };
        let mut byte = [0];
        let heard =
            socket.try_io(Direction::Read, |mut socket| io::Read::read(&mut socket, &mut byte));
        // The end, or a word that nobody asked for, is no silence.
        let is_silent = matches!(heard, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        // Something that a job has started may hold the stream open.
        is_silent && self.life.as_ref().is_none_or(|life| sys::has_ended(life.get_ref()).is_err())
    }

    /// Has it call the function at `distance`; the payload of the answer is in [`payload`](Self::payload).
    pub(crate) async fn ask(
        &mut self,
        distance: i64,
        argument: &[u8],
        limit: usize,
        place: &'static Location<'static>,
    ) -> Result<Kind, Silence> {
        let build = image().build;
        self.incoming.clear();
        let header = Header { distance, ..Header::new(Kind::Job, self.calls) };
        let mut outgoing = Outgoing::new(header, argument, build);
        poll_fn(|cx| self.poll_send(cx, &mut outgoing, place)).await?;
        let answer = self.answer(build, limit, place).await?;
        let is_answer = matches!(
            answer.kind,
            Kind::Done | Kind::Panicked | Kind::BadArgument | Kind::BadResult
        );
        if !is_answer || answer.call != self.calls {
            return Err(Silence::Garbage("a frame that is no answer".into()));
        }
        Ok(answer.kind)
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        outgoing: &mut Outgoing<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<(), Silence>> {
        let Some(socket) = &self.socket else { return Poll::Ready(Err(Silence::End)) };
        for round in 0.. {
            if round == ROUNDS {
                // Others have their turn between the pieces of a large frame.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match socket.poll_write(cx, place, |socket| outgoing.send(socket)) {
                Poll::Ready(Ok(true)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(false)) => {}
                Poll::Ready(Err(error)) => {
                    // The frame is not whole, so nobody has begun with it.
                    return Poll::Ready(Err(match heard_nothing(error) {
                        Silence::End => Silence::Unread,
                        other => other,
                    }));
                }
                Poll::Pending => break,
            }
        }
        // Something else may hold the stream open, and nobody will read it any more.
        let ended = self.life.as_ref().is_some_and(|life| {
            life.poll_io(cx, Direction::Read, place, sys::has_ended).is_ready()
        });
        if ended { Poll::Ready(Err(Silence::Unread)) } else { Poll::Pending }
    }

    async fn answer(
        &mut self,
        build: u64,
        limit: usize,
        place: &'static Location<'static>,
    ) -> Result<Header, Silence> {
        let Some(socket) = &self.socket else { return Err(Silence::End) };
        let (life, incoming) = (self.life.as_ref(), &mut self.incoming);
        poll_fn(|cx| {
            // Looked at first: what it wrote before it ended is there then. And so a dump shows the socket.
            let has_ended = life.is_some_and(|life| {
                life.poll_io(cx, Direction::Read, place, sys::has_ended).is_ready()
            });
            for round in 0.. {
                if round == ROUNDS {
                    cx.waker().wake_by_ref();
                    break;
                }
                let mut read = |socket: &UnixStream| incoming.read(socket, build, limit);
                let step = if has_ended {
                    // Something else may hold the stream open, and nobody will write to it any more.
                    match socket.try_io(Direction::Read, read) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Step::End),
                        step => step,
                    }
                } else {
                    ready!(socket.poll_io(cx, Direction::Read, place, &mut read))
                };
                match step {
                    Ok(Step::Frame(header)) => return Poll::Ready(Ok(header)),
                    Ok(Step::Part) => {}
                    Ok(Step::End) => return Poll::Ready(Err(Silence::End)),
                    Err(error) => return Poll::Ready(Err(heard_nothing(error))),
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The payload of the last answer.
    pub(crate) fn payload(&self) -> &[u8] {
        self.incoming.payload()
    }

    /// Forgets the answer.
    pub(crate) fn clear(&mut self) {
        self.incoming.clear();
    }

    /// Kills it, waits for its end, and says how it ended; by itself, if it had ended before.
    pub(crate) async fn end(mut self, place: &'static Location<'static>) -> Option<ExitStatus> {
        self.kill();
        if let Some(life) = &self.life {
            // An error: the reactor is closed. Somebody will wait for it.
            let ended =
                poll_fn(|cx| life.poll_io(cx, Direction::Read, place, sys::has_ended)).await;
            return ended.ok().and_then(|()| self.child.take()?.try_wait().ok()?);
        }
        let pool = Pool::current()?;
        let mut dying = Dying { child: self.child.take(), orphans: Arc::clone(&self.orphans) };
        pool.unblock(move || dying.child.take()?.wait().ok()).await.ok().flatten()
    }

    /// Tells it to leave, when it has nothing to do. It does so by itself, or is killed.
    pub(crate) fn retire(mut self) {
        let (Some(socket), Some(child)) = (&self.socket, self.child.take()) else { return };
        let mut bye = Outgoing::new(Header::new(Kind::Bye, 0), b"", image().build);
        // Should it not fit, the end of the stream says the same.
        let _ = socket.try_io(Direction::Write, |socket| bye.send(socket));
        drop(self.socket.take());
        let life = self.life.take().and_then(|life| life.into_inner().ok());
        self.orphans.take(Leaving::told(child, life));
    }

    fn kill(&mut self) {
        let Some(child) = &mut self.child else { return };
        // An error: it has ended. By the descriptor where there is one: the number may be another's by now, if the
        // program has its children waited for by the system.
        let _ = match &self.life {
            Some(life) => sys::kill(life.get_ref()),
            None => child.kill(),
        };
    }
}

/// A process that was killed, on its way to a thread that waits for it. Should that never come, it is an orphan.
struct Dying {
    child: Option<Child>,
    orphans: Arc<Orphans>,
}

impl Drop for Dying {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            self.orphans.take(Leaving::killed(child));
        }
    }
}

fn heard_nothing(error: io::Error) -> Silence {
    match error.kind() {
        io::ErrorKind::InvalidData => Silence::Garbage(error.to_string()),
        // What Linux says of a stream whose other end was closed over bytes that nobody had read.
        io::ErrorKind::ConnectionReset if cfg!(target_os = "linux") => Silence::Unread,
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Silence::End,
        _ => Silence::System(error),
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
        if let Some(child) = self.child.take() {
            self.orphans.take(Leaving::killed(child));
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("pid", &self.pid()).field("calls", &self.calls).finish()
    }
}
