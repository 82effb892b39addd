//! The fuzz targets for a short while on stable: over recorded messages that are damaged, over bytes
//! from a fixed generator, and over every input that was kept in `fuzz/corpus-kept/`.

#[path = "support/fuzz.rs"]
mod fuzz;
#[path = "support/golden.rs"]
#[allow(dead_code)] // The tests of recordings use the rest.
mod golden;

use std::path::Path;

use golden::Recording;

/// Deterministic pseudo-random numbers (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 24) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Changes, removes, inserts and doubles some bytes.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..1 + self.next() % 3 {
            let at = self.next() % (bytes.len() + 1);
            match self.next() % 5 {
                0 if at < bytes.len() => bytes[at] = self.next() as u8,
                1 if at < bytes.len() => bytes[at] ^= 1 << (self.next() % 8),
                2 => bytes.truncate(at),
                3 => bytes.insert(at, [0, 1, 0x7F, 0xFF, b'"', b'{', b','][self.next() % 7]),
                _ => {
                    let tail = bytes[at..].to_vec();
                    bytes.extend(tail.iter().take(64));
                }
            }
        }
    }
}

fn recordings() -> Vec<Recording> {
    let major = golden::folder().join("15");
    ["rows", "types", "types_binary", "streamed", "prepared"]
        .map(|case| Recording::read(&major, case))
        .into()
}

/// Runs a target over every input that was kept for it; tells how many it took for valid.
fn over_kept(name: &str, target: fn(&[u8]) -> bool) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus-kept").join(name);
    let entries = std::fs::read_dir(&root).expect("the folder is in the repository");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(paths.len() >= 4, "{} inputs are kept for {name}", paths.len());
    let taken = paths.iter().filter(|path| {
        println!("{}", path.display());
        target(&std::fs::read(path).expect("a readable file"))
    });
    taken.count()
}

#[test]
fn pgoutput_over_damaged_messages() {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let (mut valid, mut tried) = (0, 0);
    for recording in recordings() {
        for message in recording.messages.iter().filter(|message| message.len() < 1000) {
            assert!(fuzz::pgoutput(message), "{message:?}");
            for _ in 0..8 {
                let mut message = message.clone();
                noise.damage(&mut message);
                valid += usize::from(fuzz::pgoutput(&message));
                tried += 1;
            }
        }
    }
    assert!(tried > 10_000 && valid > 500 && valid < tried, "{valid} of {tried} were messages");
}

#[test]
fn pgoutput_over_damaged_streams() {
    let mut noise = Noise(0x2545_f491_4f6c_dd1d);
    for recording in recordings() {
        let mut stream = Vec::new();
        for message in recording.messages.iter().filter(|message| message.len() < 256).take(300) {
            stream.push(message.len() as u8);
            stream.extend(message);
        }
        fuzz::pgoutput(&stream);
        for _ in 0..50 {
            let mut stream = stream.clone();
            noise.damage(&mut stream);
            fuzz::pgoutput(&stream);
        }
    }
}

#[test]
fn pgoutput_over_noise_and_what_was_kept() {
    let mut noise = Noise(0x1234_5678_9abc_def1);
    for _ in 0..20_000 {
        let length = noise.next() % 60;
        let mut bytes = noise.bytes(length);
        if let Some(first) = bytes.first_mut() {
            *first = b"BMCORYIUDTSEcAbPKrp"[noise.next() % 19];
        }
        fuzz::pgoutput(&bytes);
    }
    assert!(over_kept("pgoutput", fuzz::pgoutput) > 0);
}

#[test]
fn values_over_damaged_values() {
    use penstock_postgres::pgoutput::{Datum, Message};
    let mut noise = Noise(0xdead_beef_cafe_f00d);
    let (mut valid, mut tried) = (0, 0);
    for recording in recordings() {
        for (_, message) in recording.decoded() {
            let Message::Insert(insert) = message else { continue };
            for datum in insert.new.iter() {
                let (Datum::Text(bytes) | Datum::Binary(bytes)) = datum else { continue };
                if bytes.len() > 500 {
                    continue;
                }
                for type_number in 0..30 {
                    let mut value = bytes.to_vec();
                    noise.damage(&mut value);
                    value.insert(0, type_number);
                    valid += usize::from(fuzz::values(&value));
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 10_000 && valid > 1000 && valid < tried, "{valid} of {tried} were values");
    assert!(over_kept("postgres_values", fuzz::values) > 0);
}

#[test]
fn wal2json_over_damaged_lines() {
    let mut noise = Noise(0x0f0f_1234_5678_9abc);
    let (mut valid, mut tried) = (0, 0);
    for recording in recordings() {
        let begin = recording.lines.first().cloned().unwrap_or_default();
        for line in recording.lines.iter().filter(|line| line.len() < 2000) {
            for _ in 0..20 {
                let mut line = line.clone().into_bytes();
                noise.damage(&mut line);
                let mut lines = begin.clone().into_bytes();
                lines.push(b'\n');
                lines.extend(line);
                valid += usize::from(fuzz::wal2json(&lines));
                tried += 1;
            }
        }
    }
    assert!(tried > 1000 && valid > 20 && valid < tried, "{valid} of {tried} were lines");
    assert!(over_kept("wal2json", fuzz::wal2json) > 0);
}
