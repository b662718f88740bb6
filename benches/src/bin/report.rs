//! Makes tables and charts of what the benches wrote: report [--check] [--to FOLDER] [FILE ...].

use kasasagi_benches::report::Report;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut report = Report::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--check" => report.check = true,
            "--to" => report.to = Some(PathBuf::from(args.next().expect("--to needs a folder"))),
            file => report.files.push(PathBuf::from(file)),
        }
    }
    if report.files.is_empty() {
        report
            .files
            .push(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench.jsonl")));
    }
    match report.run() {
        Ok(said) => {
            println!("report: {said}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("report: {why}");
            ExitCode::FAILURE
        }
    }
}
