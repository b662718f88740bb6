//! The server: this executable again, in a process of its own, so that it shares nothing with the client.
//!
//! `/delay/MS` answers after so many milliseconds; `/peak` says how many requests were waiting at once at
//! most, and begins anew. It ends when its standard input does, which is when its parent is gone.

use crate::get::{self, Client};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use kasasagi::{net::TcpListener, time};
use std::convert::Infallible;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const VARIABLE: &str = "KASASAGI_FETCH_SERVER";

static WAITING: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Whether this process is to be the server.
pub(crate) fn is_child() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// The child's life: says where it listens, serves until its parent closes the pipe.
pub(crate) async fn serve() -> Result<(), String> {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let tell = |error: io::Error| error.to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(tell)?;
    println!("{}", listener.local_addr().map_err(tell)?);
    let (gone, parent) = futures_channel::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = io::stdin().read(&mut [0]);
        drop(gone);
    });
    let server = kasasagi_http::serve(listener, service_fn(answer)).grace(Duration::from_secs(1));
    server.until(async { _ = parent.await }).await.map(|_| ()).map_err(tell)
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    if path == "/peak" {
        return Ok(Response::new(Full::from(PEAK.swap(0, Ordering::Relaxed).to_string())));
    }
    let mut response = Response::new(Full::from("kachi kachi"));
    match path.strip_prefix("/delay/").and_then(|ms| ms.parse().ok()) {
        Some(ms) => {
            let waiting = WAITING.fetch_add(1, Ordering::Relaxed) + 1;
            PEAK.fetch_max(waiting, Ordering::Relaxed);
            time::sleep(Duration::from_millis(ms)).await;
            WAITING.fetch_sub(1, Ordering::Relaxed);
        }
        None => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    Ok(response)
}

/// The parent's side: the child, and a client for it. Dropped, it ends the child.
pub(crate) struct Server {
    child: Child,
    address: String,
    pub(crate) client: Client,
}

impl Server {
    pub(crate) fn start() -> Result<Self, String> {
        let tell = |error: io::Error| format!("starting the server: {error}");
        let mut child = Command::new(std::env::current_exe().map_err(tell)?)
            .env(VARIABLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(tell)?;
        let stdout = child.stdout.take().expect("its output is piped");
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address).map_err(tell)?;
        if address.is_empty() {
            return Err("the server ended before it listened".to_owned());
        }
        Ok(Self { child, address: address.trim().to_owned(), client: kasasagi_http::client() })
    }

    /// The URL that is answered after `delay`.
    pub(crate) fn url(&self, delay: Duration) -> String {
        format!("http://{}/delay/{}", self.address, delay.as_millis())
    }

    /// How many requests waited at once at most since the last time this was asked.
    pub(crate) async fn peak(&self) -> Result<String, String> {
        let reply = get::get(&self.client, &format!("http://{}/peak", self.address)).await?;
        Ok(String::from_utf8_lossy(&reply.body).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
