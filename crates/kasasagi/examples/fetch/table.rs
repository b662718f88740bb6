//! The table: N requests one after the other, N at once, and how many times faster that is.

use crate::cli::Local;
use crate::get;
use crate::server::Server;
use kasasagi::{spawn, time};
use std::time::Duration;

const ROWS: [usize; 5] = [5, 10, 20, 50, 100];
/// Rows up to this are measured one after the other; longer ones take minutes and are projected.
const MEASURED: usize = 10;

pub(crate) async fn run(server: &Server, local: &Local) -> Result<(), String> {
    let delay = local.delay;
    println!("Each response takes the server {} ms.", delay.as_millis());
    if !local.full {
        println!(
            "Sequential rows above {MEASURED} requests (~) are projected from the row of {MEASURED}; --full measures them."
        );
    }
    println!("{:>9} {:>13} {:>13} {:>9}", "requests", "sequential", "concurrent", "speed-up");
    let mut each = Duration::ZERO;
    for n in ROWS {
        let projected = n > MEASURED && !local.full;
        let sequential =
            if projected { each * n as u32 } else { one_by_one(server, n, delay).await? };
        each = if projected { each } else { sequential / n as u32 };
        let concurrent = all_at_once(server, n, delay).await?;
        let speed_up = sequential.as_secs_f64() / concurrent.as_secs_f64();
        let mark = if projected { "~" } else { "" };
        let sequential = format!("{mark}{:.2} s", sequential.as_secs_f64());
        println!("{n:>9} {sequential:>13} {:>11.2} s {speed_up:>8.1}x", concurrent.as_secs_f64());
    }
    Ok(())
}

async fn one_by_one(server: &Server, n: usize, delay: Duration) -> Result<Duration, String> {
    let url = server.url(delay);
    let began = time::now();
    for _ in 0..n {
        get::get(&server.client, &url).await?;
    }
    Ok(time::now() - began)
}

async fn all_at_once(server: &Server, n: usize, delay: Duration) -> Result<Duration, String> {
    let began = time::now();
    let tasks: Vec<_> = (0..n)
        .map(|_| {
            let (client, url) = (server.client.clone(), server.url(delay));
            spawn(async move { get::get(&client, &url).await })
        })
        .collect();
    for task in tasks {
        task.await.map_err(|error| error.to_string())??;
    }
    Ok(time::now() - began)
}
