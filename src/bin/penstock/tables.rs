//! What a file holds.

use std::io::{self, Write};

use penstock::{Schema, TableSchema};

use crate::command::Tables;
use crate::failure::Failure;
use crate::session;
use penstock::tool::text::{fitted, width};

/// Prints the tables of a file.
///
/// # Errors
/// A file that cannot be opened, or a failing output.
pub(crate) fn run(options: &Tables) -> Result<(), Failure> {
    let db = session::open(&options.file)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    write(&mut out, &db.schema())?;
    Ok(out.flush()?)
}

/// Writes the tables with their columns and keys, and then those that cannot be queried.
fn write(out: &mut dyn Write, schema: &Schema) -> io::Result<()> {
    let tables = schema.tables().iter().filter(|table| schema.refused(table.name()).is_none());
    let mut some = false;
    for table in tables {
        some = true;
        one(out, schema, table)?;
    }
    let mut refused = schema.refused_tables().peekable();
    if !some && refused.peek().is_none() {
        return writeln!(out, "there are no tables");
    }
    if refused.peek().is_some() {
        writeln!(out, "cannot be queried:")?;
    }
    for (name, reason) in refused {
        writeln!(out, "  {name}: {reason}")?;
    }
    Ok(())
}

fn one(out: &mut dyn Write, schema: &Schema, table: &TableSchema) -> io::Result<()> {
    writeln!(out, "{}", table.name())?;
    let names = table.columns().iter().map(|column| width(&column.name));
    let names = names.max().unwrap_or(0);
    for column in table.columns() {
        let null = if column.nullable { "" } else { "not null" };
        let line = format!(
            "  {}  {}  {null}",
            fitted(&column.name, names, false),
            fitted(&column.column_type.to_string(), 7, false)
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    let list = |columns: &[usize]| {
        let names = columns.iter().map(|&at| table.columns()[at].name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    writeln!(out, "  key ({})", list(table.primary_key()))?;
    for unique in table.unique_keys() {
        writeln!(out, "  unique ({})", list(unique))?;
    }
    for relationship in table.relationships() {
        let Some(hop) = relationship.hops.last() else { continue };
        let target = schema.table(hop.table);
        let far = hop.to.iter().map(|&at| target.columns()[at].name.as_str());
        writeln!(
            out,
            "  {} → {} {} ({})",
            relationship.name,
            if relationship.one { "one" } else { "many" },
            target.name(),
            far.collect::<Vec<_>>().join(", ")
        )?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use penstock::{ColumnType, Table};

    use super::*;

    #[test]
    fn tables_are_listed_with_keys_and_refusals() {
        let schema = Schema::new([
            Table::new("owner").column("id", ColumnType::Integer).primary_key(["id"]),
            Table::new("task")
                .column("id", ColumnType::Integer)
                .nullable("title", ColumnType::Text)
                .column("ownerId", ColumnType::Integer)
                .primary_key(["id"])
                .unique(["title"])
                .one("owner", "owner", ["ownerId"], ["id"]),
        ])
        .expect("a schema")
        .with_refused(vec![("log".to_owned(), "it has no key".to_owned())]);
        let mut out = Vec::new();
        write(&mut out, &schema).expect("memory takes it");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(
            text,
            "\
owner
  id  integer  not null
  key (id)

task
  id       integer  not null
  title    text
  ownerId  integer  not null
  key (id)
  unique (title)
  owner → one owner (id)

cannot be queried:
  log: it has no key
"
        );
    }
}
