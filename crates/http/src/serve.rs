//! A service over a listener: one task a connection, and a stop that lets requests end.

use crate::{Io, Timer};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::server::graceful::GracefulShutdown;
use kasasagi::net::{TcpListener, TcpStream};
use kasasagi::{FutureExt, Task, spawn, time};
use std::error::Error;
use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

type BoxError = Box<dyn Error + Send + Sync>;

/// How long a client may take to send the head of a request. hyper's own figure.
const HEAD: Duration = Duration::from_secs(30);
/// How long connections may take to end after the stop. A guess: what process managers give a program before
/// they kill it is ten seconds and more.
const GRACE: Duration = Duration::from_secs(10);

/// Serves HTTP/1 to those who connect to `listener`, with a clone of `service` for each connection.
///
/// Connections are kept alive; each is a task of its own, named `http connection`. A malformed request is answered
/// with 400 and its connection closed; an error of the service closes the connection without an answer; neither
/// touches another.
///
/// # Examples
/// ```
/// # use hyper::{Request, Response, body::Incoming, service::service_fn};
/// # use std::convert::Infallible;
/// # async fn hello(_: Request<Incoming>) -> Result<Response<String>, Infallible> { Ok(Response::default()) }
/// # kasasagi::run(async {
/// use kasasagi::{net::TcpListener, time};
/// use std::time::Duration;
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let five_ms = time::sleep(Duration::from_millis(5));
/// let stopped = kasasagi_http::serve(listener, service_fn(hello)).until(five_ms).await?;
/// assert_eq!(stopped.cut, 0);
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// Counterpart: `aiohttp.web`.
pub fn serve<S>(listener: TcpListener, service: S) -> Serve<S> {
    Serve { listener, service, head: HEAD, grace: GRACE }
}

/// A server that has not begun; made by [`serve`].
#[must_use = "a server does nothing until `run` or `until` is awaited"]
pub struct Serve<S> {
    listener: TcpListener,
    service: S,
    head: Duration,
    grace: Duration,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// Connections that were still busy after the grace, and were cut.
    pub cut: usize,
}

impl<S> Serve<S> {
    /// How long a client may take to send the head of a request. Default: 30 s, hyper's figure.
    pub fn head_timeout(mut self, time: Duration) -> Self {
        self.head = time;
        self
    }

    /// How long connections may take to end after the stop, before they are cut. Default: 10 s.
    pub fn grace(mut self, time: Duration) -> Self {
        self.grace = time;
        self
    }
}

impl<S, B> Serve<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    /// Serves for ever.
    ///
    /// # Errors
    /// The listener's, when it is of no use any more.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, it accepts no more; connections live on, each to its end.
    pub async fn run(self) -> io::Result<()> {
        self.until(std::future::pending()).await.map(|_| ())
    }

    /// Serves until `stop` is ready, then stops well.
    ///
    /// The listener is closed at once; idle connections too; busy ones end with the response under way, or are cut
    /// after the [grace](Self::grace).
    ///
    /// # Errors
    /// The listener's, when it is of no use any more.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, it accepts no more; connections live on, each to its end.
    pub async fn until(self, stop: impl Future<Output = ()>) -> io::Result<Stopped> {
        let Self { listener, service, head, grace } = self;
        let mut http = http1::Builder::new();
        http.timer(Timer::new()).header_read_timeout(head);
        let graceful = GracefulShutdown::new();
        let mut connections = Connections::default();
        let mut stop = pin!(stop);
        while let Some(accepted) = accept_until(&listener, stop.as_mut()).await {
            let connection = http.serve_connection(Io::new(accepted?), service.clone());
            let connection = graceful.watch(connection);
            connections.add(spawn(
                async move {
                    // The peer's fault, or the service's: the peer has been told, by an answer or by the end.
                    let _ = connection.await;
                }
                .named("http connection"),
            ));
        }
        drop(listener);
        let ended = time::timeout(grace, graceful.shutdown()).await;
        Ok(Stopped { cut: if ended.is_ok() { 0 } else { connections.cut() } })
    }
}

/// The next connection, or `None` once `stop` is ready.
async fn accept_until(
    listener: &TcpListener,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> Option<io::Result<TcpStream>> {
    let mut accept = listener.accept();
    std::future::poll_fn(|cx| {
        if stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        let accepted = Pin::new(&mut accept).poll(cx);
        accepted.map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    })
    .await
}

/// The tasks of live connections, and of some that have ended: swept when their number has doubled.
#[derive(Default)]
struct Connections {
    tasks: Vec<Task<()>>,
    sweep_at: usize,
}

impl Connections {
    fn add(&mut self, task: Task<()>) {
        if self.tasks.len() >= self.sweep_at {
            self.sweep();
            self.sweep_at = (self.tasks.len() * 2).max(64);
        }
        self.tasks.push(task);
    }

    fn sweep(&mut self) {
        self.tasks.retain(|task| !task.is_finished());
    }

    fn cut(&mut self) -> usize {
        self.sweep();
        self.tasks.iter().filter(|task| task.cancel()).count()
    }
}

impl<S> fmt::Debug for Serve<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("head", &self.head)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}
