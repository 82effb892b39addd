//! Derived tables: relations that levels read like tables.
//!
//! A table whose relation is a chain (a base table seen through filters and maps) is *virtual* as
//! far as what is asked of it are columns of the base table: it is then read from the source, and
//! nothing is stored. Otherwise its rows are stored, in the orders that are asked for.

use std::sync::Arc;

use super::chain::{Chain, Reader};
use super::flow::NodeId;
use super::node::Node;
use super::plan::Derived;
use super::store::{Store, change_of, delta};
use super::zset::{keyed, runs};
use crate::delta::Batch;
use crate::key::KeySpec;
use crate::level::{FixedMap, fixed_hasher};
use crate::row::Row;
use crate::schema::TableId;
use crate::source::{ScanId, ScanShape};

/// The bit that ids of prepared reads of derived tables have.
const DERIVED_SCAN: u32 = 1 << 31;

/// The live derived tables and the prepared reads of them.
#[derive(Debug)]
pub(crate) struct Tables {
    slots: Vec<Option<Box<DerivedTable>>>,
    pub(super) by_plan: FixedMap<Arc<Derived>, u32>,
    scans: Vec<Option<DerivedScan>>,
    pub(super) by_shape: FixedMap<ScanShape, ScanId>,
    /// The tables that the transaction in flight has changed.
    changed: Vec<u32>,
}

/// A live derived table.
#[derive(Debug)]
pub(crate) struct DerivedTable {
    pub(super) plan: Arc<Derived>,
    pub(super) node: NodeId,
    pub(super) key: KeySpec,
    /// Plans that are being subscribed to, and prepared reads.
    pub(super) users: usize,
    pub(super) chain: Option<Chain>,
    /// Whether the relation shows that no two rows have the same key.
    pub(super) is_unique: bool,
    pub(super) store: Option<Store>,
    changed: bool,
}

/// A prepared read of a derived table.
#[derive(Debug)]
pub(crate) struct DerivedScan {
    pub(super) shape: ScanShape,
    pub(super) users: usize,
    pub(super) way: Way,
}

/// How a read is made.
#[derive(Debug)]
pub(crate) enum Way {
    /// From the base table.
    Virtual(Reader),
    /// From an order of the store.
    Stored(usize),
}

impl Default for Tables {
    fn default() -> Tables {
        Tables {
            slots: Vec::new(),
            by_plan: FixedMap::with_hasher(fixed_hasher()),
            scans: Vec::new(),
            by_shape: FixedMap::with_hasher(fixed_hasher()),
            changed: Vec::new(),
        }
    }
}

impl Tables {
    pub(crate) fn get(&self, number: u32) -> Option<&DerivedTable> {
        self.slots.get(number as usize)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut DerivedTable> {
        self.slots.get_mut(number as usize)?.as_deref_mut()
    }

    /// Adds a table with one user.
    pub(super) fn add(
        &mut self,
        plan: Arc<Derived>,
        chain: Option<Chain>,
        is_unique: bool,
        node: NodeId,
    ) -> u32 {
        let table = DerivedTable {
            key: KeySpec::asc(&plan.key),
            chain,
            plan: Arc::clone(&plan),
            node,
            users: 1,
            is_unique,
            store: None,
            changed: false,
        };
        let number = place(&mut self.slots, Box::new(table));
        self.by_plan.insert(plan, number);
        number
    }

    /// Takes a table out.
    pub(super) fn remove(&mut self, number: u32) -> Option<Box<DerivedTable>> {
        let table = self.slots.get_mut(number as usize)?.take()?;
        self.by_plan.remove(&table.plan);
        Some(table)
    }

    pub(super) fn scan(&self, id: ScanId) -> Option<&DerivedScan> {
        self.scans.get(scan_slot(id)?)?.as_ref()
    }

    pub(super) fn scan_mut(&mut self, id: ScanId) -> Option<&mut DerivedScan> {
        self.scans.get_mut(scan_slot(id)?)?.as_mut()
    }

    /// Adds a prepared read with one user.
    pub(super) fn add_scan(&mut self, shape: &ScanShape, way: Way) -> ScanId {
        let scan = DerivedScan { shape: shape.clone(), users: 1, way };
        let id = ScanId(DERIVED_SCAN | place(&mut self.scans, scan));
        self.by_shape.insert(shape.clone(), id);
        id
    }

    pub(super) fn remove_scan(&mut self, id: ScanId) -> Option<DerivedScan> {
        let scan = self.scans.get_mut(scan_slot(id)?)?.take()?;
        self.by_shape.remove(&scan.shape);
        Some(scan)
    }

    /// The live tables by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &DerivedTable)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(number, table)| Some((number as u32, table.as_deref()?)))
    }

    /// Takes what a table's node put out into the table.
    pub(super) fn apply(&mut self, number: u32, changes: &[(Row, i64)], batch: &mut Batch) {
        let Some(Some(table)) = self.slots.get_mut(number as usize) else { return };
        if changes.is_empty() {
            return;
        }
        let id = TableId::derived(number);
        let tell = &mut |delta| batch.push(id, delta);
        match &mut table.store {
            Some(store) => {
                table.changed = true;
                self.changed.push(number);
                store.apply(changes, 1, tell);
            }
            None => {
                let keyed = keyed(changes, 1, |row, key| {
                    table.key.write(row, key);
                    true
                });
                for run in runs(&keyed) {
                    let (before, after) = change_of(run);
                    delta(before, after).into_iter().for_each(&mut *tell);
                }
            }
        }
    }

    /// Takes what a node put out back out of its tables.
    pub(super) fn undo(&mut self, node: &Node) {
        for number in &node.tables {
            let Some(Some(table)) = self.slots.get_mut(*number as usize) else { continue };
            if let Some(store) = &mut table.store
                && table.changed
            {
                store.apply(&node.out, -1, &mut |_| {});
            }
        }
    }

    /// Forgets which tables have changed.
    pub(super) fn commit(&mut self) {
        for at in 0..self.changed.len() {
            if let Some(table) = self.get_mut(self.changed[at]) {
                table.changed = false;
            }
        }
        self.changed.clear();
    }
}

impl DerivedTable {
    /// An empty store.
    pub(super) fn new_store(&self) -> Store {
        Store::new(self.key.clone(), self.is_unique)
    }

    /// The columns by which rows are told apart.
    pub(crate) fn key(&self) -> &KeySpec {
        &self.key
    }
}

/// The slot of a prepared read of a derived table; `None` for one of a base table.
pub(super) fn scan_slot(id: ScanId) -> Option<usize> {
    (id.0 & DERIVED_SCAN != 0).then_some((id.0 & !DERIVED_SCAN) as usize)
}

/// Puts something into the first free slot.
fn place<T>(slots: &mut Vec<Option<T>>, value: T) -> u32 {
    let slot = slots.iter().position(Option::is_none).unwrap_or(slots.len());
    match slots.get_mut(slot) {
        Some(free) => *free = Some(value),
        None => slots.push(Some(value)),
    }
    slot as u32
}
