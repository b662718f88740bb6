//! libFuzzer's way into the `wheel` checker.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kasasagi_fuzz::wheel::run(bytes));
