//! The clocks of the stream. Only pauses and metrics depend on them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A clock that only goes forwards.
#[expect(
    clippy::disallowed_methods,
    reason = "pauses and time-outs need a clock; no data depends on it"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// What says the time of day. Only the lag in milliseconds depends on it, which is measured against the
/// server's time of commit; it may jump. The default is the machine's; tests bring others.
#[derive(Clone, Copy, Debug)]
pub struct WallClock(fn() -> i64);

impl WallClock {
    /// A clock that gives milliseconds since 1970-01-01T00:00:00Z.
    pub fn new(unix_ms: fn() -> i64) -> WallClock {
        WallClock(unix_ms)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z, as the clock believes.
    pub fn unix_ms(&self) -> i64 {
        (self.0)()
    }
}

/// The machine's.
impl Default for WallClock {
    fn default() -> WallClock {
        WallClock(of_machine)
    }
}

/// Whether both ask the same function.
impl PartialEq for WallClock {
    fn eq(&self, other: &WallClock) -> bool {
        std::ptr::fn_addr_eq(self.0, other.0)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "lag is measured against the server's time of commit"
)]
fn of_machine() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
