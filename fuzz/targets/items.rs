//! libFuzzer's way into the `items` checker.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kasasagi_fuzz::items::run(bytes));
