//! The command line.

use clap::{Arg, ArgAction, Command, value_parser};
use std::path::PathBuf;
use std::time::Duration;

/// What to do.
pub(crate) struct Arguments {
    pub(crate) mode: Mode,
}

pub(crate) enum Mode {
    /// Fetch the URLs in a file.
    Urls { file: PathBuf, concurrency: usize, timeout: Duration },
    /// Measure against the server of our own.
    Local(Local),
}

pub(crate) struct Local {
    pub(crate) delay: Duration,
    pub(crate) full: bool,
    pub(crate) flood: usize,
    pub(crate) flood_delay: Duration,
}

pub(crate) fn parse() -> Result<Arguments, clap::Error> {
    let matches = command().try_get_matches()?;
    let millis =
        |name| Duration::from_millis(*matches.get_one::<u64>(name).expect("it has a default"));
    let number = |name| *matches.get_one::<u64>(name).expect("it has a default") as usize;
    let mode = match matches.get_one::<PathBuf>("urls") {
        Some(file) => Mode::Urls {
            file: file.clone(),
            concurrency: number("concurrency"),
            timeout: *matches.get_one::<Duration>("timeout").expect("it has a default"),
        },
        None => Mode::Local(Local {
            delay: millis("delay"),
            full: matches.get_flag("full"),
            flood: number("flood"),
            flood_delay: millis("flood-delay"),
        }),
    };
    Ok(Arguments { mode })
}

fn command() -> Command {
    let number = |name: &'static str, default: &'static str| {
        Arg::new(name).long(name).default_value(default).value_parser(value_parser!(u64))
    };
    Command::new("fetch")
        .about("Fetches many URLs, one after the other and all at once")
        .after_help("Exit status: 0 if all went well, 1 if anything failed, 2 for misuse.")
        .arg(
            Arg::new("urls")
                .long("urls")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Fetch the http:// URLs in FILE, one a line; # begins a comment. A status of 400 or more is a failure"),
        )
        .arg(
            number("concurrency", "100")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..=1_000_000))
                .requires("urls")
                .help("With --urls: how many requests at once"),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("SECONDS")
                .default_value("30")
                .value_parser(seconds)
                .requires("urls")
                .help("With --urls: how long one request may take"),
        )
        .arg(number("delay", "1000").value_name("MS").help("How long the table's server waits"))
        .arg(
            Arg::new("full")
                .long("full")
                .action(ArgAction::SetTrue)
                .help("Measure every sequential row instead of projecting the long ones (3 minutes)"),
        )
        .arg(
            number("flood", "10000")
                .value_name("N")
                .help("How many requests at once after the table; 0: none"),
        )
        .arg(number("flood-delay", "50").value_name("MS").help("How long the server waits then"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("a time must be positive".to_owned()),
    }
}
