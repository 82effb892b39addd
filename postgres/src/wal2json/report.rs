//! What reports of DDL say, for tables that are known by their names.

use std::sync::Arc;

use super::LineAssembler;
use crate::assemble::AssembleError;
use crate::described::Described;
use crate::event::{Change, SchemaChange, Step};
use crate::schema_report::SchemaReport;
use crate::table::TableName;

impl LineAssembler {
    /// Tells what a report of DDL says.
    pub(super) fn report(
        &mut self,
        content: &[u8],
        steps: &mut Vec<Step>,
    ) -> Result<(), AssembleError> {
        let lsn = self.pieces.inside("Message")?;
        let Some(report) = SchemaReport::read(content) else { return Ok(()) };
        let takes = self.takes_descriptions;
        let mut described = Vec::new();
        for (table, generated) in report.tables.into_iter().filter(|_| takes) {
            match Described::new(Arc::new(table), &self.catalogue) {
                Ok(table) => described.push((table, generated)),
                // A type that is gone meanwhile: what the table is like is told at its next write.
                Err(_) if self.types_are_fresh => {}
                Err(error) => return Err(error),
            }
        }
        for (id, name) in report.dropped {
            let Some(name) = self.name_of(id, Some(&name)) else { continue };
            let Some(known) = self.take(&name) else { continue };
            let before = Some(known.relation);
            let change = SchemaChange { lsn, before, after: None, table: name };
            self.pieces.change(Change::Schema(change), 0, steps);
        }
        for (table, generated) in described {
            let (id, name) = (table.relation.id, table.relation.name.clone());
            self.left_out.insert(name.clone(), generated);
            let was = self.name_of(id, None).unwrap_or_else(|| name.clone());
            if self.tables.get(&was).is_some_and(|known| known.relation == table.relation) {
                continue;
            }
            let before = self.take(&was).map(|known| known.relation);
            let after = Some(table.relation.clone());
            let hidden = self.tables.insert(name.clone(), table);
            self.before.entry(name.clone()).or_insert(hidden);
            let change = SchemaChange { lsn, before, after, table: name };
            self.pieces.change(Change::Schema(change), 0, steps);
        }
        Ok(())
    }

    /// The name by which a table is known: that of its object id, or else this one if no other object id
    /// goes with it.
    fn name_of(&self, id: u32, name: Option<&TableName>) -> Option<TableName> {
        let known = self.tables.values().find(|known| known.relation.id == id);
        if let Some(known) = known {
            return Some(known.relation.name.clone());
        }
        let known = self.tables.get(name?)?;
        (known.relation.id == 0).then(|| known.relation.name.clone())
    }

    /// Forgets a table, until the transaction is begun anew.
    fn take(&mut self, name: &TableName) -> Option<Described> {
        let known = self.tables.remove(name)?;
        self.before.entry(name.clone()).or_insert_with(|| Some(known.clone()));
        Some(known)
    }
}
