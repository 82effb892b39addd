//! Whether what comes continues what the consumer has.

use crate::event::Header;
use crate::lsn::Lsn;

/// Where a consumer stands: what it has written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The identifier of the server.
    pub system: u64,
    /// Its timeline.
    pub timeline: u32,
    /// Everything before this position is durable at the consumer.
    pub position: Lsn,
    /// The last transaction that the consumer has; none if it has only a copy.
    pub last: Option<LastTransaction>,
}

/// What tells a transaction of one history from any of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastTransaction {
    /// The position of its commit record.
    pub commit: Lsn,
    /// The server's transaction id.
    pub xid: u32,
}

/// What to do with a transaction that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The consumer does not have it.
    New,
    /// The consumer has it.
    Known,
    /// The consumer does not have it, and should have, or the other way round: the server's history
    /// is another one.
    Diverged,
}

/// Compares the transactions that come with what the consumer has.
#[derive(Clone, Debug)]
pub(super) struct Continuity {
    position: Lsn,
    last: Option<LastTransaction>,
    /// Whether the last transaction must come before any other.
    expected: bool,
}

impl Continuity {
    /// For reading from where the slot stands.
    pub(super) fn new(position: Lsn, last: Option<LastTransaction>, confirmed: Lsn) -> Continuity {
        let expected = last.is_some_and(|last| last.commit >= confirmed);
        Continuity { position, last, expected }
    }

    /// Whether the history is known to be the same.
    pub(super) fn is_verified(&self) -> bool {
        !self.expected
    }

    /// The consumer will have this transaction, and everything before a position.
    pub(super) fn delivered(&mut self, last: LastTransaction, position: Lsn) {
        self.last = Some(last);
        self.position = position;
    }

    /// The consumer will have everything before a position.
    pub(super) fn reached(&mut self, position: Lsn) {
        self.position = position;
    }

    /// Judges the next transaction, in their order.
    pub(super) fn judge(&mut self, header: &Header) -> Verdict {
        let Some(last) = self.last else {
            return if header.commit < self.position { Verdict::Known } else { Verdict::New };
        };
        if header.commit < last.commit {
            return Verdict::Known;
        }
        if header.commit == last.commit {
            self.expected = false;
            return if header.xid == last.xid { Verdict::Known } else { Verdict::Diverged };
        }
        match self.expected || header.commit < self.position {
            true => Verdict::Diverged,
            false => Verdict::New,
        }
    }

    /// Judges a position up to which everything was sent.
    pub(super) fn judge_position(&self, position: Lsn) -> Verdict {
        match self.last {
            Some(last) if self.expected && position > last.commit => Verdict::Diverged,
            _ if position <= self.position => Verdict::Known,
            _ => Verdict::New,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(commit: u64, xid: u32) -> Header {
        Header { commit: Lsn(commit), xid, committed_at: 0, origin: None }
    }

    fn last(commit: u64, xid: u32) -> Option<LastTransaction> {
        Some(LastTransaction { commit: Lsn(commit), xid })
    }

    #[test]
    fn what_the_consumer_has_is_known_and_the_rest_is_new() {
        let mut continuity = Continuity::new(Lsn(110), last(100, 7), Lsn(50));
        assert!(!continuity.is_verified());
        assert_eq!(continuity.judge(&header(60, 5)), Verdict::Known);
        assert_eq!(continuity.judge(&header(100, 7)), Verdict::Known);
        assert!(continuity.is_verified());
        assert_eq!(continuity.judge(&header(110, 8)), Verdict::New);
    }

    #[test]
    fn another_history_is_recognised() {
        let start = Continuity::new(Lsn(150), last(100, 7), Lsn(50));
        assert_eq!(start.clone().judge(&header(100, 8)), Verdict::Diverged, "another transaction");
        assert_eq!(
            start.clone().judge(&header(101, 8)),
            Verdict::Diverged,
            "the last is not there"
        );
        assert_eq!(start.judge_position(Lsn(101)), Verdict::Diverged, "the last is not there");
        let mut known = start;
        assert_eq!(known.judge(&header(100, 7)), Verdict::Known);
        assert_eq!(known.judge(&header(120, 8)), Verdict::Diverged, "we read past it and saw none");
        assert_eq!(known.judge(&header(150, 8)), Verdict::New);
    }

    #[test]
    fn nothing_is_expected_that_was_confirmed() {
        let mut continuity = Continuity::new(Lsn(150), last(100, 7), Lsn(150));
        assert!(continuity.is_verified());
        assert_eq!(continuity.judge_position(Lsn(150)), Verdict::Known);
        assert_eq!(continuity.judge_position(Lsn(160)), Verdict::New);
        assert_eq!(continuity.judge(&header(150, 8)), Verdict::New);
    }

    #[test]
    fn after_a_copy_what_lies_before_it_is_known() {
        let mut continuity = Continuity::new(Lsn(100), None, Lsn(50));
        assert_eq!(continuity.judge(&header(99, 1)), Verdict::Known);
        assert_eq!(continuity.judge(&header(100, 2)), Verdict::New);
    }
}
