//! libFuzzer's way into the `gates` checker.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kasasagi_fuzz::gates::run(bytes));
