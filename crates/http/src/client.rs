//! The client that most programs want.

use crate::{Connector, Executor, Timer};
use hyper::body::Body;

/// hyper-util's pooled client over kasasagi's sockets.
pub type Client<B> = hyper_util::client::legacy::Client<Connector, B>;

/// A client that keeps connections alive and uses them again; a clone shares them.
///
/// Connections are made as requests need them, without a limit, and closed after 90 s without a request
/// (hyper-util's figures). Bound the requests in flight with a semaphore. Nothing else is limited: put
/// `kasasagi::time::timeout` around a request. Make clients inside a runtime, one for a program: connections belong to
/// the runtime they were made in.
///
/// # Examples
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let client = kasasagi_http::client::<String>();
/// let response = client.get("http://example.com/".parse()?).await?;
/// println!("{}", response.status());
/// # Ok(())
/// # }
/// ```
///
/// Counterpart: `aiohttp.ClientSession`.
pub fn client<B>() -> Client<B>
where
    B: Body + Send + 'static + Unpin,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    hyper_util::client::legacy::Client::builder(Executor::new())
        .timer(Timer::new())
        .pool_timer(Timer::new())
        .build(Connector::new())
}
