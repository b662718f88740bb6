//! What comes back: results, panics, and what cannot be sent.

use crate::drive::run;
use crate::jobs::{ask, pid, square, with, workers};
use futures_util::future::{Either, join_all, select};
use kasasagi_process_pool::{Bytes, JobError};
use kasasagi_reactor::time::sleep;
use serde::{Deserialize, Serialize};
use std::pin::pin;
use std::time::Duration;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Magpie {
    name: String,
    flights: Vec<(u32, f64)>,
}

#[test]
fn exec_18_a_job_runs_in_another_process_and_its_result_comes_back() {
    run(async {
        let workers = workers(1);
        let hello = |name: String| format!("hello {name}");
        assert_eq!(ask(&workers, hello, "kasa".into()).await.expect("it ends"), "hello kasa");
        let other = ask(&workers, pid, ()).await.expect("it ends");
        assert_ne!(other, std::process::id());
        let magpie =
            |n: u32| Magpie { name: "kasa".into(), flights: vec![(n, 0.5), (n + 1, -1.0)] };
        assert_eq!(ask(&workers, magpie, 3).await.expect("it ends"), magpie(3));
        let fails = |n: i32| if n < 0 { Err(format!("{n} is negative")) } else { Ok(n) };
        assert_eq!(ask(&workers, fails, -1).await.expect("it ends"), Err("-1 is negative".into()));
    });
}

#[test]
fn a_panic_is_an_error_of_its_own_and_the_worker_survives() {
    run(async {
        let workers = workers(1);
        let before = ask(&workers, pid, ()).await.expect("it ends");
        let panicked = ask(&workers, |n: u32| assert!(n < 3, "{n} is too many"), 5).await;
        let Err(JobError::Panicked(panic)) = panicked else { panic!("it panicked: {panicked:?}") };
        assert_eq!(panic.message(), "5 is too many");
        assert!(panic.place().is_some_and(|place| place.contains("results.rs:")), "{panic}");
        let silent = ask(&workers, |()| -> () { std::panic::panic_any(7_u8) }, ()).await;
        let Err(JobError::Panicked(silent)) = silent else { panic!("it panicked: {silent:?}") };
        assert_eq!(silent.message(), "its payload is no text");
        assert_eq!(ask(&workers, pid, ()).await.expect("it ends"), before);
    });
}

#[test]
fn a_thousand_jobs_on_three_workers_each_give_their_own() {
    run(async {
        let workers = workers(3);
        let results = join_all((0..1_000).map(|n| ask(&workers, square, n))).await;
        for (n, result) in results.into_iter().enumerate() {
            assert_eq!(result.expect("it ends"), (n * n) as u64);
        }
        assert_eq!(workers.processes(), 3);
    });
}

#[test]
fn large_arguments_and_results_go_through_and_others_go_on_meanwhile() {
    fn reversed(mut bytes: Bytes) -> Bytes {
        bytes.reverse();
        bytes
    }
    run(async {
        let workers = workers(1);
        let bytes: Vec<u8> = (0..16_u32 << 20).map(|n| (n % 251) as u8).collect();
        let mut job = pin!(ask(&workers, reversed, Bytes::from(bytes.clone())));
        let mut ticks = 0;
        let back = loop {
            match select(job, pin!(sleep(Duration::from_micros(100)))).await {
                Either::Left((back, _)) => break back.expect("it ends"),
                Either::Right(((), again)) => {
                    ticks += 1;
                    job = again;
                }
            }
        };
        assert!(back.iter().eq(bytes.iter().rev()));
        assert!(ticks > 5, "timers had their turn between the pieces: {ticks}");
    });
}

#[test]
fn what_is_too_long_is_an_error_of_its_job_and_the_worker_survives() {
    run(async {
        let workers = with(|config| config.max_message = 1_000);
        let before = ask(&workers, pid, ()).await.expect("it ends");
        let refused = workers.request(|text: String| text.len(), &"x".repeat(2_000));
        assert!(matches!(refused, Err(JobError::Argument(why)) if why.contains("max_message")));
        let refused = ask(&workers, |n: usize| "x".repeat(n), 2_000).await;
        assert!(matches!(refused, Err(JobError::Output(why)) if why.contains("max_message")));
        let flood = ask(&workers, |n: usize| -> () { panic!("{}", "x".repeat(n)) }, 2_000).await;
        assert!(matches!(flood, Err(JobError::Output(_))), "{flood:?}");
        assert_eq!(ask(&workers, |n: usize| "x".repeat(n), 900).await.expect("it ends").len(), 900);
        assert_eq!(ask(&workers, pid, ()).await.expect("it ends"), before);
    });
}

#[test]
fn an_error_is_told_though_results_are_short() {
    run(async {
        let workers = with(|config| config.max_message = 8);
        let before = ask(&workers, pid, ()).await.expect("it ends");
        let refused = ask(&workers, |n: usize| "x".repeat(n), 100).await;
        assert!(matches!(&refused, Err(JobError::Output(_))), "{refused:?}");
        let panicked = ask(&workers, |()| -> () { panic!("it is the wrong kind") }, ()).await;
        assert!(matches!(&panicked, Err(JobError::Output(_))), "{panicked:?}");
        assert_eq!(ask(&workers, pid, ()).await.expect("it ends"), before);
    });
}

/// Encodes, and cannot be decoded.
#[derive(Debug, Serialize)]
struct OneWay(u8);

impl<'de> Deserialize<'de> for OneWay {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("one way only"))
    }
}

/// Cannot be encoded.
#[derive(Debug, Deserialize)]
struct Mute;

impl Serialize for Mute {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("mute"))
    }
}

#[test]
fn what_cannot_be_encoded_or_decoded_is_an_error_on_whichever_side() {
    run(async {
        let workers = workers(1);
        let before = ask(&workers, pid, ()).await.expect("it ends");
        let refused = workers.request(|_: Mute| (), &Mute);
        assert!(matches!(refused, Err(JobError::Argument(_))));
        let refused = ask(&workers, |_: OneWay| (), OneWay(1)).await;
        assert!(matches!(refused, Err(JobError::Argument(_))), "{refused:?}");
        let refused = ask(&workers, |()| Mute, ()).await;
        assert!(matches!(refused, Err(JobError::Output(_))), "{refused:?}");
        let refused = ask(&workers, |()| OneWay(1), ()).await;
        assert!(matches!(refused, Err(JobError::Output(_))), "{refused:?}");
        assert_eq!(ask(&workers, pid, ()).await.expect("it ends"), before);
    });
}

#[test]
fn output_is_the_parents_and_input_is_empty() {
    run(async {
        let workers = workers(1);
        let read =
            |()| std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string());
        assert_eq!(ask(&workers, read, ()).await.expect("it ends"), Ok(String::new()));
        let arguments = |()| std::env::args().count();
        assert_eq!(ask(&workers, arguments, ()).await.expect("it ends"), 1);
    });
}
