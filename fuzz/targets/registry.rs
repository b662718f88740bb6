//! libFuzzer's way into the `registry` checker.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kasasagi_fuzz::registry::run(bytes));
