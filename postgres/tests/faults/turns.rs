//! How long the tests are, and their random numbers.

use std::time::Duration;

/// One of two numbers: for the short form, and for the long one.
pub(crate) fn turns(short: u64, long: u64) -> u64 {
    match std::env::var_os("PENSTOCK_FAULTS_LONG").is_some() {
        true => long,
        false => short,
    }
}

/// SplitMix64, as its authors published it.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of a test. Prints the seed, which is shown if the test fails.
    pub(crate) fn of(test: &str) -> Random {
        let given = std::env::var("PENSTOCK_FAULTS_SEED").ok().and_then(|seed| seed.parse().ok());
        let by_process = u64::from(std::process::id());
        let seed = given.unwrap_or_else(|| turns(1, by_process));
        println!("{test}: PENSTOCK_FAULTS_SEED={seed}");
        Random(seed)
    }

    /// Further numbers, for a thread.
    pub(crate) fn branch(&mut self) -> Random {
        Random(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number below a limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Lets some time pass, so that what comes next comes at a random point of what others do.
    pub(crate) fn pause(&mut self, from_ms: u64, to_ms: u64) {
        std::thread::sleep(Duration::from_millis(from_ms + self.below(to_ms - from_ms)));
    }
}
