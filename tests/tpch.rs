//! The queries of TPC-H, live over generated data at a small scale in a SQLite file: through
//! inserts, updates and deletes they are what SQLite returns for the same SQL.

// Parts of the random tests serve here too.
#![allow(dead_code)]

#[path = "tpch/batches.rs"]
mod batches;
#[path = "sql_oracle/compare.rs"]
mod compare;
#[path = "tpch/oracle.rs"]
mod oracle;
#[path = "tpch/queries.rs"]
mod queries;
#[path = "tpch/tables.rs"]
mod tables;

use std::collections::BTreeSet;

use batches::{BATCHES, Batch};
use compare::{difference, shown};
use penstock::SqliteSource;
use penstock::{Database, Error, RowInput, Subscription, Transaction, Tree, Value};
use queries::QUERIES;
use rusqlite::Connection;
use rusqlite::types::Value as SqlValue;
use tables::Generated;

/// How many orders are held back to be inserted later.
const HELD_BACK: usize = 60;

/// A live query with the tree that its patches keep.
struct Live {
    number: u32,
    sql: &'static str,
    subscription: Subscription,
    tree: Tree,
}

fn key(row: &[SqlValue]) -> i64 {
    let SqlValue::Integer(key) = row[0] else { panic!("an integer key") };
    key
}

/// Takes the last orders and their lines out of what is generated.
fn hold_back(generated: &mut [Generated]) -> Vec<(Vec<SqlValue>, Vec<Vec<SqlValue>>)> {
    let (lines, orders) = (7, 6);
    let all = &mut generated[orders].rows;
    let held = all.split_off(all.len() - HELD_BACK);
    let keys: BTreeSet<i64> = held.iter().map(|row| key(row)).collect();
    let (held_lines, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut generated[lines].rows)
        .into_iter()
        .partition(|row| keys.contains(&key(row)));
    generated[lines].rows = rest;
    let of = |order: &[SqlValue]| {
        held_lines.iter().filter(|line| key(line) == key(order)).cloned().collect()
    };
    held.into_iter().map(|order| (order.clone(), of(&order))).collect()
}

/// A row for the row API.
fn input(tx: &Transaction<'_>, table: &str, row: &[SqlValue]) -> RowInput {
    let schema = tx.schema();
    let table = schema.table(schema.table_id(table).expect("a table"));
    table.columns().iter().zip(row).fold(RowInput::new(), |input, (column, value)| {
        let value: Value = match value {
            SqlValue::Integer(value) => (*value).into(),
            SqlValue::Text(text) => text.as_str().into(),
            value => panic!("{value:?}"),
        };
        input.with(&column.name, value)
    })
}

/// Checks every query. Returns how many patches there were.
fn check(live: &mut [Live], right: &Connection, after: &str) -> usize {
    let mut patches = 0;
    for live in live {
        let rows = live.subscription.rows();
        let found = difference(&shown(&rows), &oracle::rows(right, live.sql), true);
        if let Some(difference) = found {
            panic!("query {} {after}: {difference}", live.number);
        }
        for patch in live.subscription.changes() {
            live.tree.apply(&patch);
            patches += 1;
        }
        assert_eq!(live.tree, rows, "query {} {after}: patches make another tree", live.number);
    }
    patches
}

#[test]
fn tpch_queries_are_sqlites() -> Result<(), Error> {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("tpch.db");
    // One may be left from a run that failed.
    let _ = std::fs::remove_file(&path);
    let mut generated = tables::generate();
    let mut held = hold_back(&mut generated).into_iter();
    let filled = Connection::open(&path).expect("a file");
    filled.pragma_update(None, "synchronous", "OFF").expect("a setting");
    filled.execute_batch(tables::DDL).expect("tables");
    filled.execute_batch("BEGIN").expect("a transaction");
    for Generated { table, rows } in &generated {
        tables::insert(&filled, table, rows);
    }
    filled.execute_batch("COMMIT").expect("a commit");

    let right = Connection::open(&path).expect("a file");
    let db = Database::builder().with_source(SqliteSource::from_connection(filled)?)?;
    let mut live = Vec::new();
    for (number, sql) in QUERIES {
        let subscription = db.subscribe_sql(sql, ())?;
        let tree = subscription.rows();
        assert!(!tree.is_empty(), "query {number} has rows");
        live.push(Live { number, sql, subscription, tree });
    }
    check(&mut live, &right, "at first");

    for (at, batch) in BATCHES.iter().enumerate() {
        let none: [Value; 0] = [];
        let outcome = db.transaction(|tx| match batch {
            Batch::Orders(count) => held.by_ref().take(*count).try_for_each(|(order, lines)| {
                let row = input(tx, "orders", &order);
                tx.insert("orders", row)?;
                lines.iter().try_for_each(|line| {
                    let row = input(tx, "lineitem", line);
                    tx.insert("lineitem", row)
                })
            }),
            Batch::Lines(orders) => orders.clone().try_for_each(|order| {
                let key = || RowInput::new().with("l_orderkey", order).with("l_linenumber", 1);
                match tx.get("lineitem", key())? {
                    Some(_) => tx.update("lineitem", key().with("l_quantity", order % 50)),
                    None => Ok(()),
                }
            }),
            Batch::Sql(statements) => {
                statements.iter().try_for_each(|sql| tx.execute(sql, none.clone()).map(drop))
            }
            Batch::GivenUp(statements) => {
                statements.iter().try_for_each(|sql| tx.execute(sql, none.clone()).map(drop))?;
                Err(Error::abort("as told"))
            }
        });
        let given_up = matches!(batch, Batch::GivenUp(_));
        match outcome {
            Err(Error::Aborted(_)) if given_up => {}
            outcome => outcome?,
        }
        let patches = check(&mut live, &right, &format!("after transaction {at}"));
        assert_eq!(patches > 0, !given_up, "transaction {at} changes results");
    }
    assert!(held.next().is_none());
    drop(live);
    let usage = db.memory_usage()?;
    assert_eq!((usage.levels, usage.partitions), (0, 0));
    drop((db, right));
    std::fs::remove_file(&path).expect("the file");
    Ok(())
}
