//! Partitions: the rows of a level for one route and one binding, and how they are found.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::distinct::Reached;
use crate::holders::Holders;
use crate::key::Key;
use crate::level::{FixedMap, Slot, fixed_hasher};
use crate::plan::Binding;
use crate::take::Window;

/// Beyond this many variants of a route they are found by hashing their bindings.
const FEW: usize = 4;

/// The rows of a level for one route and one binding.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) route: Key,
    pub(crate) binding: Arc<Binding>,
    pub(crate) window: Window,
    pub(crate) holders: Holders,
    pub(crate) subscribers: u32,
    /// Present in the partitions of a junction.
    pub(crate) junction: Option<Box<Reached>>,
    pub(crate) batch: PartitionBatch,
}

/// What a partition gathers during one transaction.
#[derive(Debug, Default)]
pub(crate) struct PartitionBatch {
    /// Whether the partition is in [`LevelBatch::dirty`](crate::level::LevelBatch::dirty).
    pub(crate) dirty: bool,
    /// Whether the partition was made in this transaction.
    pub(crate) fresh: bool,
    /// Rows below which something changed, with the edge that leads there.
    pub(crate) touched: Vec<(Key, Slot)>,
}

/// The partitions with one route. They differ in their bindings.
#[derive(Debug, Default)]
struct Variants {
    ids: SmallVec<[u32; 1]>,
    by_binding: Option<Box<FixedMap<Arc<Binding>, u32>>>,
}

/// The live partitions of a level.
#[derive(Debug)]
pub(crate) struct Partitions {
    index: FixedMap<Key, Variants>,
    slots: Vec<Option<Box<Partition>>>,
    free: Vec<u32>,
    live: usize,
}

impl Partitions {
    pub(crate) fn new() -> Partitions {
        Partitions {
            index: FixedMap::with_hasher(fixed_hasher()),
            slots: Vec::new(),
            free: Vec::new(),
            live: 0,
        }
    }

    /// The number of partitions.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// The partitions with a route, whatever their binding.
    #[inline]
    pub(crate) fn variants(&self, route: &[u8]) -> &[u32] {
        self.index.get(route).map_or(&[], |variants| &variants.ids)
    }

    /// The partition with a route and a binding.
    pub(crate) fn find(&self, route: &[u8], binding: &Arc<Binding>) -> Option<u32> {
        let variants = self.index.get(route)?;
        if let Some(by_binding) = &variants.by_binding {
            return by_binding.get(binding).copied();
        }
        variants.ids.iter().copied().find(|&id| {
            let other = &self.get(id).binding;
            Arc::ptr_eq(other, binding) || other == binding
        })
    }

    /// A partition.
    ///
    /// # Panics
    /// Where it is not live: whoever keeps an id keeps the partition alive.
    #[inline]
    pub(crate) fn get(&self, id: u32) -> &Partition {
        match &self.slots[id as usize] {
            Some(partition) => partition,
            None => unreachable!("a partition that is referred to is live"),
        }
    }

    /// A partition, to change.
    #[inline]
    pub(crate) fn get_mut(&mut self, id: u32) -> &mut Partition {
        match &mut self.slots[id as usize] {
            Some(partition) => partition,
            None => unreachable!("a partition that is referred to is live"),
        }
    }

    /// A partition, if it is still live.
    pub(crate) fn get_live(&self, id: u32) -> Option<&Partition> {
        self.slots.get(id as usize)?.as_deref()
    }

    /// All partitions, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Partition)> {
        (0u32..).zip(&self.slots).filter_map(|(id, slot)| Some((id, slot.as_deref()?)))
    }

    /// Adds an empty partition.
    pub(crate) fn add(&mut self, route: Key, binding: Arc<Binding>) -> u32 {
        let partition = Box::new(Partition {
            route: route.clone(),
            binding: Arc::clone(&binding),
            window: Window::new(),
            holders: Holders::new(),
            subscribers: 0,
            junction: None,
            batch: PartitionBatch { fresh: true, ..PartitionBatch::default() },
        });
        let id = match self.free.pop() {
            Some(id) => {
                self.slots[id as usize] = Some(partition);
                id
            }
            None => {
                self.slots.push(Some(partition));
                (self.slots.len() - 1) as u32
            }
        };
        self.live += 1;
        let variants = self.index.entry(route).or_default();
        variants.ids.push(id);
        match &mut variants.by_binding {
            Some(by_binding) => drop(by_binding.insert(binding, id)),
            None if variants.ids.len() > FEW => {
                let mut by_binding = FixedMap::with_hasher(fixed_hasher());
                let slots = &self.slots;
                by_binding.extend(variants.ids.iter().filter_map(|&id| {
                    Some((Arc::clone(&slots[id as usize].as_ref()?.binding), id))
                }));
                variants.by_binding = Some(Box::new(by_binding));
            }
            None => {}
        }
        id
    }

    /// Removes a partition.
    pub(crate) fn take(&mut self, id: u32) -> Option<Box<Partition>> {
        let partition = self.slots[id as usize].take()?;
        self.free.push(id);
        self.live -= 1;
        if let Some(variants) = self.index.get_mut(&partition.route) {
            if let Some(by_binding) = &mut variants.by_binding {
                by_binding.remove(&partition.binding);
            }
            if let Some(at) = variants.ids.iter().position(|other| *other == id) {
                variants.ids.remove(at);
            }
            if variants.ids.is_empty() {
                self.index.remove(&partition.route);
            }
        }
        if self.live == 0 {
            // Nothing refers to a slot any more, so all of it can go.
            *self = Partitions::new();
        }
        Some(partition)
    }

    /// Bytes of state: partitions, windows, holders and look-up tables.
    pub(crate) fn bytes(&self) -> usize {
        let index = self.index.capacity() * (size_of::<Key>() + size_of::<Variants>() + 1);
        let slots = self.slots.capacity() * size_of::<Option<Box<Partition>>>();
        let partitions: usize = self
            .iter()
            .map(|(_, partition)| {
                size_of::<Partition>()
                    + 2 * partition.route.heap_bytes()
                    + partition.window.bytes()
                    + partition.holders.heap_bytes()
                    + partition.junction.as_ref().map_or(0, |junction| junction.bytes())
            })
            .sum();
        index + slots + partitions
    }
}
