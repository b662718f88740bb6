//! libFuzzer's way into the `life` checker.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kasasagi_fuzz::life::run(bytes));
