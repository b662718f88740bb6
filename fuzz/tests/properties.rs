//! The checkers under bytes of proptest's, which shrinks what fails, and under the corpus.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::path::Path;

/// How many cases of each: `KASASAGI_CASES`.
fn check(name: &str, longest: usize, run: fn(&[u8])) {
    let cases = std::env::var("KASASAGI_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1500);
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let bytes = proptest::collection::vec(any::<u8>(), 0..longest);
    let checked = TestRunner::new(config).run(&bytes, |bytes| {
        run(&bytes);
        Ok(())
    });
    if let Err(error) = checked {
        panic!("{name}: {error}");
    }
    println!("PROPERTY {name} {cases} cases");
}

/// Every file of the corpus, in order.
fn replay(name: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("a corpus")
        .map(|file| file.expect("a file").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "the corpus of {name} is empty");
    for file in &files {
        println!("replaying {}", file.display());
        run(&std::fs::read(file).expect("it can be read"));
    }
    println!("CORPUS {name} {} files", files.len());
}

macro_rules! properties {
    ($($name:ident $longest:literal;)*) => {$(
        mod $name {
            #[test]
            fn it_does_as_its_model() {
                super::check(stringify!($name), $longest, kasasagi_fuzz::$name::run);
            }

            #[test]
            fn the_corpus_passes() {
                super::replay(stringify!($name), kasasagi_fuzz::$name::run);
            }
        }
    )*};
}

properties! {
    wheel 800;
    registry 600;
    slab 200;
    queue 400;
    life 600;
    items 500;
    gates 500;
    signals 400;
}
