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

/// Milliseconds since 1970, as this machine believes.
#[expect(
    clippy::disallowed_methods,
    reason = "lag is measured against the server's time of commit"
)]
pub(super) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
