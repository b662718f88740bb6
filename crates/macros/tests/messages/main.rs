//! What a user sees who uses an attribute where it cannot work: the words, and that they point to the place.

mod the_compiler_says;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The macros' library that this test was built with: the newest beside it.
fn library() -> PathBuf {
    let me = std::env::current_exe().expect("a test knows its binary");
    let beside = me.parent().expect("a binary lies in a folder");
    let files = std::fs::read_dir(beside).expect("the folder can be read");
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let library =
            path.extension().is_some_and(|end| ["so", "dylib", "dll"].iter().any(|e| end == *e));
        library && name.contains("kasasagi_macros-")
    };
    let ours = files.filter_map(|file| Some(file.ok()?.path())).filter(is_ours);
    let newest = ours.max_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
    newest.expect("the macros were built")
}

/// What the compiler says of `program`.
fn said_of(program: &str) -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut compiler = Command::new(rustc)
        .args(["--edition=2024", "--emit=metadata", "--color=never", "-o"])
        .arg(std::env::temp_dir().join(format!("kasasagi_macros_{}", std::process::id())))
        .arg("--extern")
        .arg(format!("kasasagi_macros={}", library().display()))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a compiler");
    let mut input = compiler.stdin.take().expect("it was piped");
    input.write_all(program.as_bytes()).expect("it reads its program");
    drop(input);
    let output = compiler.wait_with_output().expect("it ends");
    assert!(!output.status.success(), "it was expected to be refused: {program}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The compiler says `text` of what stands at `place` (line and column) of `program`, and says nothing else.
#[track_caller]
fn refused(program: &str, text: &str, place: &str) {
    let said = said_of(program);
    assert!(said.contains(&format!("error: {text}\n")), "{said}");
    assert!(said.contains(&format!("<anon>:{place}\n")), "not at {place}: {said}");
    assert_eq!(said.matches("error: ").count(), 2, "one error, and how many there are: {said}");
}
