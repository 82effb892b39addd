//! Arbitrary text, and edited ASTs, as queries.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    penstock_fuzz::ast_json(bytes);
});
