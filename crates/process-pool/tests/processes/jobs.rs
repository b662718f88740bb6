//! What the tests have their workers do, and what they ask of them.

use kasasagi_process_pool::{Config, JobError, Workers};
use rustix::process::{Pid, Signal};
use serde::{Serialize, de::DeserializeOwned};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// At most so many workers.
pub(crate) fn workers(max: usize) -> Workers {
    with(|config| config.max_workers = max)
}

/// Workers like that.
pub(crate) fn with(choose: impl FnOnce(&mut Config)) -> Workers {
    let mut config = Config::default();
    config.max_workers = 1;
    choose(&mut config);
    Workers::new(config)
}

/// Has one of them do it.
#[track_caller]
pub(crate) fn ask<F, A, R>(
    workers: &Workers,
    function: F,
    argument: A,
) -> impl Future<Output = Result<R, JobError>> + Send + use<F, A, R>
where
    F: Fn(A) -> R + Copy + Send + Sync + 'static,
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    let request = workers.request(function, &argument).expect("it can be sent");
    workers.call(request)
}

/// A file for a worker to write its number into; gone with this.
pub(crate) struct Note(pub(crate) PathBuf);

impl Note {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("kasasagi-note-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn path(&self) -> String {
        self.0.to_str().expect("a path of letters").to_owned()
    }

    /// The number that was written, once it was.
    pub(crate) fn pid(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(&self.0).ok()?;
        Pid::from_raw(text.strip_suffix('\n')?.parse().ok()?)
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whether there is such a process, a dead one that nobody has waited for included.
pub(crate) fn is_there(pid: Pid) -> bool {
    rustix::process::test_kill_process(pid).is_ok()
}

pub(crate) fn pid((): ()) -> u32 {
    std::process::id()
}

pub(crate) fn square(n: u64) -> u64 {
    n * n
}

/// Says who it is, and never ends.
pub(crate) fn spin(note: String) {
    std::fs::write(note, format!("{}\n", std::process::id())).expect("it can be written");
    loop {
        std::hint::spin_loop();
    }
}

/// Never ends, and tells nobody.
pub(crate) fn forever((): ()) {
    loop {
        std::hint::spin_loop();
    }
}

/// Says who it is, and waits until the file is there that is named like its own with `-go` behind it.
pub(crate) fn linger(note: String) -> u32 {
    std::fs::write(&note, format!("{}\n", std::process::id())).expect("it can be written");
    let go = format!("{note}-go");
    while !std::path::Path::new(&go).exists() {
        // It looks now and then: a file tells nobody.
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let _ = std::fs::remove_file(go);
    std::process::id()
}

pub(crate) fn kill_itself((): ()) {
    let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
    loop {
        std::thread::park();
    }
}

pub(crate) fn segfault((): ()) {
    let nowhere = std::ptr::without_provenance_mut::<u8>(64);
    // SAFETY: it is not: nothing is mapped there, and the system ends the process, which is the subject.
    unsafe { nowhere.write_volatile(1) };
}

/// Finds the worker's socket among its descriptors and writes to it past the protocol.
pub(crate) fn write_past(bytes: Vec<u8>) -> bool {
    use std::io::Write;
    let mut socket = own_socket();
    socket.write_all(&bytes).is_ok()
}

/// The socket that this worker has from its parent, once more.
pub(crate) fn own_socket() -> std::os::unix::net::UnixStream {
    use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
    for entry in std::fs::read_dir("/dev/fd").expect("it lists what is open").flatten() {
        let number = entry.file_name().to_string_lossy().parse().expect("a number");
        // SAFETY: it is open: the directory's own for as long as it is read, the socket for as long as the worker lives.
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        if rustix::net::sockopt::socket_type(borrowed).is_err() {
            continue;
        }
        let copy: OwnedFd = rustix::io::dup(borrowed).expect("it can be copied");
        // SAFETY: the copy is ours alone.
        return unsafe { FromRawFd::from_raw_fd(std::os::fd::IntoRawFd::into_raw_fd(copy)) };
    }
    panic!("a worker has a socket")
}
