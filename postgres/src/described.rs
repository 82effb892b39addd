//! Tables as they were described last, with how their values are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock::Value;

use crate::assemble::AssembleError;
use crate::event::SchemaChange;
use crate::lsn::Lsn;
use crate::table::Relation;
use crate::types::{Catalogue, Mapping, ValueError};

/// A table, and how the values of each of its columns are read.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) relation: Arc<Relation>,
    pub(crate) mappings: Vec<Mapping>,
}

impl Described {
    /// Looks up the types of a table's columns.
    pub(crate) fn new(
        relation: Arc<Relation>,
        catalogue: &Catalogue,
    ) -> Result<Described, AssembleError> {
        let mapping = |column: &crate::table::Column| {
            catalogue.mapping(column.type_id).cloned().map_err(|error| AssembleError::UnknownType {
                table: relation.name.clone(),
                column: column.name.clone(),
                error,
            })
        };
        let mappings = relation.columns.iter().map(mapping).collect::<Result<_, _>>()?;
        Ok(Described { relation, mappings })
    }

    /// Reads a value of a column. Counts it if it has no counterpart and became null.
    pub(crate) fn value(
        &self,
        column: usize,
        lost: &mut u64,
        read: impl FnOnce(&Mapping) -> Result<Value, ValueError>,
    ) -> Result<Value, AssembleError> {
        match read(&self.mappings[column]) {
            Ok(value) => {
                *lost += u64::from(value.is_null());
                Ok(value)
            }
            Err(error) => Err(AssembleError::Value {
                table: self.relation.name.clone(),
                column: self.relation.columns[column].name.clone(),
                error: Box::new(error),
            }),
        }
    }
}

/// The tables that were described, by object id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables(BTreeMap<u32, Described>);

impl Tables {
    pub(crate) fn get(&self, id: u32) -> Result<&Described, AssembleError> {
        self.0.get(&id).ok_or(AssembleError::UnknownTable { id })
    }

    /// Remembers a description. Gives the change if it is another one than before, or the first.
    pub(crate) fn describe(&mut self, described: Described, lsn: Lsn) -> Option<SchemaChange> {
        let after = described.relation.clone();
        let known = self.0.get(&after.id).map(|known| known.relation.clone());
        if known.as_ref() == Some(&after) {
            return None;
        }
        let named_so = || {
            let mut tables = self.0.values();
            let same = tables.find(|known| known.relation.name == after.name);
            same.map(|known| known.relation.clone())
        };
        let before = known.or_else(named_so);
        // A table of another id that had the name is gone, or will be described by another name.
        self.0.insert(after.id, described);
        Some(SchemaChange { lsn, before, table: after.name.clone(), after: Some(after) })
    }

    /// Looks up the types of all tables again.
    pub(crate) fn read_types(&mut self, catalogue: &Catalogue) {
        for described in self.0.values_mut() {
            // A table whose types are gone is described anew before its next change.
            if let Ok(again) = Described::new(described.relation.clone(), catalogue) {
                *described = again;
            }
        }
    }
}
