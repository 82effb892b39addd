//! Arbitrary text, and damaged messages, as what a client of the sync server says.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    penstock_fuzz::sync_message(bytes);
});
