//! The worker's side: whether this process is one, and what it does then.
//!
//! It reads a job, calls the function, answers, and reads on, on the thread that the process began with. Beside it a
//! thread, the lifeline, waits for the parent to go.

pub(crate) mod lifeline;
mod panics;

use crate::codec::{self, Answer};
use crate::entry::{Function, ignore_sigpipe, image, is_privileged};
use crate::frame::{Header, Kind, LONGEST_TEXT};
use crate::transport::{Incoming, Outgoing};
use lifeline::Lifeline;
use rustix::fd::{AsFd, OwnedFd};
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;
use std::sync::Once;

/// Names the socket that makes a process a worker, and how long an answer may be. Another version of this crate in the
/// same program has another name for it.
pub(crate) const VARIABLE: &str = concat!(
    "KASASAGI_WORKER_",
    env!("CARGO_PKG_VERSION_MAJOR"),
    "_",
    env!("CARGO_PKG_VERSION_MINOR"),
    "_",
    env!("CARGO_PKG_VERSION_PATCH")
);

/// What the worker exits with when its parent speaks something else.
const PROTOCOL: i32 = 76;

/// What the variable of a worker says.
pub(crate) fn invitation(socket: &OwnedFd, limit: usize) -> io::Result<OsString> {
    Ok(format!("{}{limit}", address(socket)?).into())
}

/// Which socket that is: no two have it at the same time.
fn address(socket: impl AsFd) -> io::Result<String> {
    let stat = rustix::fs::fstat(socket)?;
    Ok(format!("{}:{}:", stat.st_dev, stat.st_ino))
}

/// Becomes a worker, and does not return, if a pool of this very program has started the process as one; else returns
/// at once.
///
/// For a `main` that does something before it calls `run`, on systems where a worker is not entered before `main`:
/// everywhere but on Linux, Android, the BSDs, and Apple's systems. Elsewhere it is not needed and does no harm.
///
/// # Examples
/// ```
/// kasasagi_process_pool::init();
/// println!("this is not said by a worker");
/// ```
///
/// Counterpart: `multiprocessing.freeze_support`, and `if __name__ == "__main__":`.
pub fn init() {
    enter(|| {});
}

/// As [`init`]; a worker does `prepare` before it takes jobs.
pub(crate) fn enter(prepare: impl FnOnce()) {
    static ENTERED: Once = Once::new();
    // A job may run a runtime of its own, which looks here again.
    if ENTERED.is_completed() {
        return;
    }
    if let Some(limit) = std::env::var_os(VARIABLE).and_then(|said| invited(&said)) {
        ENTERED.call_once(|| {});
        serve(limit, prepare);
    }
}

/// How long an answer may be, if standard input is the socket that was said. A program with more rights than who started
/// it takes no jobs from them.
fn invited(said: &OsStr) -> Option<usize> {
    if is_privileged() {
        return None;
    }
    let address = address(rustix::stdio::stdin()).ok()?;
    let limit = said.to_str()?.strip_prefix(&address)?.parse().ok()?;
    // Of a shared library with a pool of its own, this is not the copy that the parent has found functions in.
    image().is_program.then_some(limit)
}

/// Works until the parent says goodbye or is gone.
fn serve(limit: usize, prepare: impl FnOnce()) -> ! {
    ignore_sigpipe();
    let build = image().build;
    let Ok(socket) = take_socket() else { exit(PROTOCOL) };
    // No thread runs yet, as foreign code before `main` may expect.
    prepare();
    let socket = std::sync::Arc::new(socket);
    let lifeline = match Lifeline::start(&socket) {
        Ok(lifeline) => lifeline,
        Err(error) => {
            let why = format!("the worker has no thread that watches its parent: {error}");
            let frame = Outgoing::new(Header::new(Kind::Unfit, 0), why.as_bytes(), build);
            let _ = frame.send_all(&socket);
            exit(PROTOCOL);
        }
    };
    panics::remember();
    let hello = Outgoing::new(Header::new(Kind::Hello, 0), b"", build);
    if hello.send_all(&socket).is_err() {
        exit(0);
    }
    let mut worker = Worker { limit, reply: Vec::new() };
    let mut incoming = Incoming::default();
    loop {
        let header = match incoming.read_all(&socket, build, usize::MAX) {
            Ok(Some(header)) => header,
            // The parent is gone, or has closed the pool.
            Ok(None) => exit(0),
            Err(_) => exit(PROTOCOL),
        };
        match header.kind {
            Kind::Job => {}
            Kind::Bye => exit(0),
            _ => exit(PROTOCOL),
        }
        let busy = lifeline.busy();
        let kind = worker.work(header, incoming.payload());
        drop(busy);
        incoming.clear();
        let frame = Outgoing::new(Header::new(kind, header.call), &worker.reply, build);
        if frame.send_all(&socket).is_err() {
            exit(0);
        }
        worker.reply.clear();
        worker.reply.shrink_to(1 << 20);
    }
}

/// The socket, away from where a job would look for its input. That is empty from now on.
fn take_socket() -> io::Result<OwnedFd> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let empty = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&empty)?;
    Ok(socket)
}

struct Worker {
    limit: usize,
    reply: Vec<u8>,
}

impl Worker {
    /// Does one job; the payload of the answer is in `reply`.
    fn work(&mut self, header: Header, argument: &[u8]) -> Kind {
        let Some(function) = Function::at(header.distance) else {
            return self.say(Kind::BadArgument, "its function does not lie in this program");
        };
        let (reply, limit) = (&mut self.reply, self.limit);
        let called = || function.call(argument, reply, limit);
        let outcome = panics::noted(|| catch_unwind(AssertUnwindSafe(called)));
        // What it printed is seen before its result is.
        let _ = io::stdout().flush();
        match outcome {
            Ok(Answer::Done) => Kind::Done,
            Ok(Answer::BadArgument(why)) => self.say(Kind::BadArgument, &why),
            Ok(Answer::BadResult(why)) => self.say(Kind::BadResult, &why),
            Err(payload) => {
                let told = (panics::text_of(&*payload), panics::place());
                // Its drop is foreign code as well.
                if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                    std::mem::forget(second);
                }
                self.reply.clear();
                match codec::encode(&told, &mut self.reply, self.limit) {
                    Ok(()) => Kind::Panicked,
                    Err(_) => {
                        self.say(Kind::BadResult, "it panicked, with a text longer than a message")
                    }
                }
            }
        }
    }

    fn say(&mut self, kind: Kind, text: &str) -> Kind {
        self.reply.clear();
        let length = text.len().min(LONGEST_TEXT);
        self.reply.extend_from_slice(&text.as_bytes()[..length]);
        kind
    }
}
