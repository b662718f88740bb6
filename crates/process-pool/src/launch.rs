//! Starts a worker process and hears its first word. It blocks, so it runs on a thread of the blocking pool; who waits for
//! it and goes hangs up.

use crate::entry::{image, is_privileged};
use crate::frame::{Header, Kind};
use crate::leaving::Leaving;
use crate::orphans::Orphans;
use crate::sys;
use crate::transport::{Incoming, Step};
use crate::worker::{VARIABLE, invitation};
use rustix::fd::OwnedFd;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is started, and how.
pub(crate) struct Plan {
    /// Instead of the running program.
    pub(crate) program: Option<PathBuf>,
    pub(crate) max_message: usize,
    /// How long it may take to say hello.
    pub(crate) patience: Duration,
}

/// The parent's end of a socket, while the other end's first word is waited for. Dropped, it ends that wait.
pub(crate) struct HangUp(Option<Arc<UnixStream>>);

impl HangUp {
    pub(crate) fn on(socket: &Arc<UnixStream>) -> Self {
        Self(Some(Arc::clone(socket)))
    }

    /// The word has come, or never will.
    pub(crate) fn heard(mut self) {
        self.0 = None;
    }
}

impl Drop for HangUp {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            // An error: the other end has hung up itself.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// A worker that said hello. Dropped, it is killed.
pub(crate) struct Launched {
    pub(crate) child: Option<Child>,
    /// `None` until it has said hello, and once it was taken.
    pub(crate) socket: Option<Arc<UnixStream>>,
    /// Becomes readable when the process ends, where there is such a thing.
    pub(crate) life: Option<OwnedFd>,
    pub(crate) orphans: Arc<Orphans>,
}

impl Drop for Launched {
    fn drop(&mut self) {
        self.kill();
        if let Some(child) = self.child.take() {
            self.orphans.take(Leaving::killed(child));
        }
    }
}

/// Starts one, which gets the socket `theirs`.
///
/// # Errors
/// The system's; `TimedOut`, `InvalidData` or `Unsupported` with a text if what was started is no worker of this build.
pub(crate) fn launch(
    plan: Plan,
    (ours, theirs): (Arc<UnixStream>, UnixStream),
    orphans: Arc<Orphans>,
) -> io::Result<Launched> {
    orphans.sweep();
    if !image().is_program {
        return Err(io::Error::new(
            ErrorKind::Unsupported,
            "kasasagi is part of a shared library here, and a worker is started from a program: use a pool of threads",
        ));
    }
    if !image().has_identity {
        return Err(io::Error::new(
            ErrorKind::Unsupported,
            "it is not known which file this program is of, so no worker could be known to be of the same: use a pool of threads",
        ));
    }
    if is_privileged() {
        return Err(io::Error::new(
            ErrorKind::Unsupported,
            "this program has rights of its file (setuid, capabilities), and as such starts no workers",
        ));
    }
    let theirs = OwnedFd::from(theirs);
    let invited = invitation(&theirs, plan.max_message)?;
    let program = plan.program.map_or_else(sys::executable, Ok)?;
    let mut command = Command::new(program);
    if let Some(name) = std::env::args_os().next() {
        command.arg0(name);
    }
    command.env(VARIABLE, invited).stdin(Stdio::from(theirs)).process_group(0);
    let child = command.spawn()?;
    // It holds the other end of the socket.
    drop(command);
    let life = sys::life_of(&child);
    let mut launched = Launched { child: Some(child), socket: None, life, orphans };
    launched.greet(&ours, plan.patience)?;
    launched.socket = Some(ours);
    Ok(launched)
}

impl Launched {
    /// Waits for the hello.
    fn greet(&mut self, socket: &UnixStream, patience: Duration) -> io::Result<()> {
        let mut incoming = Incoming::default();
        match first_word(socket, &mut incoming, patience) {
            Ok(Some(header)) if header.kind == Kind::Hello && header.length == 0 => Ok(()),
            Ok(Some(header)) if header.kind == Kind::Unfit => {
                Err(io::Error::other(String::from_utf8_lossy(incoming.payload()).into_owned()))
            }
            Ok(Some(_)) => Err(stranger("its first word is no hello")),
            Ok(None) => Err(stranger(&self.end())),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(io::Error::new(
                ErrorKind::TimedOut,
                format!(
                    "the worker did not say hello within {} s: let `main` call `process_pool::init()` first",
                    patience.as_secs_f32()
                ),
            )),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(stranger(
                "it is not of this build: the executable was replaced since this program was started, or is another",
            )),
            Err(error) => Err(error),
        }
    }

    fn kill(&mut self) {
        let Some(child) = &mut self.child else { return };
        // An error: it has ended. By the descriptor where there is one, as in `Worker::kill`.
        let _ = match &self.life {
            Some(life) => sys::kill(life),
            None => child.kill(),
        };
    }

    /// Ends it, and tells how it ended.
    fn end(&mut self) -> String {
        self.kill();
        let status = self.child.take().and_then(|mut child| child.wait().ok());
        let status = status.map_or_else(String::new, |status| format!(" ({status})"));
        format!(
            "it ended before it said hello{status}; let `main` call `process_pool::init()` first"
        )
    }
}

/// The first frame, if it comes within that time.
#[expect(
    clippy::disallowed_methods,
    reason = "a process is waited for, and no test's clock hurries it"
)]
fn first_word(
    socket: &UnixStream,
    incoming: &mut Incoming,
    patience: Duration,
) -> io::Result<Option<Header>> {
    let start = Instant::now();
    loop {
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(ErrorKind::WouldBlock.into());
        }
        socket.set_read_timeout(Some(left))?;
        match incoming.read(socket, image().build, 4096) {
            Ok(Step::Frame(header)) => return Ok(Some(header)),
            Ok(Step::End) => return Ok(None),
            Ok(Step::Part) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn stranger(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("what was started is no worker: {why}"))
}
