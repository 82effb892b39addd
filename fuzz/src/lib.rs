//! What the fuzz targets run. The bodies are those that `tests/fuzz_smoke.rs`, here and in
//! `postgres/`, and `sync/tests/security.rs` run on stable.
//!
//! `cargo +nightly fuzz run queries_and_batches fuzz/corpus fuzz/corpus-kept/queries_and_batches`
//! (and the same for `ast_json`, `pgoutput`, `postgres_values`, `sync_message` and `wal2json`) fuzzes; an input that
//! failed goes to `fuzz/corpus-kept/`.

#[path = "../../tests/support/mod.rs"]
mod support;

#[path = "../../postgres/tests/support/fuzz.rs"]
mod postgres;

#[path = "../../sync/tests/support/fuzz.rs"]
#[allow(dead_code)] // The tests over sockets use the rest.
mod sync;

use arbitrary::{Arbitrary, Unstructured};
use support::case::{Bytes, Case};

/// A schema, rows, queries and transactions. Its debug form tells them.
#[derive(Clone, Debug)]
pub struct Input(Case);

struct Unread<'u, 'a>(&'u mut Unstructured<'a>);

impl Bytes for Unread<'_, '_> {
    fn byte(&mut self) -> Option<u8> {
        if self.0.is_empty() { None } else { self.0.arbitrary().ok() }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let length = length.min(self.0.len());
        self.0.bytes(length).map(<[u8]>::to_vec).unwrap_or_default()
    }
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(unstructured: &mut Unstructured<'a>) -> arbitrary::Result<Input> {
        Ok(Input(Case::read(&mut Unread(unstructured))))
    }
}

/// Runs a case and compares it with the naive evaluator. Panics on a difference.
pub fn queries_and_batches(input: &Input) {
    support::fuzz::queries_and_batches(&input.0);
}

/// Takes any text for an AST, and keeps the query that it is. Panics where the result is wrong.
pub fn ast_json(bytes: &[u8]) {
    support::fuzz::ast_json(bytes);
}

/// Takes any bytes for messages of pgoutput. Panics where what decodes is not what encodes.
pub fn pgoutput(bytes: &[u8]) {
    postgres::pgoutput(bytes);
}

/// Takes any bytes for values of Postgres types. Panics where a value is not one of its column.
pub fn postgres_values(bytes: &[u8]) {
    postgres::values(bytes);
}

/// Takes any text for lines of wal2json.
pub fn wal2json(bytes: &[u8]) {
    postgres::wal2json(bytes);
}

/// Takes any text for what a client of the sync server says. Panics where somebody would read or write
/// what is not theirs. Text that is no message is an edit of one that is.
pub fn sync_message(bytes: &[u8]) {
    if sync::message(bytes) {
        return;
    }
    let mut seed = [1; 8];
    for (at, byte) in bytes.iter().enumerate() {
        seed[at % 8] ^= byte.rotate_left(at as u32 / 8 % 8);
    }
    let mut noise = sync::Noise(u64::from_le_bytes(seed).max(1));
    sync::message(sync::damaged(&mut noise, &sync::seeds()).as_bytes());
}
