//! Who may read and write what, and what carries it out.

use std::sync::Arc;

use penstock::Database;
use penstock_sync::auth::{self, Verifier, system_clock};
use penstock_sync::backend::Backend;
use penstock_sync::hub::{Bookkeeping, ReadRules};
use penstock_sync::rules::{Rules, SharedRules};
use penstock_sync::writes::Writer;
use penstock_sync::writes::sqlite::SqliteWriter;
use serde_json::{Map, Value as Json, json};

/// The tables that clients may write.
const WRITABLE: [&str; 4] = ["issue", "issue_label", "comment", "trickle"];
/// The tables that clients may only read.
const READABLE: [&str; 2] = ["user", "label"];

/// Everybody may read everything here, and write what is no list of names.
fn rules() -> Result<Rules, String> {
    let always = || json!([["allow", {"type": "and", "conditions": []}]]);
    let readable = READABLE.map(|table| (table, json!({"select": always()})));
    let writable = WRITABLE.map(|table| {
        let update = json!({"preMutation": always(), "postMutation": always()});
        let (insert, delete) = (always(), always());
        let row = json!({"select": always(), "insert": insert, "update": update, "delete": delete});
        (table, row)
    });
    let all = readable.into_iter().chain(writable);
    let tables: Map<String, Json> =
        all.map(|(table, row)| (table.to_owned(), json!({"row": row}))).collect();
    Rules::parse(&json!({"tables": tables})).map_err(|error| error.to_string())
}

/// What the server needs.
pub(crate) struct Parts {
    pub(crate) backend: Backend,
    pub(crate) bookkeeping: Bookkeeping,
    pub(crate) read_rules: Box<dyn ReadRules>,
}

/// Nobody has to log in; mutations are written into the database.
///
/// # Errors
/// A database that cannot be written to.
pub(crate) fn parts(database: &Database) -> Result<Parts, String> {
    let clock = system_clock();
    let verifier = Verifier::new(&auth::Settings::default(), clock.clone());
    let mut backend = Backend::new(verifier.map_err(|error| error.to_string())?, clock);
    let rules = SharedRules::new(rules()?);
    rules.get().check(database).map_err(|error| error.to_string())?;
    let writer = SqliteWriter::new(database.clone(), rules.clone());
    let writer = writer.map_err(|error| error.to_string())?;
    let tables = writer.bookkeeping();
    backend.writer = Some(Arc::new(writer));
    Ok(Parts {
        backend,
        bookkeeping: Bookkeeping {
            clients_table: tables.clients_table,
            mutations_table: tables.mutations_table,
        },
        read_rules: Box::new(rules),
    })
}
