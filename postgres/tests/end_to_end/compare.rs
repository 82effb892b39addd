//! Whether the replica equals the server.

use std::collections::BTreeSet;

use penstock::{Database, Subscription, Tree};
use penstock_postgres_harness::{Client, difference};

use crate::form::Form;
use crate::queries::TestQuery;
use crate::schema::{Column, Model, Table, quoted};

type Printed = Vec<Vec<String>>;

/// What a connection must be set to so that values are printed as expected.
pub(crate) const SETTINGS: &str = "set timezone = 'UTC'; set datestyle = 'ISO, MDY'; \
    set intervalstyle = 'iso_8601'; set bytea_output = 'hex'; set extra_float_digits = 1";

/// The columns that the server says a table to have, but for generated ones.
const COLUMNS: &str = "select a.attname from pg_attribute a where a.attrelid = $::regclass \
    and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attname";

/// The table by which it is seen that all is applied.
const MARK: &str = "quiet.mark";

const TABLES: &str = "select case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname \
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p') \
    and not c.relispartition and n.nspname in ('public', 'other')";

/// Compares all tables, by their names, columns and rows. Says what differs.
pub(crate) fn tables(server: &Client, db: &Database, model: &Model) -> Result<(), String> {
    let ours: BTreeSet<String> = model.tables.iter().map(Table::in_replica).collect();
    let schema = db.schema();
    let replica: BTreeSet<String> =
        schema.names().filter(|name| *name != MARK).map(str::to_owned).collect();
    let of_server: BTreeSet<String> = first_values(server, TABLES)?.into_iter().collect();
    if of_server != ours {
        return Err(format!("the workload takes {ours:?} for the server's tables {of_server:?}"));
    }
    if replica != of_server {
        let refused: Vec<_> = schema.refused_tables().collect();
        return Err(format!(
            "the server has the tables {of_server:?}, the replica {replica:?} (refused: {refused:?})"
        ));
    }
    model.tables.iter().try_for_each(|it| table(server, db, it))
}

fn table(server: &Client, db: &Database, table: &Table) -> Result<(), String> {
    let name = table.in_replica();
    let schema = db.schema();
    let id = schema.table_id(&name).ok_or_else(|| format!("the replica has no table {name}"))?;
    let replica: BTreeSet<String> =
        schema.table(id).columns().iter().map(|column| column.name.to_string()).collect();
    let sql = COLUMNS.replace('$', &crate::literals::quoted(&table.sql()));
    let of_server: BTreeSet<String> = first_values(server, &sql)?.into_iter().collect();
    if replica != of_server {
        return Err(format!(
            "table {name}: the server has the columns {of_server:?}, the replica {replica:?}"
        ));
    }
    let columns: Vec<&Column> = table.written().collect();
    let printed: Vec<String> =
        columns.iter().map(|column| column.kind().printed(&column.quoted())).collect();
    let plain: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| format!("{} AS c{at}", column.quoted()))
        .collect();
    let query = TestQuery {
        server: format!("select {} from {}", printed.join(", "), table.sql()),
        replica: format!("SELECT {} FROM {}", plain.join(", "), quoted(&name)),
        forms: columns.iter().map(|column| column.kind().form).collect(),
        is_ordered: false,
    };
    let found = db.query_sql(&query.replica, ()).map_err(|error| format!("{error}\n{query:?}"))?;
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    same(&query, of_server_rows(server, &query)?, of_tree(&query, &found))
        .map_err(|problem| format!("table {name}({names:?}): {problem}"))
}

/// Compares the rows of a query.
pub(crate) fn rows(server: &Client, query: &TestQuery, found: &Tree) -> Result<(), String> {
    let expected = of_server_rows(server, query)?;
    same(query, expected, of_tree(query, found)).map_err(|problem| {
        format!("{problem}\non the replica: {}\non the server: {}", query.replica, query.server)
    })
}

fn same(query: &TestQuery, server: Printed, replica: Printed) -> Result<(), String> {
    if query.is_ordered && server == replica {
        return Ok(());
    }
    let difference =
        difference(("the server", shortened(&server)), ("the replica", shortened(&replica)));
    let equal_bags = {
        let (mut server, mut replica) = (server.clone(), replica.clone());
        server.sort();
        replica.sort();
        server == replica
    };
    match (equal_bags, query.is_ordered) {
        (true, false) => Ok(()),
        (true, true) => {
            let at = server.iter().zip(&replica).position(|(a, b)| a != b).unwrap_or(0);
            Err(format!(
                "another order from row {at} on: the server has {:?}, the replica {:?}",
                server[at], replica[at]
            ))
        }
        (false, _) => Err(difference.unwrap_or_else(|| "long values differ".to_owned())),
    }
}

/// Rows with their long values cut, for messages.
fn shortened(rows: &Printed) -> Printed {
    let short = |value: &String| match value.char_indices().nth(120) {
        Some((end, _)) => format!("{}… ({} bytes)", &value[..end], value.len()),
        None => value.clone(),
    };
    rows.iter().map(|row| row.iter().map(short).collect()).collect()
}

fn of_server_rows(server: &Client, query: &TestQuery) -> Result<Printed, String> {
    let rows = server.sql(&query.server).map_err(|error| format!("{error}\n{}", query.server))?;
    let print = |row: Vec<Option<String>>| {
        row.iter().zip(&query.forms).map(|(value, form)| form.of_server(value.as_deref())).collect()
    };
    Ok(rows.into_iter().map(print).collect())
}

fn of_tree(query: &TestQuery, tree: &Tree) -> Printed {
    let names: Vec<String> = (0..query.forms.len()).map(|at| format!("c{at}")).collect();
    let print = |entry: penstock::Entry| {
        let value = |(name, form): (&String, &Form)| match entry.get(name) {
            Some(value) => form.of_replica(value),
            None => format!("no column {name}"),
        };
        names.iter().zip(&query.forms).map(value).collect()
    };
    tree.iter().map(print).collect()
}

fn first_values(server: &Client, sql: &str) -> Result<Vec<String>, String> {
    let rows = server.sql(sql).map_err(|error| format!("{error}\n{sql}"))?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// A live query, and a copy of its result that every patch is applied to.
pub(crate) struct Live {
    pub(crate) query: TestQuery,
    pub(crate) subscription: Subscription,
    copy: Tree,
}

impl Live {
    /// Subscribes; an error is one of the test, as the query is of the SQL that is supported.
    pub(crate) fn start(db: &Database, query: TestQuery) -> Result<Live, String> {
        let subscription = db.subscribe_sql(&query.replica, ());
        let subscription =
            subscription.map_err(|error| format!("{error}\non the replica: {}", query.replica))?;
        let copy = subscription.rows();
        Ok(Live { query, subscription, copy })
    }

    /// Takes the patches, of which the first `lost` are lost on the way, and compares: the copy with the
    /// result, and the result with the server's.
    pub(crate) fn check(&mut self, server: &Client, lost: usize) -> Result<(), String> {
        for patch in self.subscription.changes().skip(lost) {
            self.copy.apply(&patch);
        }
        let rows = self.subscription.try_rows().map_err(|error| error.to_string())?;
        if self.copy != rows {
            let query = &self.query;
            let (copy, rows) = (of_tree(query, &self.copy), of_tree(query, &rows));
            return Err(format!(
                "the patches of a live query do not give its result: {}\n{}",
                query.replica,
                difference(("the copy", shortened(&copy)), ("the result", shortened(&rows)))
                    .unwrap_or_else(|| "another order".to_owned())
            ));
        }
        self::rows(server, &self.query, &rows)
    }
}
