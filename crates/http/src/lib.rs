//! HTTP/1 on kasasagi: [hyper] speaks the protocol, kasasagi's sockets, timers and tasks carry it.
//!
//! hyper asks a runtime for four things, and this crate has them: [`Io`] (bytes), [`Executor`] (tasks), [`Timer`]
//! (time), and, for hyper-util's pooled client, [`Connector`] (connections). Two doors put them together: [`client`]
//! makes a client that keeps connections alive and uses them again, [`serve`] runs a service over a listener and
//! stops well. Everything works inside `kasasagi::run`; no other runtime is needed.
//!
//! # A server and a client
//! ```
//! use http_body_util::{BodyExt, Empty, Full};
//! use hyper::body::{Bytes, Incoming};
//! use hyper::service::service_fn;
//! use hyper::{Request, Response};
//! use kasasagi::{net::TcpListener, spawn};
//! use std::convert::Infallible;
//!
//! async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     Ok(Response::new(Full::from("kachi kachi")))
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! kasasagi::run(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?;
//!     spawn(kasasagi_http::serve(listener, service_fn(hello)).run());
//!
//!     let client = kasasagi_http::client::<Empty<Bytes>>();
//!     let response = client.get(format!("http://{address}/").parse()?).await?;
//!     let body = response.into_body().collect().await?.to_bytes();
//!     assert_eq!(&body[..], b"kachi kachi");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # What it does not do
//! No TLS: a URL with `https` is an error that says so. No HTTP/2, redirects, cookies or proxies. A body that the
//! client does not read to its end costs the connection, which is closed instead of being used again.

#![forbid(unsafe_code)]

mod client;
mod connector;
mod executor;
mod io;
mod serve;
mod timer;

pub use client::{Client, client};
pub use connector::{Connecting, Connector};
pub use executor::Executor;
pub use io::Io;
pub use serve::{Serve, Stopped, serve};
pub use timer::Timer;
