//! Scenes: each is a process of its own, which lowers its limits, dies over its workers, or loses its file.
#![allow(unsafe_code, reason = "a job ends its process in ways that only unsafe code can")]

#[cfg(target_os = "linux")]
mod stage;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    stage::main()
}

/// They look into `/proc`.
#[cfg(not(target_os = "linux"))]
fn main() {
    println!("running 0 tests\ntest result: ok. 0 passed; 0 failed");
}
