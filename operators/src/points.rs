//! Rows found by their keys, where a level's condition lists all that its rows can have.
//!
//! Cost: a look-up per key, and sorting the rows found. State: the keys.

use std::collections::BTreeMap;

use crate::dispatch::listed;
use crate::fill::{Position, Reads};
use crate::graph::Graph;
use crate::key::{Key, KeyBuffer, KeySpec};
use crate::level::{Level, ScanInput};
use crate::plan::{Binding, Condition};
use crate::row::Row;
use crate::schema::TableId;
use crate::source::{At, Source, SourceError};

/// More keys than this are not looked up one by one.
const KEYS_MAX: usize = 1000;

/// The keys of the only rows of a table that can pass a condition, where it lists them. Derived
/// tables may be made only as they are read, and are not looked up by key.
pub(crate) fn keys_of(
    table: TableId,
    condition: &Condition,
    identity: &KeySpec,
) -> Option<Box<[Key]>> {
    if table.derived_number().is_some() {
        return None;
    }
    let [(column, _)] = identity.columns() else { return None };
    let keys = listed(condition, *column)?;
    (keys.len() <= KEYS_MAX).then(|| keys.into())
}

impl Graph {
    /// The rows of a partition from a position on that pass, in order, among those with these keys.
    #[allow(clippy::too_many_arguments)] // The context of one read.
    pub(crate) fn look_up(
        &self,
        source: &dyn Source,
        level: &Level,
        scan: &ScanInput,
        keys: &[Key],
        route: &[u8],
        binding: &Binding,
        from: Option<&Position>,
        reads: &mut Reads,
    ) -> Result<BTreeMap<Key, Row>, SourceError> {
        let mut found = BTreeMap::new();
        let mut buffer = KeyBuffer::new();
        for key in keys {
            let Some(row) = source.get(At::After, level.table, key)? else { continue };
            reads.rows += 1;
            if scan.route(&row, &mut buffer).is_none() || buffer[..] != *route {
                continue;
            }
            let key = level.order.key(&row);
            if from.is_none_or(|from| from.admits(&key))
                && self.passes(source, level, scan, binding, &row, &mut reads.probes)?
            {
                found.insert(key, row);
            }
        }
        Ok(found)
    }
}
