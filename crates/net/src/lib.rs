//! TCP sockets that wait without blocking: std's sockets, driven by a
//! [reactor](kasasagi_reactor), with futures-io's traits.
//!
//! A [`TcpListener`] accepts, a [`TcpStream`] carries bytes, [`lookup_host`] turns names into addresses. All of
//! them work wherever a reactor is entered, which inside `kasasagi::run` is everywhere. Both
//! [`AsyncRead`](futures_io::AsyncRead) and [`AsyncWrite`](futures_io::AsyncWrite) are implemented by
//! `TcpStream` and by `&TcpStream`, so one task may read while another writes.
//!
//! # A connection
//! ```no_run
//! use kasasagi_net::{TcpListener, TcpStream};
//!
//! # async fn spawn(_: impl Future<Output = std::io::Result<()>>) {}
//! # async fn program() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let server = async move {
//!     let (stream, _from) = listener.accept().await?;
//!     let mut buf = [0; 1024];
//!     let n = stream.read(&mut buf).await?;
//!     stream.write_all(&buf[..n]).await
//! };
//! spawn(server).await;
//!
//! let stream = TcpStream::connect(address).await?;
//! stream.write_all(b"kachi kachi").await?;
//! let mut back = [0; 11];
//! stream.read_exact(&mut back).await?;
//! assert_eq!(&back, b"kachi kachi");
//! # Ok(())
//! # }
//! ```
//!
//! # What is decided for you
//! - **TCP_NODELAY is on**, for connections made and accepted: a request and its answer are small and go both
//!   ways, and the two algorithms that it turns off cost 40 ms a turn together. [`TcpStream::set_nodelay`]
//!   brings it back.
//! - **Names are looked up on the blocking pool**, never on a worker; numbers never reach the resolver.
//! - **Every address of a name is tried**, in the resolver's order, and when all fail the error lists each:
//!   [`AddrErrors`].
//! - **A listener outlives a shortage**: out of file descriptors, it pauses and goes on ([`TcpListener::accept`]).
//! - **Closing is half**: `poll_close` (futures' `close().await`) flushes and shuts down the writing side, so that
//!   the peer reads to its end while its answer can still be read.
//!
//! # Which place a dump shows
//! Methods of this crate ([`TcpStream::read`], [`TcpListener::accept`], …) return named futures that remember
//! where they were called, and a task that waits in one is shown with that place. Through futures-io's traits
//! the call's place is not to be had: a dump shows where the stream was connected or accepted.

#![forbid(unsafe_code)]

mod addr;
mod error;
mod lookup;
mod sys;
mod tcp;

pub use addr::ToAddrs;
pub use error::AddrErrors;
pub use lookup::{LookupHost, lookup_host};
pub use tcp::{
    Accept, Bind, Connect, ConnectOptions, Incoming, ListenOptions, OwnedReadHalf, OwnedWriteHalf,
    Peek, Read, ReadExact, ReadHalf, ReuniteError, TcpListener, TcpStream, Write, WriteAll,
    WriteHalf,
};
