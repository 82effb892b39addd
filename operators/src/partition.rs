//! Partitions: the rows of a level for one route and one binding, and how they are found.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use hashbrown::HashTable;
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
    /// Whether nobody has read yet what the partition holds.
    pub(crate) unfilled: bool,
    touched: Option<Box<Touched>>,
}

/// Rows below which something changed, with the edge that leads there.
type Touched = SmallVec<[(Key, Slot); 2]>;

impl PartitionBatch {
    /// Notes that something changed below a row.
    pub(crate) fn touch(&mut self, key: Key, slot: Slot) {
        self.touched.get_or_insert_default().push((key, slot));
    }

    /// The rows below which something changed, with the edge that leads there.
    pub(crate) fn touched(&self) -> &[(Key, Slot)] {
        self.touched.as_ref().map_or(&[], |touched| touched)
    }

    /// Forgets what the transaction was about, but for whether it made the partition.
    pub(crate) fn clear(&mut self) {
        self.dirty = false;
        self.touched = None;
    }
}

/// Marks a number in the hash table as one of several partitions with one route.
const SHARED: u32 = 1 << 31;

/// The partitions with one route, of which there are at least two. They differ in their bindings.
#[derive(Debug, Default)]
struct Variants {
    ids: Vec<u32>,
    by_binding: Option<Box<FixedMap<Arc<Binding>, u32>>>,
}

/// The live partitions of a level.
#[derive(Debug)]
pub(crate) struct Partitions {
    /// By route: a partition, or with [`SHARED`] set a place in `shared`.
    by_route: HashTable<u32>,
    shared: Vec<Variants>,
    free_shared: Vec<u32>,
    slots: Vec<Option<Box<Partition>>>,
    free: Vec<u32>,
    live: usize,
    hasher: ahash::RandomState,
}

/// What the look-up by route needs of the rest.
struct Routes<'p> {
    shared: &'p [Variants],
    slots: &'p [Option<Box<Partition>>],
    hasher: &'p ahash::RandomState,
}

impl Routes<'_> {
    fn hash(&self, route: &[u8]) -> u64 {
        let mut state = self.hasher.build_hasher();
        state.write(route);
        state.finish()
    }

    fn route(&self, entry: u32) -> &[u8] {
        let id = match entry & SHARED {
            0 => entry,
            _ => self.shared[(entry ^ SHARED) as usize].ids[0],
        };
        self.slots[id as usize].as_ref().map_or(&[], |partition| &partition.route)
    }
}

impl Partitions {
    pub(crate) fn new() -> Partitions {
        Partitions {
            by_route: HashTable::new(),
            shared: Vec::new(),
            free_shared: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
            live: 0,
            hasher: fixed_hasher(),
        }
    }

    /// The number of partitions.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    #[inline]
    fn entry(&self, route: &[u8]) -> Option<&u32> {
        let routes = Routes { shared: &self.shared, slots: &self.slots, hasher: &self.hasher };
        self.by_route.find(routes.hash(route), |entry| routes.route(*entry) == route)
    }

    /// The partitions with a route, whatever their binding.
    #[inline]
    pub(crate) fn variants(&self, route: &[u8]) -> &[u32] {
        match self.entry(route) {
            None => &[],
            Some(entry) if entry & SHARED == 0 => std::slice::from_ref(entry),
            Some(entry) => &self.shared[(entry ^ SHARED) as usize].ids,
        }
    }

    /// The partition with a route and a binding.
    pub(crate) fn find(&self, route: &[u8], binding: &Arc<Binding>) -> Option<u32> {
        let is = |id: &u32| {
            let other = &self.get(*id).binding;
            Arc::ptr_eq(other, binding) || other == binding
        };
        let entry = *self.entry(route)?;
        if entry & SHARED == 0 {
            return Some(entry).filter(is);
        }
        let variants = &self.shared[(entry ^ SHARED) as usize];
        match &variants.by_binding {
            Some(by_binding) => by_binding.get(binding).copied(),
            None => variants.ids.iter().copied().find(is),
        }
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

    /// The partition, if there is just one and it is found at once.
    pub(crate) fn only(&self) -> Option<&Partition> {
        let mut slots = self.slots.iter().take(FEW).flatten();
        slots.next().filter(|_| self.live == 1).map(|partition| &**partition)
    }

    /// Adds an empty partition.
    pub(crate) fn add(&mut self, route: Key, binding: Arc<Binding>) -> u32 {
        let known = self.entry(&route).copied();
        let partition = Box::new(Partition {
            route: route.clone(),
            binding: Arc::clone(&binding),
            window: Window::new(),
            holders: Holders::default(),
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
        match known {
            None => {
                let routes =
                    Routes { shared: &self.shared, slots: &self.slots, hasher: &self.hasher };
                let rehash = |entry: &u32| routes.hash(routes.route(*entry));
                self.by_route.insert_unique(routes.hash(&route), id, rehash);
            }
            Some(first) if first & SHARED == 0 => {
                let variants = Variants { ids: vec![first, id], by_binding: None };
                let place = match self.free_shared.pop() {
                    Some(place) => {
                        self.shared[place as usize] = variants;
                        place
                    }
                    None => {
                        self.shared.push(variants);
                        (self.shared.len() - 1) as u32
                    }
                };
                self.set_entry(&route, place | SHARED);
            }
            Some(entry) => self.add_variant((entry ^ SHARED) as usize, binding, id),
        }
        id
    }

    fn add_variant(&mut self, place: usize, binding: Arc<Binding>, id: u32) {
        let slots = &self.slots;
        let variants = &mut self.shared[place];
        variants.ids.push(id);
        match &mut variants.by_binding {
            Some(by_binding) => drop(by_binding.insert(binding, id)),
            None if variants.ids.len() > FEW => {
                let mut by_binding = FixedMap::with_hasher(fixed_hasher());
                by_binding.extend(variants.ids.iter().filter_map(|&id| {
                    Some((Arc::clone(&slots[id as usize].as_ref()?.binding), id))
                }));
                variants.by_binding = Some(Box::new(by_binding));
            }
            None => {}
        }
    }

    /// Changes what stands for a route in the hash table.
    fn set_entry(&mut self, route: &[u8], entry: u32) {
        let routes = Routes { shared: &self.shared, slots: &self.slots, hasher: &self.hasher };
        let is = |entry: &u32| routes.route(*entry) == route;
        if let Some(known) = self.by_route.find_mut(routes.hash(route), is) {
            *known = entry;
        }
    }

    /// Removes a partition.
    pub(crate) fn take(&mut self, id: u32) -> Option<Box<Partition>> {
        let route = self.slots[id as usize].as_ref()?.route.clone();
        match self.entry(&route).copied() {
            Some(entry) if entry & SHARED != 0 => {
                let place = (entry ^ SHARED) as usize;
                let left = {
                    let binding = self.slots[id as usize].as_ref().map(|held| &held.binding);
                    let variants = &mut self.shared[place];
                    if let (Some(by_binding), Some(binding)) = (&mut variants.by_binding, binding) {
                        by_binding.remove(binding);
                    }
                    variants.ids.retain(|other| *other != id);
                    (variants.ids.len() == 1).then(|| variants.ids[0])
                };
                if let Some(last) = left {
                    self.set_entry(&route, last);
                    self.shared[place] = Variants::default();
                    self.free_shared.push(place as u32);
                }
            }
            _ => {
                let routes =
                    Routes { shared: &self.shared, slots: &self.slots, hasher: &self.hasher };
                if let Ok(found) =
                    self.by_route.find_entry(routes.hash(&route), |entry| *entry == id)
                {
                    found.remove();
                }
            }
        }
        let partition = self.slots[id as usize].take()?;
        self.free.push(id);
        self.live -= 1;
        if self.live == 0 {
            // Nothing refers to a slot any more, so all of it can go.
            *self = Partitions::new();
        }
        Some(partition)
    }

    /// Bytes of state: partitions, windows, holders and look-up tables.
    pub(crate) fn bytes(&self) -> usize {
        let slots = self.slots.capacity() * size_of::<Option<Box<Partition>>>()
            + (self.free.capacity() + self.free_shared.capacity()) * size_of::<u32>();
        let entry = size_of::<(Arc<Binding>, u32)>() + 1;
        let shared: usize = self
            .shared
            .iter()
            .map(|variants| {
                let by_binding = variants.by_binding.as_ref().map_or(0, |map| map.capacity());
                variants.ids.capacity() * size_of::<u32>() + by_binding * entry * 8 / 7
            })
            .sum();
        let partitions: usize = self
            .iter()
            .map(|(_, partition)| {
                size_of::<Partition>()
                    + partition.route.heap_bytes()
                    + partition.window.bytes()
                    + partition.holders.heap_bytes()
                    + partition.junction.as_ref().map_or(0, |junction| junction.bytes())
            })
            .sum();
        let variants = self.shared.capacity() * size_of::<Variants>();
        self.by_route.allocation_size() + slots + variants + shared + partitions
    }
}
