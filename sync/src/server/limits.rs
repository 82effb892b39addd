//! What the server refuses at its sockets: limits, each with a name, and how often each was hit.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Shared;
use crate::measure::{Exposition, Limit};

/// Limits of sockets; each names what is refused when it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time, of any kind. One more is closed, and its client comes again. It is lowered at the
    /// start to what the system allows this process to have open.
    pub connections: usize,
    /// Bytes of a request's head. One that is longer is refused.
    pub header_bytes: usize,
    /// For how long the head of a request may take, from the connection on. Then it is closed.
    pub header_time: Duration,
    /// Bytes of a client's frame. A longer one closes the socket with code 1009, at which clients give up
    /// what they hold; one that is twice as long is not even read.
    pub frame_bytes: usize,
    /// Bytes of a client's frames that have come and have not been dealt with. Beyond, no more of its
    /// frames are read until some have been.
    pub unhandled_bytes: usize,
    /// After how long without a frame a client is sent a sign of life.
    pub quiet: Duration,
    /// After how long without any frame of the client its socket is closed.
    pub silent: Duration,
    /// For how long a frame may take to be written. Then the socket is closed.
    pub write_time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 20_000,
            header_bytes: 256 * 1024,
            header_time: Duration::from_secs(10),
            frame_bytes: 10 * 1024 * 1024,
            unhandled_bytes: 16 * 1024 * 1024,
            quiet: Duration::from_secs(6),
            silent: Duration::from_secs(120),
            write_time: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// All of them by name.
    #[must_use]
    pub fn named(&self) -> Vec<(Limit, u64)> {
        let number = |limit: usize| u64::try_from(limit).unwrap_or(u64::MAX);
        let ms = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        vec![
            (Limit::Connections, number(self.connections)),
            (Limit::HeaderBytes, number(self.header_bytes)),
            (Limit::HeaderTime, ms(self.header_time)),
            (Limit::FrameBytes, number(self.frame_bytes)),
            (Limit::UnhandledBytes, number(self.unhandled_bytes)),
            (Limit::Quiet, ms(self.quiet)),
            (Limit::Silence, ms(self.silent)),
            (Limit::WriteTime, ms(self.write_time)),
        ]
    }

    /// How many bytes of a frame count towards those that are not dealt with.
    pub(super) fn room_for(&self, bytes: usize) -> u32 {
        // What is kept of a frame is larger than its text. One of any size must go through by itself.
        u32::try_from((bytes + 256).min(self.unhandled())).unwrap_or(u32::MAX)
    }

    /// How many bytes need not be dealt with.
    pub(super) fn unhandled(&self) -> usize {
        self.unhandled_bytes.clamp(1024, u32::MAX as usize >> 4)
    }
}

/// All limits of sockets and of the hub with their values, and of others what is known; and how often each
/// was hit.
pub(super) fn all(shared: &Shared) -> Vec<(Limit, Option<u64>, u64)> {
    let values: BTreeMap<Limit, u64> =
        shared.hub_limits.named().into_iter().chain(shared.limits.named()).collect();
    let of = |limit| (limit, values.get(&limit).copied(), shared.measures.hits.of(limit));
    Limit::ALL.into_iter().map(of).collect()
}

/// Writes them as metrics.
pub(super) fn write(shared: &Shared, exposition: &mut Exposition) {
    let all = all(shared);
    let family = exposition.family("gauge", "penstock_limit", "What is refused, by name.");
    for (limit, value, _) in &all {
        if let Some(value) = value {
            family.sample(&[("limit", limit.name())], *value as f64);
        }
    }
    let help = "How often a limit was hit.";
    let family = exposition.family("counter", "penstock_limit_hits_total", help);
    for (limit, _, hits) in &all {
        family.sample(&[("limit", limit.name())], *hits as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_a_name() {
        let fields = format!("{:?}", Limits::default()).matches(": ").count();
        assert_eq!(Limits::default().named().len(), fields);
    }

    #[test]
    fn a_frame_of_any_size_finds_room_by_itself() {
        for unhandled_bytes in [0, 1024, 10 << 20, usize::MAX] {
            let limits = Limits { unhandled_bytes, ..Limits::default() };
            for bytes in [0, 1, 1 << 20, usize::MAX >> 1] {
                let room = limits.room_for(bytes) as usize;
                assert!(room > 0 && room <= limits.unhandled(), "{room} of {unhandled_bytes}");
            }
        }
    }
}
