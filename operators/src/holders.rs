//! Who needs a partition: the parent rows that refer to it.
//!
//! A partition lives as long as it has a holder or a subscriber. Holders are also the way up: a
//! change in a partition reaches exactly the parent rows that show it or are gated by it.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use crate::key::Key;
use crate::level::{LevelId, Slot};

/// Beyond this many holders a sorted tree takes over from the linear list.
const FEW: usize = 8;

/// A row of a parent partition that refers to this partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Holder {
    pub(crate) level: LevelId,
    pub(crate) slot: Slot,
    pub(crate) partition: u32,
    /// The parent row's order key; for a junction the key of the far partition.
    pub(crate) key: Key,
}

/// A set of holders, small in most partitions and huge in some.
#[derive(Clone, Debug)]
pub(crate) enum Holders {
    Few(SmallVec<[Holder; 1]>),
    Many(BTreeSet<Holder>),
}

impl Holders {
    pub(crate) fn new() -> Holders {
        Holders::Few(SmallVec::new())
    }

    /// Adds a holder; returns whether it is new.
    pub(crate) fn insert(&mut self, holder: Holder) -> bool {
        match self {
            Holders::Few(list) => {
                if list.contains(&holder) {
                    return false;
                }
                if list.len() < FEW {
                    list.push(holder);
                } else {
                    let mut set: BTreeSet<Holder> = list.drain(..).collect();
                    set.insert(holder);
                    *self = Holders::Many(set);
                }
                true
            }
            Holders::Many(set) => set.insert(holder),
        }
    }

    /// Removes a holder; returns whether it was there.
    pub(crate) fn remove(&mut self, holder: &Holder) -> bool {
        match self {
            Holders::Few(list) => match list.iter().position(|other| other == holder) {
                Some(at) => {
                    list.swap_remove(at);
                    true
                }
                None => false,
            },
            Holders::Many(set) => {
                let found = set.remove(holder);
                if set.len() <= FEW / 2 {
                    *self = Holders::Few(std::mem::take(set).into_iter().collect());
                }
                found
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Holders::Few(list) => list.len(),
            Holders::Many(set) => set.len(),
        }
    }

    /// All holders. The order depends only on the history of the set.
    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = &Holder> + '_> {
        match self {
            Holders::Few(list) => Box::new(list.iter()),
            Holders::Many(set) => Box::new(set.iter()),
        }
    }

    /// The rows of a level that hold this partition through one of its edges, as partition and key.
    pub(crate) fn of(&self, level: LevelId, slot: Slot) -> Vec<(u32, Key)> {
        let row = |holder: &Holder| (holder.partition, holder.key.clone());
        match self {
            Holders::Few(list) => list
                .iter()
                .filter(|holder| holder.level == level && holder.slot == slot)
                .map(row)
                .collect(),
            Holders::Many(set) => {
                let first = Holder { level, slot, partition: 0, key: Key::default() };
                set.range(first..)
                    .take_while(|holder| holder.level == level && holder.slot == slot)
                    .map(row)
                    .collect()
            }
        }
    }

    /// Bytes held outside the struct itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        let keys: usize = self.iter().map(|holder| holder.key.heap_bytes()).sum();
        keys + match self {
            Holders::Few(list) if list.spilled() => list.capacity() * size_of::<Holder>(),
            Holders::Few(_) => 0,
            Holders::Many(set) => set.len() * size_of::<Holder>() * 4 / 3,
        }
    }
}
