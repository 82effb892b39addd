//! Whether tables can be followed.

use crate::connect::{Config, ServerError, Session};
use crate::setup::report::Report;
use crate::setup::tables::{Described, candidates, read_types};
use crate::setup::{Plugin, Setup, System, Tables, quoted};
use crate::table::{Identity, TableName};
use crate::types::Catalogue;

/// How many names a line shows.
const SHOWN: usize = 5;

pub(super) async fn check(
    session: &Session,
    config: &Config,
    system: &System,
    setup: &Setup,
    report: &mut Report,
) -> Result<(), ServerError> {
    let types = read_types(session).await?;
    let (tables, missing) = candidates(session, system, setup).await?;
    for name in missing {
        report.problem(
            format!("table {name}"),
            "there is no such table in this database, or the role may not use its schema",
            [format!(
                "GRANT USAGE ON SCHEMA {} TO {}",
                quoted(&name.schema),
                quoted(config.user())
            )],
        );
    }
    if tables.is_empty() {
        report.warn("tables", "there is none to follow yet");
    }
    let mut fine = Vec::new();
    for table in &tables {
        let before = report.checks.len();
        check_table(config, setup, table, &types, report);
        if report.checks.len() == before {
            fine.push(table.table.relation.name.to_string());
        }
    }
    if !fine.is_empty() {
        let more = if fine.len() > SHOWN { ", …" } else { "" };
        let names = fine.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        report.fine("tables", format!("{} can be followed: {names}{more}", fine.len()));
    }
    if setup.tables == Tables::All {
        others(session, report).await?;
    }
    Ok(())
}

fn check_table(
    config: &Config,
    setup: &Setup,
    described: &Described,
    types: &Catalogue,
    report: &mut Report,
) {
    let table = &described.table;
    let name = &table.relation.name;
    let subject = format!("table {name}");
    let none: [&str; 0] = [];
    let refused = match described.kind {
        'v' | 'm' => Some("it is a view; follow the tables that it reads"),
        'f' => Some("it is a foreign table; follow it on the server that it is on"),
        'r' | 'p' => None,
        _ => Some("it is not a table"),
    };
    if let Some(why) = refused {
        return report.problem(subject, why, none);
    }
    match described.persistence {
        'u' => {
            let sql = format!("ALTER TABLE {} SET LOGGED", name.quoted());
            return report.problem(
                subject,
                "it is unlogged: its changes are not in the log",
                [sql],
            );
        }
        't' => return report.problem(subject, "it is temporary", none),
        _ => {}
    }
    if described.is_partition && matches!(setup.tables, Tables::Listed(_)) {
        report.problem(
            &subject,
            "it is a partition; its changes come under its root: list that",
            none,
        );
    }
    if table.partitioned && setup.plugin == Plugin::Wal2json {
        report.problem(
            &subject,
            "it is partitioned, which wal2json cannot follow; use pgoutput",
            none,
        );
    }
    if setup.plugin == Plugin::Wal2json && table.filter.is_some() {
        let what =
            "the publication has a row filter for it, which wal2json does not know; use pgoutput";
        report.problem(&subject, what, none);
    }
    if !described.usable_identity {
        let (why, sql) = identity_advice(described, name);
        report.problem(&subject, why, sql);
    }
    if !described.identity_left_out.is_empty() && setup.plugin == Plugin::Pgoutput {
        let names = described.identity_left_out.join(", ");
        let what = format!(
            "the publication leaves out columns of its replica identity ({names}): the server then \
             refuses updates and deletes, those of the application too"
        );
        let mut sql = Vec::new();
        if table.relation.identity == Identity::Full && !table.key.is_empty() {
            sql.push(format!("ALTER TABLE {} REPLICA IDENTITY DEFAULT", name.quoted()));
        }
        report.problem(&subject, what, sql);
    }
    if !described.readable {
        let sql = format!("GRANT SELECT ON {} TO {}", name.quoted(), quoted(config.user()));
        report.problem(&subject, format!("{} may not read it", config.user()), [sql]);
    }
    if described.rows_hidden {
        let sql = format!("ALTER ROLE {} BYPASSRLS", quoted(config.user()));
        report.problem(&subject, "row-level security hides rows of it from the role", [sql]);
    }
    for (column, type_name) in table.relation.columns.iter().zip(&table.types) {
        if let Err(error) = types.mapping(column.type_id) {
            let name = &column.name;
            let what =
                format!("the column {name} has the type {type_name}, which has no value: {error}");
            report.problem(&subject, what, none);
        }
    }
    if table.relation.columns.is_empty() {
        report.problem(&subject, "it has no column that is published", none);
    }
    if !table.left_out.is_empty() {
        let names = table.left_out.join(", ");
        report.warn(
            &subject,
            format!("columns that are generated or not published are left out: {names}"),
        );
    }
    if table.key.is_empty() && described.usable_identity {
        report.warn(
            subject,
            "it has no primary key: rows are told apart by all of their values, which costs more",
        );
    }
}

fn identity_advice(described: &Described, name: &TableName) -> (&'static str, Vec<String>) {
    let quoted_name = name.quoted();
    let why = match described.table.relation.identity {
        Identity::Nothing => {
            "its replica identity is NOTHING: updates and deletes cannot be followed"
        }
        Identity::Index => "the index that was its replica identity is gone",
        Identity::Default | Identity::Full => {
            "it has no primary key: updates and deletes cannot be followed"
        }
    };
    let mut sql = Vec::new();
    match (&described.candidate, described.table.key.is_empty()) {
        (_, false) => sql.push(format!("ALTER TABLE {quoted_name} REPLICA IDENTITY DEFAULT")),
        (Some(index), true) => sql.push(format!(
            "ALTER TABLE {quoted_name} REPLICA IDENTITY USING INDEX {}",
            quoted(index)
        )),
        (None, true) => sql.push(format!("ALTER TABLE {quoted_name} ADD PRIMARY KEY (…)")),
    }
    sql.push(format!("ALTER TABLE {quoted_name} REPLICA IDENTITY FULL"));
    (why, sql)
}

/// Tables that a publication of all tables leaves out.
async fn others(session: &Session, report: &mut Report) -> Result<(), ServerError> {
    let sql = "SELECT n.nspname::text, c.relname::text FROM pg_class c \
               JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE (c.relkind = 'f' OR c.relkind = 'r' AND c.relpersistence = 'u') \
               ORDER BY 1, 2";
    let doing = "reading which tables cannot be followed";
    for row in session.query(sql, &[]).await.map_err(ServerError::of(doing))? {
        let name = TableName::new(row.get::<_, &str>(0), row.get::<_, &str>(1));
        report.warn(format!("table {name}"), "it is unlogged or foreign, and left out");
    }
    Ok(())
}
