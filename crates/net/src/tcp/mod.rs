//! TCP: listening, connecting, reading and writing, halves.

mod accept;
mod connect;
mod listener;
mod ops;
mod split;
mod stream;

pub use accept::{Accept, Incoming};
pub use connect::{Connect, ConnectOptions};
pub use listener::{Bind, ListenOptions, TcpListener};
pub use ops::{Peek, Read, ReadExact, Write, WriteAll};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::TcpStream;
