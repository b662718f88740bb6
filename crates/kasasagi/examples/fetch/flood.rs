//! Ten thousand requests at once, with a progress bar where somebody watches.

use crate::get;
use crate::server::Server;
use indicatif::{ProgressBar, ProgressStyle};
use kasasagi::{spawn, time};
use std::time::Duration;

/// Descriptors that are not sockets of requests: standard streams, pollers, pipes; with a margin.
const RESERVE: u64 = 100;
/// One request waits at most that long, so that a lost one ends the program with an error and not in silence.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(server: &Server, wanted: usize, delay: Duration) -> Result<(), String> {
    if wanted == 0 {
        return Ok(());
    }
    let limit = rlimit::increase_nofile_limit(u64::MAX).map_err(|error| error.to_string())?;
    let fits = usize::try_from(limit.saturating_sub(RESERVE)).unwrap_or(usize::MAX);
    let n = wanted.min(fits);
    if n < wanted {
        println!(
            "{wanted} requests would need more than the {limit} descriptors there are: {n} it is."
        );
    }
    if n == 0 {
        return Err(format!("a limit of {limit} descriptors leaves none for requests"));
    }
    server.peak().await?;
    let bar = progress(n as u64);
    let began = time::now();
    let tasks: Vec<_> = (0..n)
        .map(|_| {
            let (client, url, bar) = (server.client.clone(), server.url(delay), bar.clone());
            spawn(async move {
                let reply = time::timeout(PATIENCE, get::get(&client, &url)).await;
                bar.inc(1);
                reply.map_err(|_| format!("no answer within {PATIENCE:?}"))?
            })
        })
        .collect();
    let mut failures = Vec::new();
    for task in tasks {
        match task.await {
            Ok(Ok(_reply)) => {}
            Ok(Err(message)) => failures.push(message),
            Err(error) => failures.push(error.to_string()),
        }
    }
    let took = time::now() - began;
    bar.finish_and_clear();
    println!(
        "{n} requests at once, {} ms each at the server: {:.2} s, {:.0} a second, up to {} waiting at the server together, {} failed",
        delay.as_millis(),
        took.as_secs_f64(),
        n as f64 / took.as_secs_f64(),
        server.peak().await?,
        failures.len()
    );
    match failures.first() {
        None => Ok(()),
        Some(first) => {
            Err(format!("{} of {n} requests failed; the first: {first}", failures.len()))
        }
    }
}

/// A bar on standard error if that is a terminal; nothing in a pipe.
pub(crate) fn progress(len: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec}, {eta} left")
        .expect("the template is well formed");
    ProgressBar::new(len).with_style(style)
}
