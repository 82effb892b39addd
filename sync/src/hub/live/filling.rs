//! Live queries that are filled step by step, in turn.

use penstock::{Budget, Error, Params, Query};

use super::{LiveId, Lives};
use crate::hub::clock::monotonic_us;

impl Lives {
    /// As [`find_or_make`](Lives::find_or_make), but a new one is filled step by step
    /// ([`Lives::fill`]), the first of up to so many rows at once.
    pub(crate) fn find_or_begin(
        &mut self,
        key: &str,
        budget: Budget,
        query: impl FnOnce() -> Result<Query, Error>,
        rows: usize,
    ) -> Result<LiveId, Error> {
        if let Some(id) = self.by_key.get(key) {
            return Ok(*id);
        }
        let id = self.make(key, budget, |database, budget| {
            let params = Params::default();
            let mut begun = database.subscribe_in_steps_within(query()?, &params, budget)?;
            let (_, left) = begun.grow_within(rows, budget)?;
            Ok((begun, left))
        })?;
        match self.get(id).is_some_and(|live| !live.is_complete()) {
            true => self.filling.push_back(id),
            false => self.filled.push(id),
        }
        Ok(id)
    }

    /// Fills one of the live queries that are not complete by a step of up to so many rows. Returns
    /// it if it cannot go on, with the reason.
    pub(crate) fn fill(&mut self, rows: usize) -> Option<(LiveId, Error)> {
        while let Some(id) = self.filling.pop_front() {
            let Some(live) = self.all.get_mut(&id) else { continue };
            let started = monotonic_us();
            let grown = live.subscription.grow_within(rows, live.budget);
            let grown = grown.map(|(is_complete, left)| {
                live.budget = left;
                is_complete
            });
            match grown {
                Ok(true) => {
                    live.complete_at = self.database.version().ok();
                    self.filled.push(id);
                }
                Ok(false) => self.filling.push_back(id),
                Err(error) => {
                    // Who wants it again is to have another.
                    if self.by_key.get(&live.key) == Some(&id) {
                        self.by_key.remove(&live.key);
                    }
                    return Some((id, error));
                }
            }
            live.hydrated_us += monotonic_us().saturating_sub(started);
            return None;
        }
        None
    }

    /// Those whose sets of rows have become too large to be kept; they are as they were. Whoever wants one
    /// again is to have another.
    pub(crate) fn take_lost(&mut self) -> Vec<LiveId> {
        let lost = std::mem::take(&mut self.lost);
        for id in &lost {
            if let Some(live) = self.all.get(id)
                && self.by_key.get(&live.key) == Some(id)
            {
                self.by_key.remove(&live.key);
            }
        }
        lost
    }

    /// Whether there are live queries to fill.
    pub(crate) fn is_filling(&self) -> bool {
        self.filling.iter().any(|id| self.all.contains_key(id))
    }

    /// Whether a live query has all the rows of the cut, so that a group can take them.
    pub(crate) fn is_ready(&self, id: LiveId) -> bool {
        self.get(id).and_then(|live| live.complete_at).is_some_and(|at| at <= self.cut)
    }
}
