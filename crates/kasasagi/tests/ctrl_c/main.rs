//! Ctrl-C: real signals to real processes. Without an argument, or with a part of a name, it plays each scene in a
//! child, prints a line for each like a harness, and says at the end how many passed.

#[cfg(unix)]
mod scenes;
#[cfg(unix)]
mod stage;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    stage::play(scenes::ALL, scenes::is_beyond_this_build, scenes::take_default_action)
}

#[cfg(not(unix))]
fn main() {}
