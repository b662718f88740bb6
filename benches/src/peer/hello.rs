//! Hello: the service that all peers have hyper serve, and hyper's settings.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::rt::Timer;
use hyper::server::conn::http1::Builder;
use hyper::{Request, Response};
use std::convert::Infallible;
use std::time::Duration;

/// How long the head of a request may take, where that is asked for; hyper's own figure.
const HEAD: Duration = Duration::from_secs(30);

pub(super) async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"Hello, world!"))))
}

/// hyper's settings: its defaults, and a timer or none.
pub(super) fn http(timed: bool, timer: impl Timer + Send + Sync + 'static) -> Builder {
    let mut http = Builder::new();
    if timed {
        http.timer(timer).header_read_timeout(HEAD);
    } else {
        http.header_read_timeout(None);
    }
    http
}
