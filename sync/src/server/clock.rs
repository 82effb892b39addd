//! The time.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::hub::Now;

/// The time now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a server has clients that wait")]
pub fn now() -> Now {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Now { mono_ms: ms(start.elapsed()), unix_ms: ms(unix) }
}

/// Microseconds since 1970-01-01 UTC.
#[expect(
    clippy::disallowed_methods,
    reason = "measures how late clients are told; nothing depends on it"
)]
pub(super) fn unix_us() -> i64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(unix.as_micros()).unwrap_or(i64::MAX)
}
