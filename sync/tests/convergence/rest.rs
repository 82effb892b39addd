//! Rest: what clients hold is what the database gives, and every mutation was carried out once.

use std::collections::{BTreeMap, BTreeSet};

use penstock::{Database, Params, Query};
use penstock_sync::validate::plain;
use serde_json::Value as Json;

use super::base::Base;
use super::data;
use super::life::{Account, Board, Held};
use crate::client::same;

fn parsed(name: &str) -> Query {
    Query::from_ast(&data::query(name)).expect("a query")
}

/// Fails unless clients hold, and show, what their queries give on the rows of the database.
pub(crate) fn compare(database: &Database, all: &[Held]) -> Result<(), String> {
    let mut row_sets: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for name in all.iter().flat_map(|held| &held.got) {
        row_sets.entry(name).or_insert_with(|| {
            let rows = database.query_row_set(&parsed(name), &Params::default()).expect("rows");
            rows.iter().map(|row| described(row.table().name(), &row.to_json())).collect()
        });
    }
    for held in all {
        let client = &held.client;
        let expected: BTreeSet<&String> =
            held.got.iter().flat_map(|name| &row_sets[name.as_str()]).collect();
        let found: Vec<String> = held
            .rows
            .iter()
            .flat_map(|(table, rows)| rows.iter().map(|row| described(table, row)))
            .collect();
        let found: BTreeSet<&String> = found.iter().collect();
        if found != expected {
            let missing: Vec<_> = expected.difference(&found).take(3).collect();
            let extra: Vec<_> = found.difference(&expected).take(3).collect();
            let got = &held.got;
            return Err(format!("{client} lacks {missing:?}, has {extra:?} too many, got {got:?}"));
        }
        for (name, shown) in &held.shown {
            let expected = database.query(&parsed(name)).expect("a result");
            let expected = expected.to_json().expect("a list");
            if !same(shown, &expected) {
                return Err(format!("{client} shows of {name} {shown}, expected is {expected}"));
            }
        }
    }
    Ok(())
}

fn described(table: &str, row: &Json) -> String {
    format!("{table} {}", plain(row))
}

/// The database as its rows are now.
pub(crate) fn fresh(base: &Base) -> Database {
    data::fresh(&base.rows())
}

/// Whether all mutations of clients that are still there are carried out, as far as the database knows.
pub(crate) fn is_drained(base: &Base, board: &Board) -> bool {
    let sql =
        format!(r#"SELECT "clientID" || ' ' || "lastMutationID" FROM {}"#, base.clients_table());
    let done: BTreeSet<String> = base.texts(&sql).into_iter().collect();
    let accounts = board.accounts.lock().expect("no holder panics");
    accounts
        .iter()
        .filter(|(_, account)| !account.is_gone && !account.made.is_empty())
        .all(|(client, account)| done.contains(&format!("{client} {}", account.made.len())))
}

/// Fails unless each mutation that the database takes was carried out once: of clients that are gone,
/// those that were acknowledged to them.
pub(crate) fn audit(base: &Base, board: &Board) -> Result<u64, String> {
    let sql = "SELECT client || ' ' || CAST(CAST(n AS integer) AS text) FROM ledger_log";
    let mut noted: BTreeMap<String, u64> = BTreeMap::new();
    for note in base.texts(sql) {
        *noted.entry(note).or_default() += 1;
    }
    let mut done = 0;
    let accounts = board.accounts.lock().expect("no holder panics");
    for (client, Account { made, acknowledged, is_gone }) in &*accounts {
        for (number, is_good) in (1..).zip(made) {
            let times = noted.remove(&format!("{client} {number}")).unwrap_or(0);
            let is_open = *is_gone && number > *acknowledged;
            let as_expected = match (is_good, is_open) {
                (false, _) => times == 0,
                (true, false) => times == 1,
                (true, true) => times <= 1,
            };
            if !as_expected {
                return Err(format!(
                    "mutation {number} of {client} (good: {is_good}, acknowledged up to {acknowledged}) was carried out {times} times"
                ));
            }
            done += times;
        }
    }
    match noted.first_key_value() {
        None => Ok(done),
        Some((note, _)) => Err(format!("nobody has made mutation {note}")),
    }
}
