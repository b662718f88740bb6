//! Windows and whatever else std knows: by error kind where there is one, by winsock number where not.

use super::AcceptFault;
use std::io;

/// Whether an accepted socket takes TCP_NODELAY over from its listener: not promised, so it is set.
pub(crate) const INHERITS_NODELAY: bool = false;

/// WSAEMFILE.
const TOO_MANY_SOCKETS: i32 = 10024;
/// WSAENOBUFS.
const NO_BUFFERS: i32 = 10055;

/// Whether a failed `connect` goes on in the background.
pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Sorts the errors of `accept`.
pub(crate) fn classify(error: &io::Error) -> AcceptFault {
    match (error.kind(), error.raw_os_error()) {
        (_, Some(TOO_MANY_SOCKETS | NO_BUFFERS)) | (io::ErrorKind::OutOfMemory, _) => {
            AcceptFault::Exhausted
        }
        (
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted,
            _,
        ) => AcceptFault::Skip,
        _ => AcceptFault::Fatal,
    }
}

/// Lets several sockets listen on one port.
pub(crate) fn set_reuse_port(_socket: &socket2::Socket) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no SO_REUSEPORT"))
}
