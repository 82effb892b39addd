//! From declarations by name to a checked schema.

use std::sync::Arc;

use super::builder::{HopNames, RelationshipNames};
use super::{Column, Hop, Inner, Relationship, Schema, SchemaError, Table, TableId, TableSchema};
use crate::key::KeySpec;
use crate::value::ColumnType;

pub(super) fn schema(declared: Vec<Table>) -> Result<Schema, SchemaError> {
    let mut tables = declared.iter().map(table).collect::<Result<Vec<_>, _>>()?;
    let mut by_name: Vec<TableId> = (0..tables.len()).map(|index| TableId(index as u32)).collect();
    by_name.sort_by_key(|id| &tables[id.0 as usize].name);
    let duplicate = by_name.windows(2).map(|pair| (&tables[pair[0].0 as usize], pair[1]));
    for (first, second) in duplicate {
        if first.name == tables[second.0 as usize].name {
            return Err(SchemaError::DuplicateTable { table: first.name.as_str().into() });
        }
    }
    for (index, declared) in declared.iter().enumerate() {
        let names = Names { tables: &tables, table: index };
        let relationships = names.relationships(&declared.relationships)?;
        tables[index].relationships = relationships;
    }
    Ok(Schema(Arc::new(Inner { tables, by_name, shown: Vec::new(), refused: Vec::new() })))
}

/// A table without its relationships.
fn table(declared: &Table) -> Result<TableSchema, SchemaError> {
    if declared.name.is_empty() {
        return Err(SchemaError::EmptyTableName);
    }
    let table = || Box::from(&*declared.name);
    let columns = &declared.columns;
    if columns.is_empty() {
        return Err(SchemaError::NoColumns { table: table() });
    }
    for (index, Column { name, .. }) in columns.iter().enumerate() {
        if name.is_empty() {
            return Err(SchemaError::EmptyColumnName { table: table() });
        }
        if columns[..index].iter().any(|earlier| earlier.name == *name) {
            return Err(SchemaError::DuplicateColumn {
                table: table(),
                column: name.as_str().into(),
            });
        }
    }
    let mut by_name: Vec<usize> = (0..columns.len()).collect();
    by_name.sort_by_key(|column| &columns[*column].name);
    let primary_key = primary_key(declared)?;
    Ok(TableSchema {
        name: declared.name.clone(),
        columns: columns.clone(),
        by_name,
        primary_key_spec: KeySpec::asc(&primary_key),
        primary_key,
        unique_keys: declared
            .unique_keys
            .iter()
            .map(|names| unique_key(declared, names))
            .collect::<Result<_, _>>()?,
        relationships: Vec::new(),
        positions: None,
    })
}

fn primary_key(declared: &Table) -> Result<Vec<usize>, SchemaError> {
    let table = || Box::from(&*declared.name);
    if declared.primary_key.is_empty() {
        return Err(SchemaError::NoPrimaryKey { table: table() });
    }
    let mut key = Vec::with_capacity(declared.primary_key.len());
    for name in &declared.primary_key {
        let column = || Box::from(&**name);
        let Some(index) = position(&declared.columns, name) else {
            return Err(SchemaError::UnknownPrimaryKeyColumn {
                table: table(),
                column: column(),
                known: column_names(&declared.columns),
            });
        };
        if key.contains(&index) {
            return Err(SchemaError::DuplicatePrimaryKeyColumn {
                table: table(),
                column: column(),
            });
        }
        let declared = &declared.columns[index];
        if declared.nullable {
            return Err(SchemaError::NullablePrimaryKeyColumn { table: table(), column: column() });
        }
        if declared.column_type == ColumnType::Json {
            return Err(SchemaError::JsonPrimaryKeyColumn { table: table(), column: column() });
        }
        key.push(index);
    }
    Ok(key)
}

fn unique_key(declared: &Table, names: &[String]) -> Result<Vec<usize>, SchemaError> {
    let table = || Box::from(&*declared.name);
    if names.is_empty() {
        return Err(SchemaError::EmptyUniqueKey { table: table() });
    }
    let mut key = Vec::with_capacity(names.len());
    for name in names {
        let column = || Box::from(&**name);
        let Some(index) = position(&declared.columns, name) else {
            return Err(SchemaError::UnknownUniqueColumn {
                table: table(),
                column: column(),
                known: column_names(&declared.columns),
            });
        };
        if key.contains(&index) {
            return Err(SchemaError::DuplicateUniqueColumn { table: table(), column: column() });
        }
        if declared.columns[index].column_type == ColumnType::Json {
            return Err(SchemaError::JsonUniqueColumn { table: table(), column: column() });
        }
        key.push(index);
    }
    Ok(key)
}

/// The names that the relationships of a table are resolved among.
struct Names<'a> {
    tables: &'a [TableSchema],
    /// The table that declares them.
    table: usize,
}

impl Names<'_> {
    fn relationships(
        &self,
        declared: &[RelationshipNames],
    ) -> Result<Vec<Relationship>, SchemaError> {
        let owner = &self.tables[self.table];
        let table = || Box::from(&*owner.name);
        let mut relationships: Vec<Relationship> = Vec::with_capacity(declared.len());
        for RelationshipNames { name, hops, one } in declared {
            let relationship = || Box::from(&**name);
            if name.is_empty() {
                return Err(SchemaError::EmptyRelationshipName { table: table() });
            }
            if relationships.iter().any(|earlier| earlier.name == *name) {
                return Err(SchemaError::DuplicateRelationship {
                    table: table(),
                    relationship: relationship(),
                });
            }
            if owner.column_index(name).is_some() {
                return Err(SchemaError::RelationshipIsColumn {
                    table: table(),
                    relationship: relationship(),
                });
            }
            if hops.is_empty() {
                return Err(SchemaError::NoHops { table: table(), relationship: relationship() });
            }
            let mut near = owner;
            let mut resolved = Vec::with_capacity(hops.len());
            for hop in hops {
                let hop = self.hop(name, near, hop)?;
                near = &self.tables[hop.table.0 as usize];
                resolved.push(hop);
            }
            relationships.push(Relationship { name: name.clone(), hops: resolved, one: *one });
        }
        Ok(relationships)
    }

    fn hop(&self, name: &str, near: &TableSchema, hop: &HopNames) -> Result<Hop, SchemaError> {
        let table = || Box::from(&*self.tables[self.table].name);
        let relationship = || Box::from(name);
        let Some(index) = self.tables.iter().position(|table| table.name == hop.table) else {
            let known: Vec<&str> = self.tables.iter().map(TableSchema::name).collect();
            return Err(SchemaError::UnknownRelatedTable {
                table: table(),
                relationship: relationship(),
                target: hop.table.as_str().into(),
                known: known.join(", ").into(),
            });
        };
        let far = &self.tables[index];
        if hop.from.len() != hop.to.len() {
            return Err(SchemaError::MismatchedColumns {
                table: table(),
                relationship: relationship(),
                near: near.name.as_str().into(),
                from: hop.from.len(),
                far: far.name.as_str().into(),
                to: hop.to.len(),
            });
        }
        if hop.from.is_empty() {
            return Err(SchemaError::NoRelatedColumns {
                table: table(),
                relationship: relationship(),
                near: near.name.as_str().into(),
                far: far.name.as_str().into(),
            });
        }
        let from = self.correlated(name, near, &hop.from)?;
        let to = self.correlated(name, far, &hop.to)?;
        if let Some(repeated) = (1..to.len()).find(|at| to[..*at].contains(&to[*at])) {
            return Err(SchemaError::RepeatedRelatedColumn {
                table: table(),
                relationship: relationship(),
                of: far.name.as_str().into(),
                column: far.columns[to[repeated]].name.as_str().into(),
            });
        }
        for (from, to) in from.iter().zip(&to) {
            let (from, to) = (&near.columns[*from], &far.columns[*to]);
            if !from.column_type.comparable(to.column_type) {
                return Err(SchemaError::IncomparableTypes {
                    table: table(),
                    relationship: relationship(),
                    near: near.name.as_str().into(),
                    from: from.name.as_str().into(),
                    from_type: from.column_type,
                    far: far.name.as_str().into(),
                    to: to.name.as_str().into(),
                    to_type: to.column_type,
                });
            }
        }
        Ok(Hop { table: TableId(index as u32), from, to })
    }

    fn correlated(
        &self,
        name: &str,
        of: &TableSchema,
        names: &[String],
    ) -> Result<Vec<usize>, SchemaError> {
        let table = || Box::from(&*self.tables[self.table].name);
        let mut columns = Vec::with_capacity(names.len());
        for column in names {
            let Some(index) = of.column_index(column) else {
                return Err(SchemaError::UnknownRelatedColumn {
                    table: table(),
                    relationship: name.into(),
                    of: of.name.as_str().into(),
                    column: column.as_str().into(),
                    known: column_names(&of.columns),
                });
            };
            if of.columns[index].column_type == ColumnType::Json {
                return Err(SchemaError::JsonCorrelation {
                    table: table(),
                    relationship: name.into(),
                    of: of.name.as_str().into(),
                    column: column.as_str().into(),
                });
            }
            columns.push(index);
        }
        Ok(columns)
    }
}

fn position(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.name == name)
}

fn column_names(columns: &[Column]) -> Box<str> {
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    names.join(", ").into()
}
