//! One clock for all processes of this machine.

use rustix::time::{ClockId, clock_gettime};

/// Microseconds on the monotonic clock of the machine, which all processes share.
#[must_use]
pub fn micros() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_nsec.unsigned_abs() / 1000
}
