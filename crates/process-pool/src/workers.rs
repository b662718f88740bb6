//! The set of workers: what a call does from the place in the line to the result.

use crate::child::{Silence, Worker};
use crate::codec;
use crate::error::{BrokenProcessPool, JobError, JobPanic};
use crate::frame::{Kind, LONGEST, LONGEST_TEXT};
use crate::launch::{HangUp, Launched, Plan, launch};
use crate::orphans::Orphans;
use crate::request::{Plain, Request};
use crate::slots::{Lease, Slots, Tenant};
use kasasagi_blocking::Pool;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a set of workers is like.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The most worker processes. Default: as many as the machine runs threads at once.
    pub max_workers: usize,
    /// After how many jobs a worker is replaced; for functions that leak. Default: never.
    pub max_tasks_per_child: Option<u32>,
    /// The longest argument and result, in bytes of their encoding. Default: 1 GiB. 4 GiB at most.
    pub max_message: usize,
    /// What to start instead of the running program. It must be of the same build. Default: the program.
    pub executable: Option<PathBuf>,
    /// How long a process may take from its start until it is a worker. Default: 30 s.
    pub start_timeout: Duration,
    /// What each worker calls before its first job, or why it cannot. Default: nothing.
    pub initializer: Option<Result<Request<()>, String>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_workers: std::thread::available_parallelism().map_or(1, usize::from),
            max_tasks_per_child: None,
            max_message: 1 << 30,
            executable: None,
            // Four orders of magnitude above what it takes on an idle machine.
            start_timeout: Duration::from_secs(30),
            initializer: None,
        }
    }
}

/// Worker processes: started when they are needed, kept for the next job, replaced when they break. A handle, cheap to
/// clone.
///
/// Dropping the last handle takes no further jobs: those that were handed in are done, and then the workers leave.
pub struct Workers {
    owner: Arc<Owner>,
}

/// What the handles share; jobs hold the rest alone, so that the last handle is noticed.
struct Owner {
    shared: Arc<Shared>,
}

struct Shared {
    slots: Arc<Slots<Tasked>>,
    orphans: Arc<Orphans>,
    config: Config,
}

/// A worker and how many jobs it may have.
struct Tasked {
    worker: Worker,
    max_tasks: u32,
}

impl Tenant for Tasked {
    fn may_stay(&self) -> bool {
        self.worker.calls < self.max_tasks
    }

    fn leave(self) {
        self.worker.retire();
    }
}

/// What came of a question.
enum Asked<R> {
    /// The worker has answered, and lives.
    Answered(Result<R, JobError>),
    /// It has ended.
    Broken { broken: BrokenProcessPool, has_begun: bool },
}

/// How many workers a job may have that end before they have read it.
const ATTEMPTS: u32 = 3;

/// Why there is no worker.
enum NotStarted {
    /// The system refuses; another worker may come free.
    System(io::Error, Lease<Tasked>),
    /// There is no thread to start it on.
    Nowhere(io::Error),
    /// The initializer fails, and would again.
    Initializer(JobError),
}

impl Workers {
    /// Workers like that. None is started yet.
    pub fn new(mut config: Config) -> Self {
        config.max_message = config.max_message.min(LONGEST);
        let slots = Slots::new(config.max_workers);
        Self {
            owner: Arc::new(Owner {
                shared: Arc::new(Shared { slots, orphans: Orphans::new(), config }),
            }),
        }
    }

    /// Puts function and argument into a form that can be sent.
    ///
    /// # Errors
    /// [`JobError::Argument`] if the argument cannot be encoded, is too long, or the function belongs to a shared
    /// library.
    pub fn request<F, A, R>(&self, function: F, argument: &A) -> Result<Request<R>, JobError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        let limit = self.owner.shared.config.max_message;
        Request::new(function, argument, limit).map_err(JobError::Argument)
    }

    /// Has a worker do it: the place in the line is taken by this call, the rest is done by who polls.
    ///
    /// # Errors
    /// See [`JobError`].
    ///
    /// # Cancel safety
    /// Dropped before its turn it has done nothing. Dropped later it kills the worker, which is replaced.
    #[track_caller]
    pub fn call<R>(
        &self,
        request: Request<R>,
    ) -> impl Future<Output = Result<R, JobError>> + Send + use<R>
    where
        R: DeserializeOwned,
    {
        self.call_at(request, Location::caller())
    }

    /// As [`call`](Self::call), for a caller that stands elsewhere.
    pub fn call_at<R>(
        &self,
        request: Request<R>,
        place: &'static Location<'static>,
    ) -> impl Future<Output = Result<R, JobError>> + Send + use<R>
    where
        R: DeserializeOwned,
    {
        let shared = Arc::clone(&self.owner.shared);
        let turn = shared.slots.take();
        async move {
            let mut lease =
                turn.map_err(|_| JobError::Closed)?.wait().await.map_err(|_| JobError::Closed)?;
            let mut attempts = ATTEMPTS;
            loop {
                lease = shared.ready(lease, place).await?;
                attempts -= 1;
                match shared.ask(&mut lease, &request.plain, place).await {
                    Asked::Answered(result) => return result,
                    // The worker was ended before it had read the job, which so is not lost with it.
                    Asked::Broken { has_begun: false, .. } if attempts > 0 => {}
                    Asked::Broken { broken, .. } => return Err(JobError::Broken(broken)),
                }
            }
        }
    }

    /// Takes no further jobs, and waits until those that run, and their workers, have ended.
    ///
    /// Jobs that wait for a worker are done first, or refused with [`JobError::Closed`] if `cancel_pending`.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, the pool is closed all the same, and it may be called again.
    pub async fn shutdown(&self, cancel_pending: bool) {
        self.close(cancel_pending);
        self.owner.shared.slots.emptied().await;
        self.owner.shared.orphans.settled().await;
    }

    /// As [`shutdown`](Self::shutdown), and waits for nothing.
    pub fn close(&self, cancel_pending: bool) {
        self.owner.shared.slots.close(cancel_pending);
    }

    /// Worker processes, those on their way included.
    pub fn processes(&self) -> usize {
        let (idle, lent, _) = self.owner.shared.slots.counts();
        idle + lent
    }
}

impl Shared {
    /// A lease with a worker that waits for a job.
    async fn ready(
        &self,
        mut lease: Lease<Tasked>,
        place: &'static Location<'static>,
    ) -> Result<Lease<Tasked>, JobError> {
        loop {
            if lease.tenant.as_mut().is_some_and(|tenant| tenant.worker.is_ready()) {
                return Ok(lease);
            }
            // It ended while it was idle: that is nobody's job.
            drop(lease.tenant.take());
            match self.start(lease, place).await {
                Ok(lease) => return Ok(lease),
                Err(NotStarted::Initializer(error)) => {
                    return Err(JobError::Initializer(Box::new(error)));
                }
                Err(NotStarted::Nowhere(error)) => return Err(JobError::Start(error)),
                Err(NotStarted::System(error, without)) => match without.wait_for_another() {
                    Ok(turn) => lease = turn.wait().await.map_err(|_| JobError::Closed)?,
                    Err(_) => return Err(JobError::Start(error)),
                },
            }
        }
    }

    /// Puts a new worker into the lease.
    async fn start(
        &self,
        lease: Lease<Tasked>,
        place: &'static Location<'static>,
    ) -> Result<Lease<Tasked>, NotStarted> {
        let initializer = self.config.initializer.as_ref();
        let initializer = initializer.map(Result::as_ref).transpose();
        let initializer =
            initializer.map_err(|why| NotStarted::Initializer(JobError::Argument(why.clone())))?;
        let (launched, mut lease) = self.launch(lease).await?;
        let mut worker = match launched.and_then(Worker::adopt) {
            Ok(worker) => worker,
            Err(error) => return Err(NotStarted::System(error, lease)),
        };
        if let Some(Request { plain, .. }) = initializer {
            worker = match self.exchange(worker, plain, place).await {
                (Some(worker), Asked::Answered(Ok(()))) => worker,
                (_, Asked::Answered(result)) => {
                    let failed = result.err().unwrap_or(JobError::Closed);
                    return Err(NotStarted::Initializer(failed));
                }
                (_, Asked::Broken { broken, .. }) => {
                    return Err(NotStarted::Initializer(JobError::Broken(broken)));
                }
            };
        }
        let max_tasks = self.config.max_tasks_per_child.unwrap_or(u32::MAX).max(1);
        lease.tenant = Some(Tasked { worker, max_tasks });
        Ok(lease)
    }

    /// Starts a process on a thread of the pool, which has the lease meanwhile: if nobody waits for it any more, the process
    /// is ended before the slot is anybody else's, and before a shutdown is over.
    async fn launch(
        &self,
        lease: Lease<Tasked>,
    ) -> Result<(io::Result<Launched>, Lease<Tasked>), NotStarted> {
        let Some(pool) = Pool::current() else {
            return Err(NotStarted::Nowhere(io::Error::other(
                "no runtime runs on this thread: await the job inside `kasasagi::run(async { … })`",
            )));
        };
        let (ours, theirs) = match UnixStream::pair() {
            Ok((ours, theirs)) => (Arc::new(ours), theirs),
            Err(error) => return Ok((Err(error), lease)),
        };
        let unless_dropped = HangUp::on(&ours);
        let plan = Plan {
            program: self.config.executable.clone(),
            max_message: self.config.max_message,
            patience: self.config.start_timeout,
        };
        let orphans = Arc::clone(&self.orphans);
        let started = pool.unblock(move || (launch(plan, (ours, theirs), orphans), lease)).await;
        unless_dropped.heard();
        started.map_err(|error| NotStarted::Nowhere(io::Error::other(error)))
    }

    /// Has the leased worker do it. An answer leaves it in the lease; else it has ended.
    async fn ask<R: DeserializeOwned>(
        &self,
        lease: &mut Lease<Tasked>,
        request: &Plain,
        place: &'static Location<'static>,
    ) -> Asked<R> {
        let Some(Tasked { mut worker, max_tasks }) = lease.tenant.take() else {
            return Asked::Answered(Err(JobError::Closed));
        };
        // While it is here and not in the lease, a drop kills it.
        worker.calls = worker.calls.saturating_add(1);
        let (worker, asked) = self.exchange(worker, request, place).await;
        lease.tenant = worker.map(|worker| Tasked { worker, max_tasks });
        asked
    }

    /// Asks and decodes. The worker comes back if it has answered.
    async fn exchange<R: DeserializeOwned>(
        &self,
        mut worker: Worker,
        request: &Plain,
        place: &'static Location<'static>,
    ) -> (Option<Worker>, Asked<R>) {
        // What a worker says of an error is no result, and has its room however small those are.
        let limit = self.config.max_message.max(LONGEST_TEXT);
        let asked = worker.ask(request.distance, &request.argument, limit, place).await;
        let (has_begun, noticed) = match asked {
            Ok(kind) => {
                let result = read(kind, worker.payload());
                worker.clear();
                return (Some(worker), Asked::Answered(result));
            }
            Err(Silence::End) => (true, None),
            Err(Silence::Unread) => (false, None),
            Err(Silence::Garbage(what)) => (true, Some(what)),
            Err(Silence::System(error)) => (true, Some(error.to_string())),
        };
        let pid = worker.pid();
        let status = worker.end(place).await;
        let broken = BrokenProcessPool { job: request.name, pid, status, noticed };
        (None, Asked::Broken { broken, has_begun })
    }
}

/// What the answer says.
fn read<R: DeserializeOwned>(kind: Kind, payload: &[u8]) -> Result<R, JobError> {
    let text = || String::from_utf8_lossy(payload).into_owned();
    match kind {
        Kind::Done => codec::decode(payload).map_err(JobError::Output),
        Kind::Panicked => match codec::decode(payload) {
            Ok((message, place)) => Err(JobError::Panicked(JobPanic { message, place })),
            Err(why) => Err(JobError::Output(why)),
        },
        Kind::BadArgument => Err(JobError::Argument(text())),
        _ => Err(JobError::Output(text())),
    }
}

impl Clone for Workers {
    fn clone(&self) -> Self {
        Self { owner: Arc::clone(&self.owner) }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.slots.close(false);
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("slots", &self.owner.shared.slots).finish_non_exhaustive()
    }
}
