//! Routes of scans: from a changed row of a table to the scans that it is in.
//!
//! Scans that hold the same columns equal share a map from the values, so however many differ in
//! them a change costs one look-up.

use super::flow::NodeId;
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

#[derive(Debug)]
struct Route {
    columns: Vec<usize>,
    scans: FixedMap<Key, Vec<NodeId>>,
}

impl Routes {
    /// Adds a scan.
    pub(crate) fn add(&mut self, table: TableId, equal: &[(usize, Value)], node: NodeId) {
        let at = table.0 as usize;
        if self.tables.len() <= at {
            self.tables.resize_with(at + 1, Vec::new);
        }
        let (columns, key) = split(equal);
        let routes = &mut self.tables[at];
        let position = match routes.iter().position(|route| route.columns == columns) {
            Some(position) => position,
            None => {
                routes.push(Route { columns, scans: FixedMap::with_hasher(fixed_hasher()) });
                routes.len() - 1
            }
        };
        // Scans that name the same columns in another order are nodes of their own.
        routes[position].scans.entry(key).or_default().push(node);
    }

    /// Takes a scan away.
    pub(crate) fn remove(&mut self, table: TableId, equal: &[(usize, Value)], node: NodeId) {
        let Some(routes) = self.tables.get_mut(table.0 as usize) else { return };
        let (columns, key) = split(equal);
        let Some(at) = routes.iter().position(|route| route.columns == columns) else { return };
        if let Some(nodes) = routes[at].scans.get_mut(&key) {
            nodes.retain(|other| *other != node);
            if nodes.is_empty() {
                routes[at].scans.remove(&key);
            }
        }
        if routes[at].scans.is_empty() {
            routes.remove(at);
        }
    }

    /// Calls `reach` with every scan that a row of a table is in.
    pub(crate) fn route(&self, table: TableId, row: &Row, reach: &mut dyn FnMut(NodeId)) {
        let Some(routes) = self.tables.get(table.0 as usize) else { return };
        let mut key = KeyBuffer::new();
        for route in routes {
            key.clear();
            write_columns(row, &route.columns, &mut key);
            route.scans.get(&key[..]).into_iter().flatten().for_each(|node| reach(*node));
        }
    }

    /// Whether any scan reads a table.
    pub(crate) fn reads(&self, table: TableId) -> bool {
        self.tables.get(table.0 as usize).is_some_and(|routes| !routes.is_empty())
    }

    /// Bytes of the maps.
    pub(crate) fn bytes(&self) -> usize {
        let routes = self.tables.iter().flatten();
        routes.map(|route| route.scans.capacity() * (size_of::<(Key, Vec<NodeId>)>() + 1)).sum()
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
