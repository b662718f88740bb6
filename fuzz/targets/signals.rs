//! libFuzzer's way into the `signals` checker.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kasasagi_fuzz::signals::run(bytes));
