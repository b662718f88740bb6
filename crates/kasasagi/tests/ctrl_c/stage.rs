//! Plays scenes: this binary is started again with the name of one, and how that ended is judged here.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a scene waits for something that has to happen, and half of how long it may take in all.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

const SCENE: &str = "KASASAGI_SCENE";

/// What a child wrote and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) success: bool,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    pub(crate) took: Duration,
}

/// What is played, and how it has to end.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) play: fn(),
    pub(crate) judge: fn(&Ended),
}

/// For scenes that judge themselves.
pub(crate) fn ends_well(ended: &Ended) {
    assert!(ended.success, "{ended:?}");
}

/// Waits until `done`, on a thread.
#[track_caller]
pub(crate) fn eventually(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LIMIT, "{what}: not within {} s", LIMIT.as_secs());
        // It looks now and then: what a scene counts tells nobody.
        std::thread::sleep(Duration::from_micros(200));
    }
}

pub(crate) fn play(scenes: &[Scene], is_left_out: fn(&Scene) -> bool, prepare: fn()) -> ExitCode {
    if let Ok(name) = std::env::var(SCENE) {
        let scene = scenes.iter().find(|scene| scene.name == name).expect("a scene's name");
        prepare();
        (scene.play)();
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        scenes.iter().for_each(|scene| println!("{}: test", scene.name));
        return ExitCode::SUCCESS;
    }
    let filters: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |scene: &&Scene| {
        let is_named = |filter: &&String| scene.name.contains(filter.as_str());
        !is_left_out(scene) && (filters.is_empty() || filters.iter().any(is_named))
    };
    let chosen: Vec<_> = scenes.iter().filter(chosen).collect();
    println!("running {} tests", chosen.len());
    let mut failed = 0;
    for scene in &chosen {
        let ended = play_one(scene);
        let judged = std::panic::catch_unwind(|| (scene.judge)(&ended));
        println!("test {} ... {}", scene.name, if judged.is_ok() { "ok" } else { "FAILED" });
        failed += usize::from(judged.is_err());
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {result}. {} passed; {failed} failed", chosen.len() - failed);
    ExitCode::from(u8::from(failed > 0))
}

fn play_one(scene: &Scene) -> Ended {
    let start = Instant::now();
    let me = std::env::current_exe().expect("a test knows its binary");
    let child = Command::new(me)
        .env(SCENE, scene.name)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a child can be started");
    let id = child.id().to_string();
    let (over, watch) = channel::<()>();
    std::thread::spawn(move || {
        if watch.recv_timeout(2 * LIMIT) == Err(RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-9", &id]).status();
        }
    });
    let output = child.wait_with_output().expect("a child can be waited for");
    drop(over);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
        success: output.status.success(),
        signal: output.status.signal(),
        took: start.elapsed(),
    }
}
