//! What a user sees who uses an attribute where it cannot work: the words, and that they point to the place.

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

#[test]
fn a_function_that_is_not_async_is_told_so_at_its_fn() {
    refused(
        "#[kasasagi_macros::main]\npub(crate) fn main() {}",
        "`#[kasasagi::main]` runs an `async fn`: write `async fn` here, or leave the attribute out",
        "2:12",
    );
    refused(
        "#[kasasagi_macros::test]\nfn async_things() {}\nfn main() {}",
        "`#[kasasagi::test]` runs an `async fn`: write `async fn` here, or leave the attribute out",
        "2:1",
    );
}

#[test]
fn what_is_no_function_is_told_where_the_attribute_belongs() {
    refused(
        "#[kasasagi_macros::main]\nstruct Main;\nfn main() {}",
        "`#[kasasagi::main]` belongs to an `async fn`",
        "2:1",
    );
}

#[test]
fn an_unknown_argument_is_told_which_there_are() {
    refused(
        "#[kasasagi_macros::main(current_thread, threads = 4)]\nasync fn main() -> u8 { 1 }",
        "`#[kasasagi::main]` knows no `threads`: write `workers = n`, `current_thread` or `virtual_time`, or build a \
         `kasasagi::Runtime` for anything else",
        "1:41",
    );
}

#[test]
fn arguments_that_contradict_each_other_or_say_nothing_are_told_so() {
    let main = "\nasync fn main() {}";
    for (arguments, text, place) in [
        (
            "workers = 2, current_thread",
            "say either `workers = n` or `current_thread`, and once",
            "1:38",
        ),
        ("workers", "a number was expected: `workers = 4`", "1:25"),
        ("workers(4)", "a number was expected: `workers = 4`", "1:32"),
        ("workers = ,", "a number was expected: `workers = 4`", "1:25"),
        ("virtual_time, virtual_time", "`virtual_time` is said twice", "1:39"),
        ("current_thread virtual_time", "a comma was expected after `current_thread`", "1:40"),
    ] {
        refused(&format!("#[kasasagi_macros::main({arguments})]{main}"), text, place);
    }
}

#[test]
fn a_test_with_arguments_or_twice_a_test_is_told_so() {
    refused(
        "#[kasasagi_macros::test]\nasync fn adds(a: u32) {}\nfn main() {}",
        "a test takes no arguments: nobody is there to give them",
        "2:15",
    );
    refused(
        "#[kasasagi_macros::test]\n#[test]\nasync fn twice() {}\nfn main() {}",
        "`#[kasasagi::test]` makes it a test already: leave this `#[test]` out",
        "2:3",
    );
}
