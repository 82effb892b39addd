//! Who needs a partition: the parent rows that refer to it.
//!
//! A partition lives as long as it has a holder or a subscriber. Holders are also the way up: a
//! change in a partition reaches exactly the parent rows that show it or are gated by it.

use std::collections::BTreeSet;

use crate::key::Key;
use crate::level::{LevelId, Slot};

/// Beyond this many holders a sorted tree takes over from the list.
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

/// A set of holders: one for most partitions, and huge for some.
#[derive(Clone, Debug, Default)]
#[expect(clippy::box_collection, reason = "one word, so that a holder alone decides the size")]
pub(crate) enum Holders {
    #[default]
    None,
    One(Holder),
    Few(Box<Vec<Holder>>),
    Many(Box<BTreeSet<Holder>>),
}

impl Holders {
    /// Adds a holder; returns whether it is new.
    pub(crate) fn insert(&mut self, holder: Holder) -> bool {
        if let Holders::Many(set) = self {
            return set.insert(holder);
        }
        if self.few().contains(&holder) {
            return false;
        }
        *self = match std::mem::take(self) {
            Holders::None => Holders::One(holder),
            Holders::One(first) => Holders::Few(Box::new(vec![first, holder])),
            Holders::Few(list) if list.len() == FEW => {
                Holders::Many(Box::new(list.into_iter().chain([holder]).collect()))
            }
            Holders::Few(mut list) => {
                list.push(holder);
                Holders::Few(list)
            }
            many @ Holders::Many(_) => many,
        };
        true
    }

    /// Removes a holder; returns whether it was there.
    pub(crate) fn remove(&mut self, holder: &Holder) -> bool {
        match self {
            Holders::None => false,
            Holders::One(one) => {
                let found = one == holder;
                if found {
                    *self = Holders::None;
                }
                found
            }
            Holders::Few(list) => {
                let Some(at) = list.iter().position(|other| other == holder) else { return false };
                list.swap_remove(at);
                if list.len() == 1
                    && let Some(last) = list.pop()
                {
                    *self = Holders::One(last);
                }
                true
            }
            Holders::Many(set) => {
                let found = set.remove(holder);
                if set.len() <= FEW / 2 {
                    *self =
                        Holders::Few(Box::new(std::mem::take(&mut **set).into_iter().collect()));
                }
                found
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Holders::None)
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Holders::Many(set) => set.len(),
            _ => self.few().len(),
        }
    }

    /// The holders where they are few.
    fn few(&self) -> &[Holder] {
        match self {
            Holders::None | Holders::Many(_) => &[],
            Holders::One(holder) => std::slice::from_ref(holder),
            Holders::Few(list) => list,
        }
    }

    /// All holders. The order depends only on the history of the set.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Holder> {
        let many = match self {
            Holders::Many(set) => Some(set.iter()),
            _ => None,
        };
        self.few().iter().chain(many.into_iter().flatten())
    }

    /// The rows of a level that hold this partition through one of its edges, as partition and key.
    pub(crate) fn of(&self, level: LevelId, slot: Slot) -> Vec<(u32, Key)> {
        let row = |holder: &Holder| (holder.partition, holder.key.clone());
        match self {
            Holders::Many(set) => {
                let first = Holder { level, slot, partition: 0, key: Key::default() };
                set.range(first..)
                    .take_while(|holder| holder.level == level && holder.slot == slot)
                    .map(row)
                    .collect()
            }
            _ => self
                .few()
                .iter()
                .filter(|holder| holder.level == level && holder.slot == slot)
                .map(row)
                .collect(),
        }
    }

    /// Bytes held outside the struct itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        let keys: usize = self.iter().map(|holder| holder.key.heap_bytes()).sum();
        keys + match self {
            Holders::None | Holders::One(_) => 0,
            Holders::Few(list) => size_of::<Vec<Holder>>() + list.capacity() * size_of::<Holder>(),
            // The nodes of a tree are two thirds full on average, and have links.
            Holders::Many(set) => {
                size_of::<BTreeSet<Holder>>() + set.len() * size_of::<Holder>() * 3 / 2
            }
        }
    }
}
