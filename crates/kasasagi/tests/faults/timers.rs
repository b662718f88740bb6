//! Thousands of sleeps, none of which may end early or stay away.

use crate::echo::{Notes, with_runtime};
use crate::outcome::{Outcome, Settings};
use kasasagi::spawn;
use kasasagi::time::{interval, sleep, timeout};
use std::time::{Duration, Instant};

/// `n` sleeps of 0 to `most_ms`, and an interval beside them.
pub(crate) fn timers(settings: &Settings) -> Outcome {
    let (n, most) = (settings.number("n", 3000), settings.number("most_ms", 50));
    let notes = Notes::default();
    let main = async {
        let mut outcome = Outcome { wanted: n, ..Outcome::default() };
        let ticks = spawn(async {
            let mut ticks = interval(Duration::from_millis(5));
            for _ in 0..5 {
                ticks.tick().await;
            }
        });
        let naps: Vec<_> = (0..n)
            .map(|i| {
                spawn(async move {
                    let time = Duration::from_micros(i.wrapping_mul(7919) % (most * 1000 + 1));
                    let due = Instant::now() + time;
                    // Every third is limited by a longer time, every other third by one that comes first.
                    match i % 3 {
                        0 => sleep(time).await,
                        1 => assert!(
                            timeout(time + Duration::from_secs(3600), sleep(time)).await.is_ok()
                        ),
                        _ => assert!(timeout(time, std::future::pending::<()>()).await.is_err()),
                    }
                    Instant::now().checked_duration_since(due)
                })
            })
            .collect();
        let mut latest = Duration::ZERO;
        for nap in naps {
            match timeout(settings.time("end_ms", 15_000), nap).await {
                Ok(Ok(Some(late))) => {
                    latest = latest.max(late);
                    outcome.done += 1;
                }
                Ok(Ok(None)) => outcome.fail("a sleep ended early"),
                Ok(Err(error)) => outcome.fail(format_args!("a sleeper: {error}")),
                Err(_) => {
                    outcome.fail("a sleep did not end");
                    break;
                }
            }
        }
        ticks.await.expect("it ends");
        outcome.count("latest_ms", latest.as_millis() as u64);
        outcome
    };
    let result = with_runtime(settings, &notes, main);
    let mut outcome = notes.take();
    outcome.add(result.unwrap_or_default());
    outcome
}
