//! Making everything that is kept anew from the source, where nothing is known of what changed.
//!
//! Cost: that of subscribing to every live derived table.

use super::arrange::Arrangement;
use super::flow::{Flow, NodeId};
use super::node::Operator;
use super::store::Store;
use crate::source::{Source, SourceError};

/// What was kept before.
#[derive(Debug, Default)]
pub(crate) struct Replaced {
    operators: Vec<(NodeId, Operator)>,
    arrangements: Vec<(NodeId, Vec<Option<Arrangement>>)>,
    stores: Vec<(u32, Store)>,
}

impl Flow {
    /// Reads everything that is kept anew. What is different then is for the levels to find, which
    /// are read anew as well. To be followed by [`Flow::commit`] or [`Flow::undo`].
    ///
    /// # Errors
    /// A failing source; everything is then as before.
    pub(crate) fn reread(&mut self, source: &dyn Source) -> Result<(), SourceError> {
        let mut replaced = Box::new(Replaced::default());
        let outcome = self.rebuild(source, &mut replaced);
        self.replaced = Some(replaced);
        if outcome.is_err() {
            self.undo();
        }
        outcome
    }

    fn rebuild(&mut self, source: &dyn Source, replaced: &mut Replaced) -> Result<(), SourceError> {
        let live = self.nodes.iter().enumerate();
        let mut order: Vec<(u32, NodeId)> = live
            .filter_map(|(at, node)| Some((node.as_ref()?.height, NodeId(at as u32))))
            .collect();
        order.sort();
        for (_, id) in order {
            let node = self.node(id);
            if let Some(mut operator) = node.operator.emptied(&node.plan) {
                self.load(source, &mut operator, node.inputs[0])?;
                let before = std::mem::replace(&mut self.node_mut(id).operator, operator);
                replaced.operators.push((id, before));
            }
            let mut arrangements = Vec::new();
            for kept in &self.node(id).arrangements {
                arrangements.push(match kept {
                    Some(kept) => Some(self.arranged(source, id, kept.emptied())?),
                    None => None,
                });
            }
            if !arrangements.is_empty() {
                let kept = &mut self.node_mut(id).arrangements;
                replaced.arrangements.push((id, std::mem::replace(kept, arrangements)));
            }
        }
        let numbers: Vec<u32> = self.tables.iter().map(|(number, _)| number).collect();
        for number in numbers {
            let Some(table) = self.tables.get(number) else { continue };
            let Some(before) = &table.store else { continue };
            let after = self.stored(source, table, before.emptied())?;
            if let Some(table) = self.tables.get_mut(number)
                && let Some(before) = table.store.replace(after)
            {
                replaced.stores.push((number, before));
            }
        }
        Ok(())
    }

    /// Puts back what was kept before.
    pub(super) fn restore(&mut self, replaced: Replaced) {
        for (id, operator) in replaced.operators {
            self.node_mut(id).operator = operator;
        }
        for (id, arrangements) in replaced.arrangements {
            self.node_mut(id).arrangements = arrangements;
        }
        for (number, store) in replaced.stores {
            if let Some(table) = self.tables.get_mut(number) {
                table.store = Some(store);
            }
        }
    }
}
