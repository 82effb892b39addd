//! Pauses between attempts.

use std::time::Duration;

/// Pauses that double from one attempt to the next, with a random part so that many clients do not
/// come all at once. The same seed gives the same pauses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    shortest: Duration,
    longest: Duration,
    state: u64,
    attempt: u32,
}

/// From a tenth of a second to half a minute.
impl Default for Backoff {
    fn default() -> Backoff {
        let seed = u64::from(std::process::id());
        Backoff::new(Duration::from_millis(100), Duration::from_secs(30), seed)
    }
}

impl Backoff {
    /// Pauses between `shortest` and `longest`.
    pub fn new(shortest: Duration, longest: Duration, seed: u64) -> Backoff {
        Backoff { shortest, longest, state: seed, attempt: 0 }
    }

    /// The next pause: between half of the full one and the full one, which doubles each time.
    pub fn pause(&mut self) -> Duration {
        let doubled = self.shortest.saturating_mul(1 << self.attempt.min(20));
        self.attempt = self.attempt.saturating_add(1);
        let full = doubled.min(self.longest);
        let share = (self.random() >> 11) as f64 / (1u64 << 53) as f64;
        full.mul_f64(0.5 + share / 2.0)
    }

    /// An attempt has worked: the next pause is a short one.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }

    /// SplitMix64, as its authors published it.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_again() {
        let backoff = || Backoff::new(Duration::from_millis(100), Duration::from_secs(5), 7);
        let (mut one, mut other) = (backoff(), backoff());
        for full_ms in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let pause = one.pause();
            let full = Duration::from_millis(full_ms);
            assert!(pause >= full / 2 && pause <= full, "{pause:?} of {full:?}");
            assert_eq!(pause, other.pause());
        }
        one.reset();
        assert!(one.pause() <= Duration::from_millis(100));
        let another = Backoff { state: 8, ..backoff() }.pause();
        assert_ne!(another, backoff().pause());
    }
}
