//! Arbitrary bytes as values of Postgres types, in text and binary form.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    penstock_fuzz::postgres_values(bytes);
});
