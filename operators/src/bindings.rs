//! Bindings in use: which constants live queries ask a level for.
//!
//! A level learns of a binding when a query that contains it comes, whether or not a partition has
//! it yet: the rows that would need the partition may only come later. From this a change in a
//! gate's level knows all the ways in which it can matter above.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::key::Key;
use crate::level::{FixedMap, Slot, fixed_hasher};
use crate::plan::Binding;
use crate::route::constants;

/// What uses one binding of a gate.
#[derive(Debug, Default)]
struct GateUse {
    /// Bindings of the level that contain it.
    bindings: u32,
    /// Live partitions of the level whose bindings contain it.
    partitions: BTreeSet<u32>,
}

/// The bindings of one gate, by their encoded constants.
type GateBindings = FixedMap<Key, IndexMap<Arc<Binding>, GateUse, ahash::RandomState>>;

/// The bindings of one level.
#[derive(Debug)]
pub(crate) struct Bindings {
    uses: FixedMap<Arc<Binding>, u32>,
    gates: Vec<GateBindings>,
}

impl Bindings {
    /// For a level with so many gates.
    pub(crate) fn new(gates: usize) -> Bindings {
        Bindings {
            uses: FixedMap::with_hasher(fixed_hasher()),
            gates: (0..gates).map(|_| FixedMap::with_hasher(fixed_hasher())).collect(),
        }
    }

    /// Counts a use; returns whether it is the binding's first.
    pub(crate) fn add(&mut self, binding: &Arc<Binding>) -> bool {
        let uses = self.uses.entry(Arc::clone(binding)).or_insert(0);
        *uses += 1;
        let first = *uses == 1;
        if first {
            self.change(binding, |gate| gate.bindings += 1);
        }
        first
    }

    /// Gives a use back; returns whether it was the binding's last.
    pub(crate) fn remove(&mut self, binding: &Arc<Binding>) -> bool {
        let Some(uses) = self.uses.get_mut(binding) else { return false };
        *uses -= 1;
        let last = *uses == 0;
        if last {
            self.uses.remove(binding);
            self.change(binding, |gate| gate.bindings = gate.bindings.saturating_sub(1));
        }
        last
    }

    /// Notes a new partition.
    pub(crate) fn add_partition(&mut self, binding: &Binding, id: u32) {
        self.change(binding, |gate| {
            gate.partitions.insert(id);
        });
    }

    /// Forgets a partition.
    pub(crate) fn remove_partition(&mut self, binding: &Binding, id: u32) {
        self.change(binding, |gate| {
            gate.partitions.remove(&id);
        });
    }

    /// The bindings in use of a gate with these constants.
    pub(crate) fn of_gate(&self, slot: Slot, constants: &[u8]) -> Vec<Arc<Binding>> {
        let by_binding = self.gates[usize::from(slot)].get(constants);
        by_binding.map(|by_binding| by_binding.keys().cloned().collect()).unwrap_or_default()
    }

    /// The live partitions of the level whose bindings contain a binding of a gate.
    pub(crate) fn partitions(
        &self,
        slot: Slot,
        gate: &Arc<Binding>,
    ) -> impl ExactSizeIterator<Item = u32> {
        static NONE: BTreeSet<u32> = BTreeSet::new();
        let by_binding = self.gates[usize::from(slot)].get(&constants(gate));
        let found = by_binding.and_then(|by_binding| by_binding.get(gate));
        found.map_or(&NONE, |gate| &gate.partitions).iter().copied()
    }

    /// Changes what is known of the gates of a binding, and forgets those that nothing uses.
    fn change(&mut self, binding: &Binding, change: impl Fn(&mut GateUse)) {
        for (bindings, gate) in self.gates.iter_mut().zip(&binding.children) {
            let constants = constants(gate);
            let by_binding = bindings
                .entry(constants.clone())
                .or_insert_with(|| IndexMap::with_hasher(fixed_hasher()));
            let used = by_binding.entry(Arc::clone(gate)).or_default();
            change(used);
            if used.bindings == 0 && used.partitions.is_empty() {
                by_binding.swap_remove(gate);
                if by_binding.is_empty() {
                    bindings.remove(&constants);
                }
            }
        }
    }
}
