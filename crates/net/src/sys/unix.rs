//! Unix: errno.

use super::AcceptFault;
use rustix::io::Errno;
use std::io;

/// Whether an accepted socket takes TCP_NODELAY over from its listener. Linux copies it with the rest of the
/// socket, which saves a system call a connection; elsewhere it is set each time.
pub(crate) const INHERITS_NODELAY: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Whether a failed `connect` goes on in the background. EINTR too: POSIX lets the attempt go on.
pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INPROGRESS | Errno::INTR))
}

/// Sorts the errors of `accept` (accept(2), "Error handling": network errors belong to the one connection).
pub(crate) fn classify(error: &io::Error) -> AcceptFault {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => AcceptFault::Exhausted,
        // A network error of the connection too; but a socket that cannot accept at all says the same each time, and
        // to go on at once would spin.
        Some(Errno::OPNOTSUPP) => AcceptFault::Exhausted,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Some(Errno::NONET) => AcceptFault::Skip,
        Some(
            Errno::CONNABORTED
            | Errno::INTR
            | Errno::PROTO
            | Errno::NOPROTOOPT
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH,
        ) => AcceptFault::Skip,
        _ => AcceptFault::Fatal,
    }
}

/// Lets several sockets listen on one port.
#[cfg(not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))]
pub(crate) fn set_reuse_port(socket: &socket2::Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

/// Lets several sockets listen on one port.
#[cfg(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))]
pub(crate) fn set_reuse_port(_socket: &socket2::Socket) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no SO_REUSEPORT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_one_connection_do_not_end_a_listener() {
        let sorted = |errno: Errno| classify(&errno.into());
        for errno in
            [Errno::CONNABORTED, Errno::INTR, Errno::PROTO, Errno::NOPROTOOPT, Errno::NETDOWN]
        {
            assert_eq!(sorted(errno), AcceptFault::Skip, "{errno}");
        }
        #[cfg(target_os = "linux")]
        assert_eq!(sorted(Errno::NONET), AcceptFault::Skip);
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::OPNOTSUPP] {
            assert_eq!(sorted(errno), AcceptFault::Exhausted, "{errno}");
        }
        for errno in [Errno::BADF, Errno::INVAL, Errno::NOTSOCK, Errno::PERM] {
            assert_eq!(sorted(errno), AcceptFault::Fatal, "{errno}");
        }
    }
}
