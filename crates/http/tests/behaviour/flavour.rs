//! Each promise is kept by both flavours of the runtime.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use kasasagi::net::TcpListener;
use kasasagi::{Runtime, time};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

/// What nothing in these tests may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Runs `test` on one thread, then on two workers.
pub(crate) fn for_each_flavour(test: impl AsyncFn()) {
    for builder in [Runtime::builder().current_thread(), Runtime::builder().workers(2)] {
        let runtime = builder.build().expect("a runtime can be built");
        let outcome =
            runtime.run(async { time::timeout(LIMIT, test()).await }).expect("it runs to its end");
        outcome.expect("it ends within the limit");
    }
}

/// A listener on a port of its own.
pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let addr = listener.local_addr().expect("a bound socket has an address");
    (listener, addr)
}

/// Answers a request with its own body and path.
pub(crate) async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let text = [path.as_bytes(), &body].concat();
    Ok(Response::new(Full::from(text)))
}

/// Serves [`echo`] on a port of its own until the runtime ends.
pub(crate) async fn echo_server() -> SocketAddr {
    let (listener, addr) = listener().await;
    drop(kasasagi::spawn(kasasagi_http::serve(listener, service_fn(echo)).run()));
    addr
}
