//! What time it is, as the hub is told.

use std::time::Instant;

/// The time of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Milliseconds since some moment; never goes back.
    pub mono_ms: u64,
    /// Milliseconds since 1970-01-01 UTC; may jump.
    pub unix_ms: u64,
}

/// Microseconds since some moment, for measuring; nothing depends on them.
#[expect(clippy::disallowed_methods, reason = "measures how long hydrations take, for people")]
pub(crate) fn monotonic_us() -> u64 {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// A clock that runs only while somebody is connected.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ActiveClock {
    passed: u64,
    since: Option<u64>,
}

impl ActiveClock {
    /// A clock that stands at this time.
    pub(crate) fn at(passed: u64) -> ActiveClock {
        ActiveClock { passed, since: None }
    }

    /// Starts it.
    pub(crate) fn start(&mut self, now: Now) {
        self.since.get_or_insert(now.mono_ms);
    }

    /// Stops it.
    pub(crate) fn stop(&mut self, now: Now) {
        self.passed = self.read(now);
        self.since = None;
    }

    /// Milliseconds that it has run.
    pub(crate) fn read(&self, now: Now) -> u64 {
        self.passed + self.since.map_or(0, |since| now.mono_ms.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_active_clock_stands_while_stopped() {
        let now = |mono_ms| Now { mono_ms, unix_ms: 0 };
        let mut clock = ActiveClock::at(5);
        assert_eq!(clock.read(now(100)), 5);
        clock.start(now(100));
        clock.start(now(110));
        assert_eq!(clock.read(now(120)), 25);
        clock.stop(now(130));
        assert_eq!(clock.read(now(500)), 35);
    }
}
