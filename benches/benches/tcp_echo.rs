//! What does a server pay for an echoed message?
//!
//! The server is a child process of its own for each peer; the load is the same for all: a current-thread
//! tokio in this process, one message of 64 bytes in flight on each connection. Its requests a second are a
//! figure of both; the processor time is the server's alone. With `--strace` the server's system calls are
//! counted while nothing but messages happens; the times of such a run mean nothing.

use kasasagi_benches::suite::{NAMES, WithPeer, with_peer};
use kasasagi_benches::{Figure, Peer, Suite, percentile, process};
use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MESSAGE: usize = 64;

/// The server, which never ends by itself, and a thread that answers the parent's questions.
struct Serve;

impl WithPeer for Serve {
    type Output = ();

    fn with<P: Peer>(&self, peer: P) {
        std::thread::spawn(|| {
            for line in io::stdin().lock().lines() {
                let asked = line.is_ok_and(|line| line == "how much?");
                if !asked {
                    break;
                }
                let switches = process::voluntary_switches();
                println!("{} {switches} {}", process::cpu_ns(), process::resident().0);
            }
            std::process::exit(0);
        });
        peer.inside(async move {
            let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
            let port = socket.local_addr().expect("it is bound").port();
            let listener = P::listener(socket).expect("a listener starts");
            println!("{port}");
            loop {
                let mut stream = P::accept(&listener).await.expect("connections come");
                P::detach(peer.spawn(async move {
                    let mut buf = [0; 1024];
                    while let Ok(n) = P::read(&mut stream, &mut buf).await {
                        if n == 0 || P::write_all(&mut stream, &buf[..n]).await.is_err() {
                            break;
                        }
                    }
                }));
            }
        });
    }
}

/// The child, and the way to ask it.
struct Server {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the child starts");
        let ask = child.stdin.take().expect("it is piped");
        let mut answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("the child tells its port");
        let port: u16 = line.trim().parse().expect("a port");
        Self { child, ask, answers, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// Processor time, voluntary context switches, resident bytes.
    fn usage(&mut self) -> [f64; 3] {
        writeln!(self.ask, "how much?").expect("the child listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the child answers");
        let mut numbers = line.split_whitespace().map(|n| n.parse().expect("a number"));
        std::array::from_fn(|_| numbers.next().expect("three numbers"))
    }

    fn end(mut self) {
        drop(self.ask);
        self.child.wait().expect("the child ends");
    }
}

/// Starts strace on the server, and gives the lines of its summary when asked to end.
struct Strace {
    child: Child,
    file: std::path::PathBuf,
}

impl Strace {
    fn attach(server: u32) -> io::Result<Self> {
        let file = std::env::temp_dir().join(format!("kasasagi-strace-{server}"));
        let child = Command::new("strace")
            .args(["-f", "-c", "-q", "-o"])
            .arg(&file)
            .args(["-p", &server.to_string()])
            .spawn()?;
        // It has no way to tell that it is there.
        std::thread::sleep(Duration::from_millis(500));
        Ok(Self { child, file })
    }

    /// Calls by name.
    fn end(mut self) -> io::Result<Vec<(String, f64)>> {
        let interrupt = format!("kill -INT {}", self.child.id());
        Command::new("sh").args(["-c", &interrupt]).status()?;
        self.child.wait()?;
        let summary = std::fs::read_to_string(&self.file)?;
        std::fs::remove_file(&self.file)?;
        let row = |line: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            let calls = words.get(3)?.parse().ok()?;
            Some(((*words.last()?).to_owned(), calls)).filter(|(name, _)| name != "total")
        };
        Ok(summary.lines().filter_map(row).collect())
    }
}

/// What the clients saw.
struct Load {
    requests: u64,
    seconds: f64,
    p99_us: f64,
}

/// One message in flight on each of `connections`, `each` times; `begin` is called when all are warm.
async fn load(to: SocketAddr, connections: usize, each: u64, begin: impl FnOnce()) -> Load {
    let mut streams = Vec::new();
    for _ in 0..connections {
        let mut stream = tokio::net::TcpStream::connect(to).await.expect("the server listens");
        stream.set_nodelay(true).expect("an open socket has options");
        echo(&mut stream, 3, &mut Vec::new()).await;
        streams.push(stream);
    }
    begin();
    let start = Instant::now();
    let latencies = Rc::new(RefCell::new(Vec::new()));
    let tasks: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            let latencies = Rc::clone(&latencies);
            tokio::task::spawn_local(async move {
                let mut mine = Vec::new();
                echo(&mut stream, each, &mut mine).await;
                latencies.borrow_mut().extend(mine);
                // Open until all are ready: what a connection's end costs is not asked here.
                stream
            })
        })
        .collect();
    let mut open = Vec::new();
    for task in tasks {
        open.push(task.await.expect("no client panics"));
    }
    let seconds = start.elapsed().as_secs_f64();
    let p99_us = percentile(&mut latencies.borrow_mut(), 0.99);
    Load { requests: connections as u64 * each, seconds, p99_us }
}

async fn echo(stream: &mut tokio::net::TcpStream, times: u64, latencies: &mut Vec<f64>) {
    let mut buf = [7; MESSAGE];
    for _ in 0..times {
        let start = Instant::now();
        stream.write_all(&buf).await.expect("the server reads");
        stream.read_exact(&mut buf).await.expect("the server answers");
        latencies.push(start.elapsed().as_nanos() as f64 / 1e3);
    }
}

fn run(mut server: Server, connections: usize, requests: u64, strace: bool) -> Vec<Figure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime starts");
    let each = (requests / connections as u64).max(1);
    let (mut before, mut tracer) = ([0.0; 3], None);
    let local = tokio::task::LocalSet::new();
    let seen = local.block_on(&runtime, async {
        let address = server.address;
        let begin = || {
            before = server.usage();
            if strace {
                tracer = Some(Strace::attach(server.child.id()).expect("strace is installed"));
            }
        };
        load(address, connections, each, begin).await
    });
    let n = seen.requests as f64;
    if let Some(tracer) = tracer {
        let calls = tracer.end().expect("strace gives a summary");
        server.end();
        return calls.into_iter().map(|(name, calls)| Figure::new(name, calls / n)).collect();
    }
    let after = server.usage();
    server.end();
    vec![
        Figure::new("ns cpu a request, server", (after[0] - before[0]) / n),
        Figure::new("context switches a request, server", (after[1] - before[1]) / n),
        Figure::new("ns a request, wall", seen.seconds * 1e9 / n),
        Figure::new("µs round trip, p99", seen.p99_us),
    ]
}

fn main() {
    let strace = std::env::args().any(|arg| arg == "--strace");
    let suite = Suite::new("tcp_echo");
    if let Some(index) = suite.child_of("server") {
        return with_peer(index, &Serve);
    }
    let requests = match (suite.test, strace) {
        (true, _) => 200,
        (false, true) => 20_000,
        (false, false) => 100_000,
    };
    for connections in [1, 100, 1_000] {
        let connections = if suite.test { connections.min(50) } else { connections };
        let requests = if connections == 1 { requests / 10 } else { requests };
        let name = match strace {
            true => format!("echo, {connections} connections, system calls a request"),
            false => format!("echo, {connections} connections"),
        };
        suite.children(&name, &["smol-static"], |index| {
            assert!(index < NAMES.len(), "the suite knows its peers");
            run(Server::start(suite.child_command("server", index)), connections, requests, strace)
        });
    }
}
