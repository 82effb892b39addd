//! Routes of scans: from a changed row of a table to the scans that it is in.
//!
//! Scans that hold the same columns equal share a map from the values, so however many differ in
//! them a change costs one look-up.

use super::flow::NodeId;
use crate::delta::{ColumnSet, Delta};
use crate::key::{Direction, Key, KeyBuffer, encode, write_columns};
use crate::level::{FixedMap, fixed_hasher};
use crate::row::Row;
use crate::schema::TableId;
use crate::value::Value;

/// The scans by table.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    tables: Vec<Vec<Route>>,
}

/// A scan with the columns that it reads.
type Scan = (NodeId, ColumnSet);

/// The scans of a table that hold the same columns equal.
#[derive(Debug)]
struct Route {
    columns: Vec<usize>,
    /// The columns that any of the scans reads.
    reads: ColumnSet,
    scans: FixedMap<Key, Vec<Scan>>,
}

impl Routes {
    /// Adds a scan, whose rows depend on the columns `reads`.
    pub(crate) fn add(
        &mut self,
        table: TableId,
        equal: &[(usize, Value)],
        reads: ColumnSet,
        node: NodeId,
    ) {
        let at = table.0 as usize;
        if self.tables.len() <= at {
            self.tables.resize_with(at + 1, Vec::new);
        }
        let (columns, key) = split(equal);
        let routes = &mut self.tables[at];
        let position = match routes.iter().position(|route| route.columns == columns) {
            Some(position) => position,
            None => {
                let scans = FixedMap::with_hasher(fixed_hasher());
                routes.push(Route { columns, reads, scans });
                routes.len() - 1
            }
        };
        // Scans that name the same columns in another order are nodes of their own.
        let route = &mut routes[position];
        route.reads = route.reads.union(reads);
        route.scans.entry(key).or_default().push((node, reads));
    }

    /// Takes a scan away.
    pub(crate) fn remove(&mut self, table: TableId, equal: &[(usize, Value)], node: NodeId) {
        let Some(routes) = self.tables.get_mut(table.0 as usize) else { return };
        let (columns, key) = split(equal);
        let Some(at) = routes.iter().position(|route| route.columns == columns) else { return };
        if let Some(nodes) = routes[at].scans.get_mut(&key) {
            nodes.retain(|(other, _)| *other != node);
            if nodes.is_empty() {
                routes[at].scans.remove(&key);
            }
        }
        if routes[at].scans.is_empty() {
            routes.remove(at);
            return;
        }
        let reads = routes[at].scans.values().flatten().map(|(_, reads)| *reads);
        routes[at].reads = reads.fold(ColumnSet::EMPTY, ColumnSet::union);
    }

    /// Calls `reach` with every scan that a change concerns, with the row and its count: with the
    /// old row, then with the new one. Updates of columns that a scan does not read do not
    /// concern it.
    pub(crate) fn route(
        &self,
        table: TableId,
        delta: &Delta,
        reach: &mut dyn FnMut(NodeId, &Row, i64),
    ) {
        let Some(routes) = self.tables.get(table.0 as usize) else { return };
        let is_update = delta.old.is_some() && delta.new.is_some();
        let concerns = |reads| !is_update || delta.changed.intersects(reads);
        let mut key = KeyBuffer::new();
        for route in routes {
            if !concerns(route.reads) {
                continue;
            }
            for (row, count) in [(&delta.old, -1), (&delta.new, 1)] {
                let Some(row) = row else { continue };
                key.clear();
                write_columns(row, &route.columns, &mut key);
                let scans = route.scans.get(&key[..]).into_iter().flatten();
                scans
                    .filter(|(_, reads)| concerns(*reads))
                    .for_each(|(node, _)| reach(*node, row, count));
            }
        }
    }

    /// Whether any scan reads a table.
    pub(crate) fn reads(&self, table: TableId) -> bool {
        self.tables.get(table.0 as usize).is_some_and(|routes| !routes.is_empty())
    }

    /// Bytes of the maps.
    pub(crate) fn bytes(&self) -> usize {
        let routes = self.tables.iter().flatten();
        let bytes = |route: &Route| {
            let entries = route.scans.capacity() * (size_of::<(Key, Vec<Scan>)>() + 1);
            let scans = route.scans.iter();
            let within = |(key, scans): (&Key, &Vec<Scan>)| {
                key.heap_bytes() + scans.capacity() * size_of::<Scan>()
            };
            size_of::<Route>() + entries + scans.map(within).sum::<usize>()
        };
        routes.map(bytes).sum()
    }
}

/// The columns in their order in the table, and the key of the values.
fn split(equal: &[(usize, Value)]) -> (Vec<usize>, Key) {
    let mut sorted: Vec<&(usize, Value)> = equal.iter().collect();
    sorted.sort_by_key(|(column, _)| *column);
    let mut key = KeyBuffer::new();
    for (_, value) in &sorted {
        encode(&mut key, value.as_ref(), Direction::Asc);
    }
    (sorted.iter().map(|(column, _)| *column).collect(), Key::from_slice(&key))
}
