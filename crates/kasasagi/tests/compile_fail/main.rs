//! What a user sees who writes what the types forbid: the error, and what it says to do.
//!
//! Small programs are given to the compiler. Where the words are its own, only the error's number and the names are
//! compared, since words change from version to version.

mod the_compiler_says;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of this test, where all libraries lie that it was built with.
fn beside() -> PathBuf {
    let me = std::env::current_exe().expect("a test knows its binary");
    me.parent().map(Path::to_owned).expect("a binary lies in a folder")
}

/// The library that this test was built with: the newest beside it.
fn library() -> PathBuf {
    let files = std::fs::read_dir(beside()).expect("the folder can be read");
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("libkasasagi-") && name.ends_with(".rlib")
    };
    let ours = files.filter_map(|file| Some(file.ok()?.path())).filter(is_ours);
    let newest = ours.max_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
    newest.expect("the library was built")
}

/// Whether `main` compiles that runs `body`, and what the compiler says of it.
fn compiled(body: &str) -> (bool, String) {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut dependencies = std::ffi::OsString::from("dependency=");
    dependencies.push(beside());
    let mut external = std::ffi::OsString::from("kasasagi=");
    external.push(library());
    let mut compiler = Command::new(rustc)
        .args(["--edition=2024", "--emit=metadata", "--color=never", "-Dunused_must_use", "-L"])
        .arg(dependencies)
        .arg("--extern")
        .arg(external)
        .arg("-o")
        // Nothing is written there but by the one program that is right.
        .arg(std::env::temp_dir().join(format!("kasasagi_{}.rmeta", std::process::id())))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a compiler");
    let program = format!(
        "#![allow(unused_imports, reason = \"each mistake uses some\")]\nuse kasasagi::*;\nfn main() {{\n{body}\n}}\n"
    );
    let mut input = compiler.stdin.take().expect("it was piped");
    std::io::Write::write_all(&mut input, program.as_bytes()).expect("it reads its program");
    drop(input);
    let output = compiler.wait_with_output().expect("it ends");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// `body`, which runs in a task, is refused with exactly one error, and what is said has all of these in it.
#[track_caller]
fn refused(body: &str, parts: &[&str]) {
    let (well, said) = compiled(&format!("kasasagi::run(async {{\n{body}\n}});"));
    assert!(!well, "it was expected to be refused: {body}");
    for part in parts {
        assert!(said.contains(part), "no `{part}` in what is said of {body}:\n{said}");
    }
    let errors =
        said.lines().filter(|line| line.starts_with("error") && !line.contains("aborting due to"));
    assert_eq!(errors.count(), 1, "{body}:\n{said}");
}

/// The same with the mistake put right is accepted: what is refused is refused for that mistake alone.
#[track_caller]
fn accepted(body: &str) {
    let (well, said) = compiled(&format!("kasasagi::run(async {{\n{body}\n}});"));
    assert!(well, "it was expected to compile: {body}:\n{said}");
}
