//! The `fetch` example against servers that misbehave: one bad URL spoils no other.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The example, built if `cargo test --test behaviour` has not.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.ancestors().nth(2).expect("tests are in PROFILE/deps");
    let example = profile.join("examples").join(format!("fetch{}", std::env::consts::EXE_SUFFIX));
    if !example.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "kasasagi", "--example", "fetch"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let target = profile.parent().expect("profiles are in the target directory");
        assert!(cargo.arg("--target-dir").arg(target).status().expect("cargo runs").success());
    }
    example
}

fn fetch(arguments: &[&str]) -> Output {
    Command::new(example()).args(arguments).output().expect("the example runs")
}

/// Serves every connection on a thread: reads a request, then does `misdeed`. It serves one request a connection: what is
/// well says so, lest the client asks again on the same one.
fn server(misdeed: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let addr = listener.local_addr().expect("a bound socket has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("the listener is sound");
            let _ = stream.read(&mut [0; 1024]);
            std::thread::spawn(move || misdeed(stream));
        }
    });
    addr
}

/// Keeps the connection until the client closes it.
fn wait_for_end(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 1024]);
}

/// One answer a connection, and it says so: the client would send the next request after it.
fn good(mut stream: TcpStream) {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nkachi";
    let _ = stream.write_all(head);
    wait_for_end(stream);
}

fn missing(mut stream: TcpStream) {
    let _ = stream
        .write_all(b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    wait_for_end(stream);
}

fn truncated(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nkachi");
}

/// Bytes of the client that nobody reads turn the close into a reset.
fn reset(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nkachi");
    let linger = socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO));
    linger.expect("an option");
}

fn malformed(mut stream: TcpStream) {
    let _ = stream.write_all(b"kachi kachi\r\n\r\n");
    wait_for_end(stream);
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the target directory can be written");
    path
}

#[test]
fn each_url_has_an_outcome_of_its_own() {
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        listener.local_addr().expect("a bound socket has an address")
    };
    let cases = [
        (format!("http://{}/good", server(good)), "ok", "200 OK, 5 bytes"),
        (format!("http://{}/missing", server(missing)), "fail", "status 404 Not Found"),
        (format!("http://{refused}/"), "fail", "Connection refused"),
        (
            format!("http://{}/truncated", server(truncated)),
            "fail",
            "closed the connection half-way",
        ),
        (format!("http://{}/reset", server(reset)), "fail", "half-way"),
        (format!("http://{}/malformed", server(malformed)), "fail", "malformed reply"),
        (format!("http://{}/slow", server(wait_for_end)), "fail", "no answer within 2 s"),
        ("http://name.invalid/".to_owned(), "fail", "unknown host"),
        ("https://127.0.0.1/".to_owned(), "fail", "https is not supported"),
        ("not a url".to_owned(), "fail", "not a URL"),
        ("example.com".to_owned(), "fail", "not a URL: it begins with http://"),
    ];
    let lines: Vec<_> = cases.iter().map(|(url, ..)| url.as_str()).collect();
    let file = file("fetch-each.txt", &format!("# a comment\n\n{}\n", lines.join("\n")));
    for concurrency in ["1", "100"] {
        let path = file.to_str().expect("the path is UTF-8");
        let output = fetch(&["--urls", path, "--timeout", "2", "--concurrency", concurrency]);
        let told = String::from_utf8(output.stdout).expect("it is text");
        for (url, verdict, message) in &cases {
            let line = told.lines().find(|line| line.contains(&format!(" {url}: ")));
            let line = line.unwrap_or_else(|| panic!("nothing about {url} in {told}"));
            assert!(line.starts_with(verdict) && line.contains(message), "{line}");
        }
        assert!(told.contains("1 of 11 fetched"), "{told}");
        assert_eq!(output.status.code(), Some(1), "{told}");
        let complained = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(complained, "error: 10 of 11 URLs failed\n", "and no bar in a pipe");
    }
}

#[test]
fn when_all_is_well_the_status_is_zero() {
    let addr = server(good);
    let file = file("fetch-well.txt", &format!("http://{addr}/a\nhttp://{addr}/b\r\n"));
    let output = fetch(&["--urls", file.to_str().expect("the path is UTF-8")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn misuse_is_told_and_the_status_is_two() {
    let empty = file("fetch-empty.txt", "\n# nothing but a comment\n");
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fetch-binary.txt");
    std::fs::write(&binary, [0xff, 0xfe, 0]).expect("the target directory can be written");
    let (empty, binary) = (empty.to_str().expect("UTF-8"), binary.to_str().expect("UTF-8"));
    for (arguments, message) in [
        (&["--urls", "/no/such/file"][..], "No such file"),
        (&["--urls", empty], "has no URL in it"),
        (&["--urls", binary], "not text in UTF-8"),
        (&["--urls", empty, "--concurrency", "0"], "0 is not in 1.."),
        (&["--urls", empty, "--timeout=-1"], "a time must be positive"),
        (&["--urls", empty, "--timeout", "soon"], "not a number of seconds"),
        (&["--concurrency", "5"], "--urls <FILE>"),
        (&["--bogus"], "unexpected argument '--bogus'"),
    ] {
        let output = fetch(arguments);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {complained}");
        assert!(complained.contains(message), "{arguments:?}: {complained}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_table_and_the_flood_come_to_their_end() {
    let output = fetch(&["--delay", "20", "--flood", "300"]);
    let told = String::from_utf8(output.stdout).expect("it is text");
    assert_eq!(output.status.code(), Some(0), "{told}");
    for row in ["5", "10", "20", "50", "100"] {
        let row = told.lines().find(|line| line.split_whitespace().next() == Some(row));
        assert!(row.is_some_and(|row| row.ends_with('x')), "{told}");
    }
    assert!(told.contains("300 requests at once") && told.contains(" 0 failed"), "{told}");
    assert!(output.stderr.is_empty(), "no bar in a pipe");
}
