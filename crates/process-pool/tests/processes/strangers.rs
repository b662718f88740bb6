//! Who speaks something else: garbage from a worker, garbage to one, and executables that are no worker.

use crate::drive::{eventually, run};
use crate::jobs::{Note, ask, own_socket, square, with, workers, write_past};
use kasasagi_process_pool::JobError;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

#[test]
fn garbage_from_a_worker_breaks_its_job_and_no_more() {
    run(async {
        let workers = workers(1);
        let replies: [Vec<u8>; 4] =
            [vec![0; 32], vec![0xff; 100], b"ksp1".repeat(20), vec![7; 1 << 16]];
        for garbage in replies {
            let broken = ask(&workers, write_past, garbage).await;
            let Err(JobError::Broken(broken)) = broken else { panic!("it is none: {broken:?}") };
            assert!(broken.to_string().contains("no frame"), "{broken}");
            assert_eq!(ask(&workers, square, 3).await.expect("another does it"), 9);
        }
    });
}

#[test]
fn a_reply_that_is_cut_off_breaks_its_job() {
    fn cut(length: usize) {
        write_past(vec![b'k'; length]);
        std::process::exit(0);
    }
    run(async {
        let workers = workers(1);
        for length in [1, 4, 31] {
            let broken = ask(&workers, cut, length).await;
            assert!(broken.is_err_and(|error| error.is_broken()), "{length}");
        }
    });
}

#[test]
fn a_worker_that_closes_its_socket_is_ended() {
    fn hang_up((): ()) {
        own_socket().shutdown(std::net::Shutdown::Both).expect("it can be shut down");
        loop {
            std::thread::park();
        }
    }
    run(async {
        let workers = workers(1);
        let broken = ask(&workers, hang_up, ()).await;
        assert!(broken.is_err_and(|error| error.is_broken()));
        assert_eq!(ask(&workers, square, 3).await.expect("another does it"), 9);
    });
}

#[test]
fn garbage_after_an_answer_is_noticed_before_the_next_job() {
    /// Answers, and writes more when it is told to.
    fn answer_and_more(note: String) {
        std::thread::spawn(move || {
            eventually("the answer is there", || std::path::Path::new(&note).exists());
            write_past(b"more".to_vec());
            std::fs::remove_file(note).expect("it is there");
        });
    }
    run(async {
        let (workers, note) = (workers(1), Note::new());
        ask(&workers, answer_and_more, note.path()).await.expect("it ends");
        std::fs::write(&note.0, "go").expect("it can be written");
        eventually("more was written", || !note.0.exists());
        assert_eq!(ask(&workers, square, 3).await.expect("another does it"), 9);
    });
}

#[test]
fn a_frame_of_this_build_that_is_no_answer_breaks_its_job() {
    fn write_and_wait(bytes: Vec<u8>) {
        write_past(bytes);
        loop {
            std::thread::park();
        }
    }
    let (child, socket, hello) = by_hand();
    drop(socket);
    assert_eq!(end_of(child).code(), Some(0));
    run(async {
        let workers = workers(1);
        let broken = ask(&workers, write_and_wait, hello.to_vec()).await;
        let Err(JobError::Broken(broken)) = broken else { panic!("it is none: {broken:?}") };
        assert!(broken.to_string().contains("no answer"), "{broken}");
        assert_eq!(ask(&workers, square, 3).await.expect("another does it"), 9);
    });
}

/// What names the socket of a worker.
const VARIABLE: &str = concat!(
    "KASASAGI_WORKER_",
    env!("CARGO_PKG_VERSION_MAJOR"),
    "_",
    env!("CARGO_PKG_VERSION_MINOR"),
    "_",
    env!("CARGO_PKG_VERSION_PATCH")
);

/// A worker started by hand, with its first word.
fn by_hand() -> (Child, UnixStream, [u8; 32]) {
    let (mut ours, theirs) = UnixStream::pair().expect("the system gives a pair");
    let theirs = OwnedFd::from(theirs);
    let stat = rustix::fs::fstat(&theirs).expect("it is open");
    let child = Command::new(std::env::current_exe().expect("it has a name"))
        .env(VARIABLE, format!("{}:{}:1000", stat.st_dev, stat.st_ino))
        .stdin(Stdio::from(theirs))
        .spawn()
        .expect("it starts");
    let mut hello = [0; 32];
    ours.read_exact(&mut hello).expect("it says hello");
    (child, ours, hello)
}

fn end_of(mut child: Child) -> ExitStatus {
    child.wait().expect("it is ours")
}

#[test]
fn garbage_to_a_worker_ends_it_without_a_crash() {
    for garbage in [vec![0; 32], vec![0xff; 33], b"ksp1".repeat(16), vec![3; 1 << 16]] {
        let (child, mut socket, _) = by_hand();
        // It may be gone before it has read all.
        let _ = socket.write_all(&garbage);
        let status = end_of(child);
        assert_eq!((status.signal(), status.code()), (None, Some(76)));
    }
    // Its own hello is a frame of this build, and no job.
    let (child, mut socket, hello) = by_hand();
    socket.write_all(&hello).expect("it is there");
    assert_eq!(end_of(child).code(), Some(76));
}

#[test]
fn a_frame_that_is_cut_off_ends_a_worker_well() {
    for length in 0..32 {
        let (child, mut socket, hello) = by_hand();
        socket.write_all(&hello[..length]).expect("it is there");
        drop(socket);
        assert_eq!(end_of(child).code(), Some(0));
    }
}

#[test]
fn a_program_that_is_no_worker_is_refused() {
    run(async {
        for (program, told) in [("/bin/true", "before it said hello"), ("/nonexistent/program", "")]
        {
            let workers = with(|config| config.executable = Some(program.into()));
            let refused = ask(&workers, square, 1).await;
            let Err(JobError::Start(error)) = refused else { panic!("{program}: {refused:?}") };
            assert!(error.to_string().contains(told), "{program}: {error}");
        }
    });
}

/// A copy of this program whose build id is another, if it has one.
#[cfg(target_os = "linux")]
fn rebuilt() -> Option<std::path::PathBuf> {
    let mut bytes = std::fs::read("/proc/self/exe").expect("it can be read");
    let note = [&4_u32.to_ne_bytes()[..], &20_u32.to_ne_bytes(), &3_u32.to_ne_bytes(), b"GNU\0"];
    let note = note.concat();
    let at = bytes.windows(note.len()).position(|window| window == note)?;
    bytes[at + note.len()] ^= 1;
    let path = std::env::temp_dir().join(format!("kasasagi-rebuilt-{}", std::process::id()));
    std::fs::write(&path, bytes).expect("it can be written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&path, mode).expect("it is ours");
    Some(path)
}

#[cfg(target_os = "linux")]
#[test]
fn an_executable_of_another_build_is_refused_before_it_gets_a_job() {
    let Some(path) = rebuilt() else {
        println!("this linker writes no build id");
        return;
    };
    run(async {
        let workers = with(|config| config.executable = Some(path.clone()));
        // Another thread may have forked while the file was written, and holds it open for a moment.
        let refused = loop {
            let refused = ask(&workers, square, 1).await;
            let busy = matches!(&refused, Err(JobError::Start(error))
                if error.kind() == std::io::ErrorKind::ExecutableFileBusy);
            if !busy {
                break refused;
            }
        };
        let Err(JobError::Start(error)) = refused else { panic!("it was not: {refused:?}") };
        assert!(error.to_string().contains("not of this build"), "{error}");
    });
    let _ = std::fs::remove_file(path);
}

/// As root: a copy of this program that has the rights of somebody else.
#[cfg(target_os = "linux")]
#[test]
fn a_program_with_rights_of_its_file_is_no_worker() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let path = std::env::temp_dir().join(format!("kasasagi-setuid-{}", std::process::id()));
    std::fs::copy("/proc/self/exe", &path).expect("it can be copied");
    if chown(&path, Some(65_534), Some(65_534)).is_err() {
        println!("only root can give a file away");
        let _ = std::fs::remove_file(path);
        return;
    }
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o4755)).expect("it is root's");
    // Of a parent that has gone: a worker would notice, and end.
    let theirs = UnixStream::pair().expect("the system gives a pair").1;
    let theirs = OwnedFd::from(theirs);
    let stat = rustix::fs::fstat(&theirs).expect("it is open");
    // The harness, and not a worker: it lists its tests and ends, though its standard input is the socket.
    let start = || {
        Command::new(&path)
            .arg("--list")
            .env(VARIABLE, format!("{}:{}:1000", stat.st_dev, stat.st_ino))
            .stdin(Stdio::from(theirs.try_clone().expect("it can be copied")))
            .output()
    };
    let output = loop {
        match start() {
            // Another thread may have forked while the file was written, and holds it open for a moment.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
            output => break output.expect("it starts"),
        }
    };
    let _ = std::fs::remove_file(path);
    let listed = String::from_utf8_lossy(&output.stdout);
    assert!(listed.contains("what_a_job_starts_is_no_worker: test"), "{output:?}");
}

#[test]
fn what_a_job_starts_is_no_worker() {
    fn list((): ()) -> (bool, String) {
        let me = std::env::current_exe().expect("it has a name");
        let output = Command::new(me).arg("--list").output().expect("it starts");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
    run(async {
        let (success, listed) = ask(&workers(1), list, ()).await.expect("it ends");
        assert!(success && listed.contains("what_a_job_starts_is_no_worker: test"), "{listed}");
    });
}
