//! libFuzzer's way into the `queue` checker.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kasasagi_fuzz::queue::run(bytes));
