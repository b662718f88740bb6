//! Fetches many URLs, one after the other and all at once, and says how much the second saves.
//!
//! `cargo run --release -p kasasagi --example fetch` starts a server of its own in a child process, which answers
//! each request after a second, and prints a table; then it sends 10,000 requests at once.
//! `… --example fetch -- --urls FILE` fetches the URLs in a file, one a line.

mod cli;
mod flood;
mod get;
mod server;
mod table;
mod urls;

use cli::Mode;
use std::process::ExitCode;

/// Arguments or a file that make no sense; as the shell's own commands have it.
const MISUSE: u8 = 2;

fn main() -> ExitCode {
    if server::is_child() {
        return report(kasasagi::run(server::serve()));
    }
    let arguments = match cli::parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help is no error: it goes to stdout, and the status is 0.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    match arguments.mode {
        Mode::Urls { file, concurrency, timeout } => match urls::read(&file) {
            Ok(urls) => report(kasasagi::run(urls::fetch_all(urls, concurrency, timeout))),
            Err(message) => {
                eprintln!("error: {message}");
                ExitCode::from(MISUSE)
            }
        },
        Mode::Local(local) => report(kasasagi::run(async move {
            let server = server::Server::start()?;
            table::run(&server, &local).await?;
            flood::run(&server, local.flood, local.flood_delay).await
        })),
    }
}

fn report(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
