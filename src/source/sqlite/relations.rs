//! Foreign keys as relationships.
//!
//! A foreign key gives two relationships. From the child, to one row: named after its column
//! without `_id` or `Id` at the end (`owner_id` gives `owner`), or where there are several columns
//! or the column has no such end, after the parent table. From the parent, to many rows: named
//! after the child table. A name that is taken by a column or by another relationship of the table
//! gets the foreign key's columns appended: `issue_by_owner_id`; if that is taken too, the foreign
//! key is not offered.

use penstock_operators::schema::Table;
use penstock_operators::value::ColumnType;
use rusqlite::Connection;

use super::schema::Found;

/// A foreign key by the names that its declaration has.
#[derive(Clone, Debug)]
pub(super) struct ForeignKey {
    pub(super) parent: String,
    pub(super) from: Vec<String>,
    /// Absent where the parent's primary key is meant.
    pub(super) to: Vec<Option<String>>,
}

/// A relationship by names.
pub(super) struct Relation {
    name: String,
    table: String,
    from: Vec<String>,
    to: Vec<String>,
    one: bool,
}

impl Relation {
    /// Adds the relationship to a table's declaration.
    pub(super) fn add(self, table: Table) -> Table {
        if self.one {
            table.one(self.name, self.table, self.from, self.to)
        } else {
            table.many(self.name, self.table, self.from, self.to)
        }
    }
}

/// The foreign keys of a table in the order of their declaration.
pub(super) fn foreign_keys(
    connection: &Connection,
    table: &str,
) -> rusqlite::Result<Vec<ForeignKey>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1, 'main') \
         ORDER BY id DESC, seq",
    )?;
    let mut rows = statement.query([table])?;
    let mut found: Vec<(i64, ForeignKey)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, parent, from, to) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        match found.last_mut() {
            Some((last, key)) if *last == id => {
                key.from.push(from);
                key.to.push(to);
            }
            _ => found.push((id, ForeignKey { parent, from: vec![from], to: vec![to] })),
        }
    }
    Ok(found.into_iter().map(|(_, key)| key).collect())
}

/// The relationships of each table.
pub(super) fn named(tables: &[&Found]) -> Vec<Vec<Relation>> {
    let mut named: Vec<Vec<Relation>> = tables.iter().map(|_| Vec::new()).collect();
    for (child, table) in tables.iter().enumerate() {
        for key in &table.foreign_keys {
            let Some((parent, from, to)) = resolve(tables, table, key) else { continue };
            let (child_name, parent_name) = (&table.info.name, &tables[parent].info.name);
            let by = from.join("_");
            let short = match from.as_slice() {
                [column] => without_id(column).unwrap_or(parent_name.as_str()),
                _ => parent_name.as_str(),
            };
            let one = free_name(short, parent_name, &by, tables[child], &named[child]);
            if let Some(name) = one {
                let (table, from, to) = (parent_name.clone(), from.clone(), to.clone());
                named[child].push(Relation { name, table, from, to, one: true });
            }
            let many = free_name(child_name, child_name, &by, tables[parent], &named[parent]);
            if let Some(name) = many {
                let (table, from, to) = (child_name.clone(), to, from);
                named[parent].push(Relation { name, table, from, to, one: false });
            }
        }
    }
    named
}

/// The parent's place and the columns of both sides, where they can be related.
fn resolve(
    tables: &[&Found],
    child: &Found,
    key: &ForeignKey,
) -> Option<(usize, Vec<String>, Vec<String>)> {
    let parent =
        tables.iter().position(|table| table.info.name.eq_ignore_ascii_case(&key.parent))?;
    let implied = &tables[parent].info.key;
    let to: Vec<usize> = match key.to.iter().cloned().collect::<Option<Vec<String>>>() {
        Some(names) => {
            names.iter().map(|name| column(tables[parent], name)).collect::<Option<_>>()?
        }
        None if implied.len() == key.from.len() => implied.clone(),
        None => return None,
    };
    let from: Vec<usize> =
        key.from.iter().map(|name| column(child, name)).collect::<Option<_>>()?;
    let types = |table: &Found, at: &usize| table.columns()[*at].column_type;
    let relatable = from.iter().zip(&to).all(|(from, to)| {
        let (from, to) = (types(child, from), types(tables[parent], to));
        from != ColumnType::Json && to != ColumnType::Json && from.comparable(to)
    });
    let distinct =
        |columns: &[usize]| (1..columns.len()).all(|at| !columns[..at].contains(&columns[at]));
    if !relatable || !distinct(&from) || !distinct(&to) {
        return None;
    }
    let names = |table: &Found, columns: &[usize]| -> Vec<String> {
        columns.iter().map(|at| table.columns()[*at].name.clone()).collect()
    };
    Some((parent, names(child, &from), names(tables[parent], &to)))
}

fn column(table: &Found, name: &str) -> Option<usize> {
    table.columns().iter().position(|column| column.name.eq_ignore_ascii_case(name))
}

/// A column's name without the end that says that it is an id.
fn without_id(column: &str) -> Option<&str> {
    let stripped = ["_id", "_ID", "Id", "ID"].into_iter().find_map(|end| column.strip_suffix(end));
    stripped.filter(|name| !name.is_empty())
}

/// The first of the names that a foreign key may go by that is free.
fn free_name(
    short: &str,
    table: &str,
    by: &str,
    owner: &Found,
    others: &[Relation],
) -> Option<String> {
    let candidates = [short.to_owned(), format!("{table}_by_{by}")];
    candidates.into_iter().find(|name| {
        column(owner, name).is_none() && !others.iter().any(|other| other.name == *name)
    })
}
