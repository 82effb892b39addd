//! The transaction that is under way, handed on in pieces.

use crate::assemble::AssembleError;
use crate::event::{Change, Header, Step};
use crate::lsn::Lsn;

/// How large the pieces of a transaction may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PieceLimits {
    /// The most changes of a piece.
    pub changes_max: usize,
    /// From this many bytes of messages on a piece is complete.
    pub message_bytes_max: usize,
}

/// 4096 changes, 4 MiB.
impl Default for PieceLimits {
    fn default() -> PieceLimits {
        PieceLimits { changes_max: 4096, message_bytes_max: 4 << 20 }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Pieces {
    limits: PieceLimits,
    state: State,
    /// The position of the commit of the transaction under way.
    commit: Lsn,
    changes: Vec<Change>,
    bytes: usize,
}

#[derive(Debug, Default)]
enum State {
    /// Between transactions.
    #[default]
    Outside,
    /// It has begun, and its origin may follow.
    Begun(Header),
    /// Its beginning has been handed on.
    Inside,
}

impl Pieces {
    pub(crate) fn new(limits: PieceLimits) -> Pieces {
        Pieces { limits, ..Pieces::default() }
    }

    pub(crate) fn is_inside(&self) -> bool {
        !matches!(self.state, State::Outside)
    }

    pub(crate) fn begin(&mut self, header: Header) -> Result<(), AssembleError> {
        if self.is_inside() {
            return Err(AssembleError::OutOfPlace { message: "Begin" });
        }
        self.commit = header.commit;
        self.state = State::Begun(header);
        Ok(())
    }

    pub(crate) fn origin(&mut self, name: &str) -> Result<(), AssembleError> {
        match &mut self.state {
            State::Begun(header) => {
                header.origin = Some(name.to_owned());
                Ok(())
            }
            _ => Err(AssembleError::OutOfPlace { message: "Origin" }),
        }
    }

    /// The position of the commit of the transaction under way; an error outside of one.
    pub(crate) fn inside(&self, message: &'static str) -> Result<Lsn, AssembleError> {
        match self.state {
            State::Outside => Err(AssembleError::OutOfPlace { message }),
            _ => Ok(self.commit),
        }
    }

    /// Adds a change that took so many bytes. Only inside of a transaction.
    pub(crate) fn change(&mut self, change: Change, bytes: usize, steps: &mut Vec<Step>) {
        let is_full = self.changes.len() >= self.limits.changes_max;
        if is_full || self.bytes >= self.limits.message_bytes_max {
            self.hand_on(steps);
        }
        self.changes.push(change);
        self.bytes += bytes;
    }

    /// The change that was added last, unless it has been handed on.
    pub(crate) fn last(&mut self) -> Option<&mut Change> {
        self.changes.last_mut()
    }

    pub(crate) fn commit(&mut self, end: Lsn, steps: &mut Vec<Step>) -> Result<(), AssembleError> {
        self.inside("Commit")?;
        self.hand_on(steps);
        self.state = State::Outside;
        steps.push(Step::Commit { end });
        Ok(())
    }

    /// Forgets the transaction under way.
    pub(crate) fn reset(&mut self) {
        *self = Pieces::new(self.limits);
    }

    fn hand_on(&mut self, steps: &mut Vec<Step>) {
        if let State::Begun(header) = std::mem::replace(&mut self.state, State::Inside) {
            steps.push(Step::Begin(header));
        }
        self.bytes = 0;
        if !self.changes.is_empty() {
            steps.push(Step::Changes(std::mem::take(&mut self.changes)));
        }
    }
}
