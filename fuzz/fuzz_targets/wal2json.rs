//! Arbitrary text as lines of wal2json.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    penstock_fuzz::wal2json(bytes);
});
