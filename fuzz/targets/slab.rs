//! libFuzzer's way into the `slab` checker.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kasasagi_fuzz::slab::run(bytes));
