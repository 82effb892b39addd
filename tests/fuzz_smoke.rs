//! The fuzz targets for a short while on stable: over bytes from a fixed generator, and over every
//! input that was kept in `fuzz/corpus-kept/`.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use support::fuzz::{ast_json, queries_and_batches_from_bytes};

/// The longest that one input may take; what is slower than this counts as a hang.
const INPUT_TIME_MAX: Duration = Duration::from_secs(20);

/// Deterministic pseudo-random bytes (xorshift).
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 24) as u8
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }
}

#[allow(clippy::disallowed_methods)] // To notice a hang.
fn timed(bytes: &[u8], target: impl FnOnce(&[u8])) {
    let started = Instant::now();
    target(bytes);
    assert!(started.elapsed() < INPUT_TIME_MAX, "too slow: {bytes:?}");
}

/// The inputs kept for a target, by name.
fn kept(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus-kept").join(target);
    let entries = std::fs::read_dir(&folder).expect("the folder is in the repository");
    let mut inputs: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            (name.unwrap_or_default(), std::fs::read(&path).expect("a readable file"))
        })
        .collect();
    inputs.sort();
    inputs
}

#[test]
fn queries_and_batches_over_noise() {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for _ in 0..600 {
        let length = 400 + 8 * usize::from(noise.byte());
        timed(&noise.bytes(length), queries_and_batches_from_bytes);
    }
}

#[test]
fn queries_and_batches_over_what_was_kept() {
    let inputs = kept("queries_and_batches");
    assert!(inputs.len() >= 5, "there are {} inputs", inputs.len());
    for (name, input) in inputs {
        println!("{name}");
        timed(&input, queries_and_batches_from_bytes);
    }
}

#[test]
fn ast_json_over_noise() {
    let mut noise = Noise(0x2545_f491_4f6c_dd1d);
    let mut queries = 0;
    for _ in 0..4000 {
        let edits = 3 * usize::from(noise.byte() % 6);
        let mut input = vec![noise.byte() | 128];
        input.extend(noise.bytes(edits));
        timed(&input, |input| queries += usize::from(ast_json(input)));
    }
    for _ in 0..2000 {
        let length = usize::from(noise.byte());
        timed(&noise.bytes(length), |input| queries += usize::from(ast_json(input)));
    }
    assert!(queries > 100, "only {queries} inputs were queries");
}

#[test]
fn ast_json_over_what_was_kept() {
    let mut queries = 0;
    let inputs = kept("ast_json");
    assert!(inputs.len() >= 5, "there are {} inputs", inputs.len());
    for (name, input) in inputs {
        println!("{name}");
        timed(&input, |input| queries += usize::from(ast_json(input)));
    }
    assert!(queries >= 5, "only {queries} of them are queries");
}
