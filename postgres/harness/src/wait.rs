//! Waiting for something that another process does.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How long a test waits for what must come: far longer than it takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How often it looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until a condition holds.
///
/// # Panics
///
/// It did not within two minutes; `what` is named.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Waits until what is read equals what is expected.
///
/// # Panics
///
/// It did not within two minutes; both are printed.
pub fn until_equal<T: PartialEq + Debug>(what: &str, expected: &T, mut read: impl FnMut() -> T) {
    let start = Instant::now();
    loop {
        let now = read();
        if now == *expected {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: waited for {expected:?}, still {now:?}");
        std::thread::sleep(PAUSE);
    }
}
