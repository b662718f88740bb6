//! A server that echoes, clients that check what comes back, timers and tasks that come and go beside them.

use crate::measure::cpu;
use crate::outcome::{Outcome, Settings};
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use kasasagi::net::{TcpListener, TcpStream};
use kasasagi::time::{sleep, timeout};
use kasasagi::{FutureExt, Runtime, spawn, yield_now};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the server and those beside it report.
#[derive(Default)]
pub(crate) struct Notes {
    outcome: Mutex<Outcome>,
    ticks: AtomicU64,
}

impl Notes {
    pub(crate) fn with(&self, f: impl FnOnce(&mut Outcome)) {
        f(&mut self.outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    pub(crate) fn take(&self) -> Outcome {
        let mut outcome = Outcome::default();
        self.with(|inside| outcome = std::mem::take(inside));
        outcome.count("ticks", self.ticks.load(Ordering::Relaxed));
        outcome
    }
}

/// A read that ends when nothing came for `limit`.
pub(crate) async fn limited<T>(
    limit: Duration,
    what: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    timeout(limit, what).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn answer(stream: TcpStream, idle: Duration, notes: Arc<Notes>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match limited(idle, stream.read(&mut buffer)).await {
            Ok(0) => return,
            Ok(n) => {
                if let Err(error) = limited(idle, stream.write_all(&buffer[..n])).await {
                    return notes.with(|outcome| outcome.error("answer", &error));
                }
            }
            Err(error) => return notes.with(|outcome| outcome.error("serve", &error)),
        }
    }
}

/// Accepts for ever. An error of `accept` is counted, and the listener used on.
pub(crate) async fn serve(listener: TcpListener, idle: Duration, notes: Arc<Notes>) {
    let mut pauses = 0;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                drop(spawn(answer(stream, idle, Arc::clone(&notes)).named("answer")))
            }
            Err(error) => {
                notes.with(|outcome| outcome.error("accept", &error));
                sleep(Duration::from_millis(1)).await;
            }
        }
        let now = listener.pauses();
        notes.with(|outcome| outcome.count("pauses", now - pauses));
        pauses = now;
    }
}

/// What a client does.
#[derive(Clone, Copy)]
struct Plan {
    requests: u64,
    size: usize,
    tries: u64,
    limit: Duration,
    pause: Duration,
    fresh: bool,
}

async fn request(stream: &mut TcpStream, payload: &[u8]) -> io::Result<()> {
    // Both directions at once: a large request fills every buffer on its way before it is all written.
    let (mut reader, mut writer) = futures_util::io::AsyncReadExt::split(stream);
    let mut back = vec![0; payload.len()];
    futures_util::future::try_join(writer.write_all(payload), reader.read_exact(&mut back)).await?;
    if back == payload { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

async fn client(number: u64, address: SocketAddr, plan: Plan) -> Outcome {
    let mut outcome = Outcome { wanted: plan.requests, ..Outcome::default() };
    let mut connection = None;
    for round in 0..plan.requests {
        let seed = number.wrapping_mul(31).wrapping_add(round);
        let payload: Vec<u8> = (0..plan.size).map(|i| (seed as usize * 7 + i) as u8).collect();
        let mut answered = false;
        for _ in 0..plan.tries {
            let mut stream = match connection.take() {
                Some(stream) => stream,
                None => match limited(plan.limit, TcpStream::connect(address)).await {
                    Ok(stream) => stream,
                    Err(error) => {
                        outcome.error("connect", &error);
                        sleep(Duration::from_millis(2)).await;
                        continue;
                    }
                },
            };
            match limited(plan.limit, request(&mut stream, &payload)).await {
                Ok(()) => {
                    answered = true;
                    connection = (!plan.fresh).then_some(stream);
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    outcome.fail("an answer is not what was asked for");
                }
                Err(error) => outcome.error("request", &error),
            }
        }
        if answered {
            outcome.done += 1;
        } else {
            outcome.lost += 1;
        }
        if !plan.pause.is_zero() {
            sleep(plan.pause).await;
        }
    }
    outcome
}

/// Ticks, and complains about a tick that came before its time.
async fn tick(notes: Arc<Notes>) {
    loop {
        let due = Instant::now() + Duration::from_millis(1);
        sleep(Duration::from_millis(1)).await;
        if Instant::now() < due {
            notes.with(|outcome| outcome.fail("a sleep ended early"));
        }
        notes.ticks.fetch_add(1, Ordering::Relaxed);
    }
}

/// Tasks that end, and tasks that are cancelled.
async fn churn() {
    loop {
        let ends = spawn(async { yield_now().await });
        let cancelled = spawn(sleep(Duration::from_secs(3600)));
        ends.await.expect("it ends");
        cancelled.cancel();
        assert!(cancelled.await.is_err_and(|error| error.is_cancelled()));
        sleep(Duration::from_millis(1)).await;
    }
}

/// The clients' work; a client that does not come back is a hang, and told with all tasks.
async fn everybody(settings: &Settings, notes: &Arc<Notes>) -> io::Result<Outcome> {
    let plan = Plan {
        requests: settings.number("requests", 25),
        size: settings.size("size", 512),
        tries: settings.number("tries", 6),
        limit: settings.time("limit_ms", 5000),
        pause: settings.time("pause_ms", 0),
        fresh: settings.number("fresh", 0) == 1,
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    if settings.number("tiny", 0) == 1 {
        // Accepted sockets inherit it, and reads and writes come to pass in small parts.
        socket2::SockRef::from(&listener).set_send_buffer_size(4096)?;
        socket2::SockRef::from(&listener).set_recv_buffer_size(2048)?;
    }
    let address = listener.local_addr()?;
    let server =
        spawn(serve(listener, settings.time("idle_ms", 10_000), Arc::clone(notes)).named("serve"));
    let ticker = spawn(tick(Arc::clone(notes)).named("tick"));
    let churner = spawn(churn().named("churn"));
    let clients = settings.number("clients", 20);
    let work: Vec<_> =
        (0..clients).map(|n| spawn(client(n, address, plan).named("client"))).collect();
    let mut all = Outcome::default();
    let finish = async {
        for task in work {
            match task.await {
                Ok(outcome) => all.add(outcome),
                Err(error) => all.fail(format_args!("a client ended: {error}")),
            }
        }
    };
    if timeout(settings.time("end_ms", 15_000), finish).await.is_err() {
        all.fail("the clients did not come to their end");
        for task in kasasagi::task::all() {
            eprintln!("faults: {task:?}");
        }
    }
    for (what, task) in [("serve", server), ("tick", ticker), ("churn", churner)] {
        task.cancel();
        if let Err(error) = task.await {
            if !error.is_cancelled() {
                all.fail(format_args!("{what}: {error}"));
            }
        }
    }
    Ok(all)
}

/// `run=1`: by `kasasagi::run`, which makes do with the threads that it gets.
pub(crate) fn echo(settings: &Settings) -> Outcome {
    let notes = Arc::new(Notes::default());
    let result = if settings.number("run", 0) == 1 {
        Some(kasasagi::run(everybody(settings, &notes)))
    } else {
        with_runtime(settings, &notes, everybody(settings, &notes))
    };
    let mut outcome = notes.take();
    match result {
        Some(Ok(clients)) => outcome.add(clients),
        Some(Err(error)) => outcome.error("bind", &error),
        None => {}
    }
    outcome
}

/// Builds a runtime, runs `main` and ends the runtime, which has to be clean.
pub(crate) fn with_runtime<T>(
    settings: &Settings,
    notes: &Notes,
    main: impl Future<Output = T>,
) -> Option<T> {
    let workers = settings.size("workers", 2);
    let runtime = match Runtime::builder().workers(workers).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            notes.with(|outcome| outcome.error("build", &error));
            return None;
        }
    };
    let result = runtime.run(main);
    let handle = runtime.handle();
    let report = runtime.shutdown(Duration::from_secs(5));
    notes.with(|outcome| {
        if !report.is_clean() {
            outcome.fail(format_args!("the shutdown left something: {report}"));
        }
        if !handle.tasks().is_empty() || handle.metrics().live != 0 {
            outcome.fail("tasks are left after the shutdown");
        }
        if let Err(error) = &result {
            outcome.fail(format_args!("main: {error}"));
        }
    });
    result.ok()
}

/// Connections that nobody speaks on, for half a second: the processor has nothing to do.
pub(crate) fn idle(settings: &Settings) -> Outcome {
    let notes = Arc::new(Notes::default());
    let main = async {
        let mut outcome = Outcome { wanted: settings.number("clients", 50), ..Outcome::default() };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let server = spawn(serve(listener, Duration::from_secs(60), Arc::clone(&notes)));
        let mut connections = Vec::new();
        for _ in 0..outcome.wanted {
            let mut stream = TcpStream::connect(address).await?;
            request(&mut stream, b"hello").await?;
            connections.push(stream);
        }
        let before = cpu();
        sleep(settings.time("rest_ms", 500)).await;
        outcome.count("rest_cpu_us", (cpu() - before).as_micros() as u64);
        for stream in &mut connections {
            request(stream, b"still there").await?;
            outcome.done += 1;
        }
        server.cancel();
        Ok::<_, io::Error>(outcome)
    };
    let result = with_runtime(settings, &notes, main);
    let mut outcome = notes.take();
    match result {
        Some(Ok(clients)) => outcome.add(clients),
        Some(Err(error)) => outcome.fail(format_args!("an idle connection: {error}")),
        None => {}
    }
    outcome
}
