//! Arbitrary bytes as messages of pgoutput, alone and as a stream.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    penstock_fuzz::pgoutput(bytes);
});
