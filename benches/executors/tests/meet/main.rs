//! Every primitive under every executor: tasks of kasasagi, of tokio, of smol, threads with a bare `block_on`, and all of
//! them at one primitive.
//!
//! A further primitive is one function, and one word in the list of `scenes.rs`.

mod executors;
mod items;
mod locks;
mod scenes;

use executors::{Executor, Spawn};
use scenes::SCENES;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Far more than any of them takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Plays all scenes under an executor, each within the limit.
fn play(executor: fn() -> Box<dyn Executor>) {
    for (name, scene) in SCENES {
        let (over, ended) = channel();
        let playing = std::thread::spawn(move || {
            let executor = executor();
            let spawn = executor.spawner();
            executor.run(scene(Spawn(spawn)));
            let _ = over.send(());
        });
        let ended = ended.recv_timeout(LIMIT);
        if ended != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            playing.join().unwrap_or_else(|_| panic!("the scene `{name}` panicked"));
        }
        ended.unwrap_or_else(|_| panic!("the scene `{name}` did not end within {LIMIT:?}"));
        println!("{name}: as promised");
    }
}

#[test]
fn under_kasasagi() {
    play(|| Box::new(executors::Kasasagi::new()));
}

#[test]
fn under_tokio() {
    play(|| Box::new(executors::Tokio::new()));
}

#[test]
fn under_smol() {
    play(|| Box::new(executors::Smol::new()));
}

#[test]
fn under_a_bare_block_on() {
    play(|| Box::new(executors::Bare));
}

#[test]
fn mt_08_under_all_of_them_at_once() {
    play(|| Box::new(executors::Mixed::new()));
}
