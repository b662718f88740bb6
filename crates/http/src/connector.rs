//! Connections for hyper-util's pooled client.

use crate::io::Io;
use hyper::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use kasasagi::net::{Connect, ConnectOptions, TcpStream};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

/// Connects to the host of a URL, port 80 unless it says otherwise.
///
/// Names are looked up and addresses tried as [`TcpStream::connect`] does it.
///
/// # Errors
/// The connection's; `Unsupported` for a scheme other than `http`, `InvalidInput` for a URL without a host.
#[derive(Debug, Clone, Default)]
pub struct Connector {
    options: ConnectOptions,
}

impl Connector {
    /// Connects with the options of [`TcpStream::connect`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Connects with `options`.
    pub fn with_options(options: ConnectOptions) -> Self {
        Self { options }
    }

    fn connect(&self, uri: &Uri) -> io::Result<Connect> {
        match uri.scheme_str() {
            Some("http") => {}
            Some(scheme) => {
                let text =
                    format!("{scheme} is not supported: only http is; this client has no TLS");
                return Err(io::Error::new(io::ErrorKind::Unsupported, text));
            }
            None => {
                let text = format!("`{uri}` has no scheme: write \"http://{uri}\"");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
        }
        let Some(host) = uri.host() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{uri}` has no host"),
            ));
        };
        Ok(self.options.connect((host, uri.port_u16().unwrap_or(80))))
    }
}

impl Service<Uri> for Connector {
    type Response = Io<TcpStream>;
    type Error = io::Error;
    type Future = Connecting;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        Connecting(self.connect(&uri).map_err(Some))
    }
}

/// A connection under way; made by [`Connector`].
#[must_use = "a connection is not made unless awaited"]
pub struct Connecting(Result<Connect, Option<io::Error>>);

impl Future for Connecting {
    type Output = io::Result<Io<TcpStream>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ok(connect) => Poll::Ready(Ok(Io::new(ready!(Pin::new(connect).poll(cx))?))),
            Err(refused) => {
                Poll::Ready(Err(refused.take().expect("a future is not polled after it is done")))
            }
        }
    }
}

impl Connection for Io<TcpStream> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").finish_non_exhaustive()
    }
}
