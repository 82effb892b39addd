//! Reading every live window again, where it is not known what changed.
//!
//! Levels are processed as for a transaction, children first, but instead of routing deltas a scan
//! level reads each of its partitions from the source as it is now. What then differs from what
//! the window held goes into the window's log, and from there on everything is as for a
//! transaction: links, junctions, holders, patches and undoing. Junctions read nothing: they follow
//! from the logs below.
//!
//! Cost: that of filling every live window. State: none beyond a transaction's.

use std::sync::Arc;

use crate::graph::Graph;
use crate::level::Level;
use crate::relation::source_view::SourceView;
use crate::source::{Source, SourceError};

impl Graph {
    /// Brings all results to the state that the source is in, when nothing is known of what has
    /// changed since they were last brought to one. [`Graph::commit`] then tells what changed, and
    /// [`Graph::undo`] forgets it, as after [`Graph::advance`].
    ///
    /// Cost: that of a first evaluation of all that is live, each shared part once.
    ///
    /// # Errors
    /// A failing source; every result is then as it was before.
    pub fn reread(&mut self, source: &mut dyn Source) -> Result<(), SourceError> {
        let Some(mut flow) = self.flow.take() else { return self.reread_levels(source) };
        let mut outcome = flow.reread(source);
        if outcome.is_ok() {
            outcome = self.reread_levels(&SourceView { base: source, flow: &mut flow });
            if outcome.is_err() {
                flow.undo();
            }
        }
        self.flow = Some(flow);
        outcome
    }

    fn reread_levels(&mut self, source: &dyn Source) -> Result<(), SourceError> {
        debug_assert!(self.reached.is_empty(), "one transaction at a time");
        let mut queue = std::mem::take(&mut self.queue);
        for id in self.live_levels() {
            self.enqueue(&mut queue, id);
        }
        self.process_all(source, None, queue)
    }

    /// Reads the windows of all partitions of a scan level again.
    pub(crate) fn reread_level(
        &self,
        source: &dyn Source,
        level: &mut Level,
    ) -> Result<(), SourceError> {
        let live: Vec<u32> = level.partitions.iter().map(|(id, _)| id).collect();
        for partition in live {
            let held = level.partition(partition);
            let (route, binding) = (held.route.clone(), Arc::clone(&held.binding));
            let room = binding.extent.capacity().unwrap_or(usize::MAX);
            let (rows, exhausted) = self.fill(source, level, &route, &binding, None, room)?;
            if level.partition_mut(partition).window.replace(rows, exhausted) {
                level.mark(partition);
            }
        }
        Ok(())
    }
}
