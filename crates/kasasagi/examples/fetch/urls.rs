//! The user's URLs: each on its own, so many at once, each with its time; one bad URL spoils no other.

use crate::flood::progress;
use crate::get::{self, Client};
use kasasagi::sync::Semaphore;
use kasasagi::{FutureExt, spawn, time};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The URLs in `file`, one a line, without blank lines and comments.
pub(crate) fn read(file: &Path) -> Result<Vec<String>, String> {
    let name = file.display();
    let text = std::fs::read(file).map_err(|error| format!("reading {name}: {error}"))?;
    let text = String::from_utf8(text).map_err(|_| format!("{name} is not text in UTF-8"))?;
    let lines = text.lines().map(str::trim);
    let urls: Vec<_> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    if urls.is_empty() { Err(format!("{name} has no URL in it")) } else { Ok(urls) }
}

/// Fetches all, tells of each as it ends, and of the whole at the end.
pub(crate) async fn fetch_all(
    urls: Vec<String>,
    concurrency: usize,
    timeout: Duration,
) -> Result<(), String> {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let client = kasasagi_http::client();
    let limit = Arc::new(Semaphore::new(concurrency));
    let bar = progress(urls.len() as u64);
    let began = time::now();
    let tasks: Vec<_> = urls
        .into_iter()
        .map(|url| {
            let (client, limit, bar) = (client.clone(), Arc::clone(&limit), bar.clone());
            let name = url.clone();
            spawn(
                async move {
                    let _permit = limit.acquire().await.expect("nobody closes the semaphore");
                    let outcome = fetch(&client, &url, timeout).await;
                    bar.suspend(|| match &outcome {
                        Ok(line) => println!("ok    {url}: {line}"),
                        Err(message) => println!("fail  {url}: {message}"),
                    });
                    bar.inc(1);
                    outcome.is_ok()
                }
                .named(name),
            )
        })
        .collect();
    let all = tasks.len();
    let mut failed = 0;
    for task in tasks {
        failed += usize::from(!matches!(task.await, Ok(true)));
    }
    bar.finish_and_clear();
    println!("{} of {all} fetched in {:.2} s", all - failed, (time::now() - began).as_secs_f64());
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of {all} URLs failed")) }
}

async fn fetch(client: &Client, url: &str, timeout: Duration) -> Result<String, String> {
    let began = time::now();
    let reply = match time::timeout(timeout, get::get(client, url)).await {
        Ok(reply) => reply?,
        Err(_) => return Err(format!("no answer within {} s", timeout.as_secs_f64())),
    };
    if reply.status.is_client_error() || reply.status.is_server_error() {
        return Err(format!("status {}", reply.status));
    }
    let took = (time::now() - began).as_secs_f64();
    Ok(format!("{}, {} bytes, {took:.3} s", reply.status, reply.body.len()))
}
