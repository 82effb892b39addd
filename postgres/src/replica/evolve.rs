//! Changes of tables that are followed without a new copy.
//!
//! The stream says what a table looks like, but not how it came to that. So the server is asked for
//! the numbers of the columns, which survive renames. What that does not explain, and what changes
//! the values of rows in a way that is not known here, has the table copied again:
//!
//! | change | followed by |
//! |---|---|
//! | a further column, without default or with one that is constant | `ADD COLUMN`, with the value that the server gives old rows |
//! | … with another default | a new copy |
//! | a column or the table renamed | `RENAME` |
//! | a column dropped | `DROP COLUMN`, with the indexes over it |
//! | a type changed where the values stay | the description |
//! | another type, another key | a new copy |

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock::{Transaction, Value};
use rusqlite::Connection;

use super::error::ReplicaError;
use super::spec::{TableSpec, quoted};
use super::table::{Known, Table};
use super::value::literal;
use crate::table::{Column, Identity, Relation, TableName};
use crate::types::Catalogue;

/// A table as the server describes it now, which may be later than where the stream stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// Its name.
    pub name: TableName,
    /// Its columns.
    pub columns: Vec<DescribedColumn>,
}

/// A column as the server describes it now.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribedColumn {
    /// Its name.
    pub name: String,
    /// The server's number of it (`attnum`).
    pub number: i16,
    /// The object id of the type.
    pub type_id: u32,
    /// What rows have in it that are older than the column.
    pub missing: Missing,
}

/// What rows have in a column that was added after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Null.
    Null,
    /// The same in all, as the server writes it (`pg_attribute.attmissingval`).
    Constant(String),
    /// It may differ from row to row: the default is not constant, or the server has rewritten the
    /// table since.
    Unknown,
}

/// Who can be asked about tables: the server.
pub trait Describer {
    /// Describes a table; `None` where there is no such table any more.
    ///
    /// # Errors
    /// The server cannot be asked, in words.
    fn describe(&mut self, id: u32) -> Result<Option<Described>, String>;

    /// The types of the database, read again.
    ///
    /// # Errors
    /// As [`describe`](Describer::describe).
    fn catalogue(&mut self) -> Result<Arc<Catalogue>, String>;
}

/// How a table that has changed is followed.
#[derive(Debug)]
pub(super) enum Plan {
    /// By statements, after which the table is described so.
    Statements(Vec<String>, Box<TableSpec>),
    /// By a new copy.
    Copy(String),
}

/// Types whose values stay the same under another type: from and to.
const WIDENED: [(u32, u32); 4] = [(21, 23), (21, 20), (23, 20), (1043, 25)];
const VARCHAR: u32 = 1043;

/// Says how a table is followed from its description to a later one.
pub(super) fn plan(
    old: &TableSpec,
    new: &Arc<Relation>,
    now: Option<&Described>,
    catalogue: &Catalogue,
) -> Plan {
    let numbers = match numbers(old, new, now) {
        Ok(numbers) => numbers,
        Err(reason) => return Plan::Copy(reason),
    };
    let mut statements = Vec::new();
    let (was, is) = (old.name(), new.name.in_replica());
    if was != is {
        statements.push(format!("ALTER TABLE {} RENAME TO {}", quoted(&was), quoted(&is)));
    }
    let table = quoted(&is);
    let old_columns = || old.relation.columns.iter().zip(&old.numbers);
    for (column, number) in old_columns() {
        if !numbers.contains(number) {
            let name = quoted(&column.name);
            statements.push(format!("ALTER TABLE {table} DROP COLUMN {name}"));
        }
    }
    let mut further = Vec::new();
    let (mut away, mut back) = (Vec::new(), Vec::new());
    for (column, number) in new.columns.iter().zip(&numbers) {
        let Some((before, _)) = old_columns().find(|(_, known)| *known == number) else {
            further.push((column, *number));
            continue;
        };
        if !keeps_values(before, column) {
            return Plan::Copy(format!("the type of column \"{}\" has changed", column.name));
        }
        if before.name != column.name {
            let rename = |from: &str, to: &str| {
                format!("ALTER TABLE {table} RENAME COLUMN {} TO {}", quoted(from), quoted(to))
            };
            // By way of another name, as names may have been exchanged.
            let between = format!("penstock_{number}");
            away.push(rename(&before.name, &between));
            back.push(rename(&between, &column.name));
        }
    }
    statements.extend(away.into_iter().chain(back));
    let renamed = |at: &usize| {
        let place = numbers.iter().position(|number| *number == old.numbers[*at])?;
        Some(new.columns[place].name.clone())
    };
    let Some(key) = old.key.iter().map(renamed).collect::<Option<Vec<String>>>() else {
        return Plan::Copy("a column of its key was dropped".to_owned());
    };
    if !has_key(new, &key) {
        return Plan::Copy("it has another replica identity".to_owned());
    }
    let spec = match TableSpec::new(Arc::clone(new), numbers.clone(), &key, catalogue) {
        Ok(spec) => spec,
        Err(error) => return Plan::Copy(error.to_string()),
    };
    for (column, number) in further {
        match added(&table, column, number, &spec, now, catalogue) {
            Ok(statement) => statements.push(statement),
            Err(reason) => return Plan::Copy(reason),
        }
    }
    Plan::Statements(statements, Box::new(spec))
}

/// The numbers of the columns of a later description.
fn numbers(old: &TableSpec, new: &Relation, now: Option<&Described>) -> Result<Vec<i16>, String> {
    let known: BTreeMap<&str, (i16, u32)> = old
        .relation
        .columns
        .iter()
        .zip(&old.numbers)
        .map(|(column, number)| (column.name.as_str(), (*number, column.type_id)))
        .collect();
    let described = |name: &str| {
        let mut columns = now.into_iter().flat_map(|now| &now.columns);
        columns.find(|column| column.name == name).map(|column| column.number)
    };
    let number = |column: &Column| {
        let before = known.get(column.name.as_str()).copied();
        match (described(&column.name), before) {
            (Some(now), Some((before, _))) if now == before => Ok(now),
            (None, Some((before, _))) => Ok(before),
            (Some(now), None) => Ok(now),
            (Some(now), Some((_, type_id))) if type_id != column.type_id => Ok(now),
            _ => Err(format!(
                "column \"{}\" has been changed more than once, and how is not known any more",
                column.name
            )),
        }
    };
    let numbers: Vec<i16> = new.columns.iter().map(number).collect::<Result<_, String>>()?;
    let twice = (1..numbers.len()).any(|at| numbers[..at].contains(&numbers[at]));
    if twice { Err("its columns were renamed more than once".to_owned()) } else { Ok(numbers) }
}

/// Whether values stay what they are when a column is declared anew.
fn keeps_values(before: &Column, after: &Column) -> bool {
    if before.type_id == after.type_id {
        let widened = before.type_id == VARCHAR
            && (after.modifier < 0 || before.modifier >= 0 && after.modifier >= before.modifier);
        return before.modifier == after.modifier || widened;
    }
    WIDENED.contains(&(before.type_id, after.type_id))
}

/// Whether these columns are still those by which the stream tells rows apart.
fn has_key(relation: &Relation, key: &[String]) -> bool {
    let keyed = relation.columns.iter().filter(|column| column.key);
    match relation.identity {
        Identity::Full => true,
        Identity::Nothing => false,
        Identity::Default | Identity::Index => {
            keyed.clone().count() == key.len() && keyed.clone().all(|c| key.contains(&c.name))
        }
    }
}

/// The statement that adds a column with what old rows have in it.
fn added(
    table: &str,
    column: &Column,
    number: i16,
    spec: &TableSpec,
    now: Option<&Described>,
    catalogue: &Catalogue,
) -> Result<String, String> {
    let name = &column.name;
    let unknown =
        || format!("what old rows have in the new column \"{name}\" is not the same in all");
    let described = now.and_then(|now| now.columns.iter().find(|column| column.number == number));
    let value = match described.map(|column| &column.missing) {
        None | Some(Missing::Unknown) => return Err(unknown()),
        Some(Missing::Null) => Value::Null,
        Some(Missing::Constant(text)) => {
            let mapping = catalogue.mapping(column.type_id).map_err(|error| error.to_string())?;
            mapping
                .text(text)
                .map_err(|error| format!("the default of column \"{name}\": {error}"))?
        }
    };
    let place = spec.relation.columns.iter().position(|other| other.name == *name);
    let declared = place.map_or("", |place| spec.declared[place].as_str());
    let value = literal(&value).ok_or_else(unknown)?;
    Ok(format!("ALTER TABLE {table} ADD COLUMN {} {declared} DEFAULT {value}", quoted(name)))
}

/// Carries a plan's statements out.
pub(super) fn carry_out(
    tx: &mut Transaction<'_>,
    statements: &[String],
    old: &TableSpec,
    new: &TableSpec,
) -> Result<(), ReplicaError> {
    if statements.is_empty() {
        return Ok(());
    }
    let gone: Vec<&str> = old
        .relation
        .columns
        .iter()
        .zip(&old.numbers)
        .filter(|(_, number)| !new.numbers.contains(number))
        .map(|(column, _)| column.name.as_str())
        .collect();
    let indexes = tx.with_connection(|connection| indexes_over(connection, &old.name(), &gone))?;
    for index in indexes {
        tx.change_schema(&format!("DROP INDEX {}", quoted(&index)))?;
    }
    Ok(statements.iter().try_for_each(|statement| tx.change_schema(statement))?)
}

/// The indexes of a table over some columns.
fn indexes_over(
    connection: &Connection,
    table: &str,
    columns: &[&str],
) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT DISTINCT list.name, info.name FROM pragma_index_list(?1, 'main') AS list \
         JOIN pragma_index_info(list.name, 'main') AS info WHERE info.name IS NOT NULL ORDER BY 1",
    )?;
    let found = statement
        .query_map([table], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut indexes = Vec::new();
    for found in found {
        let (index, column) = found?;
        if columns.contains(&column.as_str()) && !indexes.contains(&index) {
            indexes.push(index);
        }
    }
    Ok(indexes)
}

/// Gives a table that stands in the way of another's new name a name that queries do not see. It was
/// dropped or renamed on the server, and will say so itself.
pub(super) fn move_aside(tx: &mut Transaction<'_>, table: &mut Table) -> Result<(), ReplicaError> {
    let Some(known) = &table.known else { return Ok(()) };
    let (was, aside) = (known.spec.name(), format!("penstock_moved_{}", table.id));
    tx.change_schema(&format!("ALTER TABLE {} RENAME TO {}", quoted(&was), quoted(&aside)))?;
    let mut spec = known.spec.clone();
    let name = TableName::new("public", aside);
    spec.relation = Arc::new(Relation { name, ..(*spec.relation).clone() });
    table.known = Some(Arc::new(Known::new(spec)));
    Ok(())
}

/// Drops what there is of a table.
pub(super) fn drop_table(tx: &mut Transaction<'_>, table: &Table) -> Result<(), ReplicaError> {
    if let Some(known) = &table.known {
        tx.change_schema(&format!("DROP TABLE IF EXISTS {}", quoted(&known.spec.name())))?;
    }
    Ok(())
}
