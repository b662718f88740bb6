//! Starts a worker process and hears its first word. It blocks, so it runs on a thread of the blocking pool.

use crate::entry::{image, is_privileged};
use crate::frame::Kind;
use crate::orphans::Orphans;
use crate::sys;
use crate::transport::Incoming;
use crate::worker::{VARIABLE, invitation};
use rustix::fd::OwnedFd;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// How long a worker may take to say hello: four orders of magnitude above what it takes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A worker that said hello. Dropped, it is killed.
pub(crate) struct Launched {
    pub(crate) child: Option<Child>,
    /// `None` once it was taken.
    pub(crate) socket: Option<UnixStream>,
    /// Becomes readable when the process ends, where there is such a thing.
    pub(crate) life: Option<OwnedFd>,
    pub(crate) orphans: Arc<Orphans>,
}

impl Drop for Launched {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error: it has ended.
            let _ = child.kill();
            self.orphans.take(child);
        }
    }
}

/// Starts one.
///
/// # Errors
/// The system's; `TimedOut`, `InvalidData` or `Unsupported` with a text if what was started is no worker of this build.
pub(crate) fn launch(
    program: Option<PathBuf>,
    max_message: usize,
    orphans: Arc<Orphans>,
) -> io::Result<Launched> {
    orphans.sweep();
    if !image().is_program {
        return Err(io::Error::new(
            ErrorKind::Unsupported,
            "kasasagi is part of a shared library here, and a worker is started from a program: use a pool of threads",
        ));
    }
    if is_privileged() {
        return Err(io::Error::new(
            ErrorKind::Unsupported,
            "this program has rights of its file (setuid, capabilities), and as such starts no workers",
        ));
    }
    let (socket, theirs) = UnixStream::pair()?;
    let theirs = OwnedFd::from(theirs);
    let invited = invitation(&theirs, max_message)?;
    let program = program.map_or_else(sys::executable, Ok)?;
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
    launched.greet(&socket)?;
    launched.socket = Some(socket);
    Ok(launched)
}

impl Launched {
    /// Waits for the hello.
    fn greet(&mut self, socket: &UnixStream) -> io::Result<()> {
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut incoming = Incoming::default();
        let heard = incoming.read_all(socket, image().build, 4096);
        match heard {
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
                    PATIENCE.as_secs()
                ),
            )),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(stranger(
                "it is not of this build: the executable was replaced since this program was started, or is another",
            )),
            Err(error) => Err(error),
        }
    }

    /// Ends it, and tells how it ended.
    fn end(&mut self) -> String {
        let status = self.child.take().and_then(|mut child| {
            let _ = child.kill();
            child.wait().ok()
        });
        let status = status.map_or_else(String::new, |status| format!(" ({status})"));
        format!(
            "it ended before it said hello{status}; let `main` call `process_pool::init()` first"
        )
    }
}

fn stranger(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("what was started is no worker: {why}"))
}
