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
pub(crate) struct Tables {
    described: BTreeMap<u32, Described>,
    /// What the consumer was told of each table that changed.
    told: BTreeMap<u32, Arc<Relation>>,
    /// What it had been told before the transaction under way, for tables of which it was told more.
    before: BTreeMap<u32, Option<Arc<Relation>>>,
}

impl Tables {
    pub(crate) fn get(&self, id: u32) -> Result<&Described, AssembleError> {
        self.described.get(&id).ok_or(AssembleError::UnknownTable { id })
    }

    /// Remembers a description.
    pub(crate) fn describe(&mut self, described: Described) {
        self.described.insert(described.relation.id, described);
    }

    /// A description that the consumer has already.
    pub(crate) fn know(&mut self, described: Described) {
        self.told.insert(described.relation.id, described.relation.clone());
        self.describe(described);
    }

    /// What the consumer must be told before it gets a change of this table, if it was told otherwise.
    /// (Partitions are described too, though their rows are changes of their root.)
    pub(crate) fn news(
        &mut self,
        id: u32,
        lsn: Lsn,
    ) -> Result<Option<SchemaChange>, AssembleError> {
        let after = self.get(id)?.relation.clone();
        let told = self.told.get(&id).cloned();
        if told.as_ref() == Some(&after) {
            return Ok(None);
        }
        let named_so = || {
            let mut tables = self.told.values();
            tables.find(|known| known.name == after.name).cloned()
        };
        // A table of another id that had the name is gone, or will be described by another name.
        let before = told.clone().or_else(named_so);
        self.before.entry(id).or_insert(told);
        self.told.insert(id, after.clone());
        Ok(Some(SchemaChange { lsn, before, table: after.name.clone(), after: Some(after) }))
    }

    /// What the consumer must be told of a table that was dropped, if it knows it.
    pub(crate) fn forget(&mut self, id: u32, lsn: Lsn) -> Option<SchemaChange> {
        let told = self.told.remove(&id)?;
        let table = told.name.clone();
        self.before.entry(id).or_insert_with(|| Some(told.clone()));
        Some(SchemaChange { lsn, before: Some(told), after: None, table })
    }

    /// What the consumer was told is so from now on.
    pub(crate) fn commit(&mut self) {
        self.before.clear();
    }

    /// The consumer has forgotten what it was told in the transaction under way.
    pub(crate) fn reset(&mut self) {
        for (id, before) in std::mem::take(&mut self.before) {
            match before {
                Some(before) => self.told.insert(id, before),
                None => self.told.remove(&id),
            };
        }
    }

    /// Looks up the types of all tables again.
    pub(crate) fn read_types(&mut self, catalogue: &Catalogue) {
        for described in self.described.values_mut() {
            // A table whose types are gone is described anew before its next change.
            if let Ok(again) = Described::new(described.relation.clone(), catalogue) {
                *described = again;
            }
        }
    }
}
