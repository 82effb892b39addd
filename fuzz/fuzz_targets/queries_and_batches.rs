//! Arbitrary schemas, data, queries and transactions against the naive evaluator.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: penstock_fuzz::Input| {
    penstock_fuzz::queries_and_batches(&input);
});
