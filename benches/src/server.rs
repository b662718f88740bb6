//! Server: a child process that serves, and answers its parent's questions about what it used.

use crate::column::{FLOOR, NAMES, WithPeer, with_peer};
use crate::suite::Suite;
use crate::{Peer, allocator, epoll, process};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// What came goes back.
    Echo,
    /// As echo, with little memory of its own: what a connection costs that waits.
    Idle,
    /// hyper's answer to a request, "Hello, world!".
    Hello,
    /// As hello, and the head of each request has 30 seconds to come, by the peer's own timers.
    HelloTimed,
    /// An answer after [`epoll::DELAY`], and the end; on several ports, so that no queue of connections is full.
    Delayed,
}

const SERVICES: [Service; 5] =
    [Service::Echo, Service::Idle, Service::Hello, Service::HelloTimed, Service::Delayed];

impl Service {
    /// What the child is called on its command line.
    fn child_name(self) -> String {
        format!("server: {self:?}")
    }

    /// Bytes of a connection's buffer, where the server has one of its own.
    pub fn buffer(self) -> usize {
        if self == Self::Idle { 64 } else { 1024 }
    }

    fn ports(self) -> usize {
        if self == Self::Delayed { 4 } else { 1 }
    }
}

/// Connections accepted so far, in the child.
static ACCEPTED: AtomicU64 = AtomicU64::new(0);

/// Counts a connection.
pub fn accepted() {
    ACCEPTED.fetch_add(1, Relaxed);
}

/// Serves for ever, if this process is to be a server.
pub fn run_if_asked(suite: &Suite) {
    let Some((name, index)) = suite.child_of() else { return };
    let Some(service) = SERVICES.into_iter().find(|service| service.child_name() == name) else {
        return;
    };
    process::open_files();
    std::thread::spawn(answer_questions);
    let listeners: Vec<TcpListener> = (0..service.ports()).map(|_| listener()).collect();
    let port =
        |listener: &TcpListener| listener.local_addr().expect("it is bound").port().to_string();
    println!("{}", listeners.iter().map(port).collect::<Vec<_>>().join(" "));
    match NAMES[index] {
        FLOOR => epoll::serve(service, listeners).expect("the loop goes on"),
        _ => with_peer(index, &Serve { service, listeners }),
    }
}

fn listener() -> TcpListener {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    // More than std's; the kernel takes what it allows.
    rustix::net::listen(&listener, 4096).expect("it listens already");
    listener
}

fn answer_questions() {
    for line in io::stdin().lock().lines() {
        match line.as_deref() {
            Ok("count") => allocator::begin(),
            Ok("count no more") => allocator::end(),
            Ok("usage") => {}
            _ => break,
        }
        println!(
            "{} {} {} {} {} {}",
            process::cpu_ns(),
            process::voluntary_switches(),
            process::resident().0,
            allocator::bytes_out(),
            allocator::calls(),
            ACCEPTED.load(Relaxed),
        );
    }
    std::process::exit(0);
}

struct Serve {
    service: Service,
    listeners: Vec<TcpListener>,
}

impl WithPeer for Serve {
    type Output = ();

    fn with<P: Peer>(&self, peer: P) {
        let service = self.service;
        let socket = self.listeners[0].try_clone().expect("a descriptor is free");
        peer.inside(async move {
            let listener = P::listener(socket).expect("a listener starts");
            match service {
                Service::Hello => P::serve_http(peer, listener, false).await,
                Service::HelloTimed => P::serve_http(peer, listener, true).await,
                Service::Idle => echo::<P, 64>(peer, listener).await,
                Service::Echo | Service::Delayed => echo::<P, 1024>(peer, listener).await,
            }
        });
    }
}

async fn echo<P: Peer, const BUF: usize>(peer: P, listener: P::Listener) {
    loop {
        let mut stream = P::accept(&listener).await.expect("connections come");
        accepted();
        P::detach(peer.spawn(async move {
            let mut buf = [0; BUF];
            while let Ok(n) = P::read(&mut stream, &mut buf).await {
                if n == 0 || P::write_all(&mut stream, &buf[..n]).await.is_err() {
                    break;
                }
            }
        }));
    }
}

/// What a server has used since it started.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Processor time in nanoseconds.
    pub cpu_ns: f64,
    /// Voluntary context switches.
    pub switches: f64,
    /// Bytes resident.
    pub resident: f64,
    /// Bytes of heap that are out, of those that were counted.
    pub heap: f64,
    /// Allocations that were counted.
    pub allocations: f64,
    /// Connections accepted.
    pub accepted: f64,
}

/// The child, seen from its parent.
#[derive(Debug)]
pub struct Server {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
}

impl Server {
    /// Starts the server of a column.
    pub fn start(suite: &Suite, service: Service, index: usize) -> Self {
        Self::spawn(suite.child_command(&service.child_name(), index))
    }

    /// Starts the server that answers late, which has no column.
    pub fn delayed() -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.args(["--child", &Service::Delayed.child_name(), FLOOR]);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the child starts");
        let ask = child.stdin.take().expect("it is piped");
        let mut answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("the child tells its ports");
        let address =
            |port: &str| SocketAddr::from(([127, 0, 0, 1], port.parse().expect("a port")));
        let addresses = line.split_whitespace().map(address).collect();
        Self { child, ask, answers, addresses }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has used.
    pub fn usage(&mut self) -> Usage {
        self.tell("usage")
    }

    /// Has it count allocations from now on.
    pub fn count(&mut self) -> Usage {
        self.tell("count")
    }

    /// Has it count no more.
    pub fn count_no_more(&mut self) -> Usage {
        self.tell("count no more")
    }

    fn tell(&mut self, what: &str) -> Usage {
        writeln!(self.ask, "{what}").expect("the child listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the child answers");
        let mut numbers = line.split_whitespace().map(|n| n.parse().expect("a number"));
        let mut next = || numbers.next().expect("six numbers");
        Usage {
            cpu_ns: next(),
            switches: next(),
            resident: next(),
            heap: next(),
            allocations: next(),
            accepted: next(),
        }
    }

    /// Waits until it has accepted so many connections.
    pub fn wait_for(&mut self, connections: usize) -> Usage {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            let usage = self.usage();
            if usage.accepted as usize >= connections {
                return usage;
            }
            assert!(Instant::now() < limit, "{} of {connections} accepted", usage.accepted);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it.
    pub fn end(mut self) {
        drop(self.ask);
        self.child.wait().expect("the child ends");
    }
}
