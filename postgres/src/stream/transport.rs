//! What brings the stream.

use std::collections::BTreeSet;

use super::fault::Fault;
use crate::event::Step;
use crate::lsn::Lsn;

/// A connection that brings the stream, once it is known to be the right one.
pub(super) trait Transport {
    /// Waits for what comes next, and adds the steps that it completes. Gives up to where
    /// everything has now been received, if no transaction is under way and that is known. To drop
    /// the future loses nothing.
    fn next(&mut self, steps: &mut Vec<Step>) -> impl Future<Output = Result<Heard, Fault>> + Send;

    /// Tells the server, soon, that it need not keep anything before this position.
    fn acknowledge(&mut self, position: Lsn) -> impl Future<Output = Result<(), Fault>> + Send;

    /// How many values became null so far because no value stands for them.
    fn lost_values(&self) -> u64;
}

/// What was heard beside steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Everything before this position was sent, and no transaction is under way.
    pub(super) position: Option<Lsn>,
    /// Where the server's log ends.
    pub(super) server_end: Option<Lsn>,
    /// The object ids of the tables that are asked for from here on, if they are others.
    pub(super) tables: Option<BTreeSet<u32>>,
}

/// What a connection is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// The server's timeline.
    pub(super) timeline: u32,
    /// Where the slot stands: reading begins here.
    pub(super) confirmed: Lsn,
}
