//! Mutations into an SQLite file: operations, number and failure in one transaction of the engine.

use penstock::{Database, Error, Query, Transaction, col, row};
use serde_json::Value as Json;

use super::apply::{Author, Failure, apply};
use super::told::told;
use super::{Answer, Bookkeeping, Crud, WriteError, Writer, Written, failure, unavailable};
use crate::rules::SharedRules;

const CLIENTS: &str = "_zero_clients";
const MUTATIONS: &str = "_zero_mutations";

/// Tables whose names begin like this are not for users: of the bookkeeping, the engine, and SQLite.
const INTERNAL: [&str; 3] = ["_zero_", "penstock_", "sqlite_"];

const TABLES: &str = r#"
CREATE TABLE IF NOT EXISTS "_zero_clients" (
  "clientGroupID" TEXT NOT NULL, "clientID" TEXT NOT NULL, "lastMutationID" INTEGER NOT NULL,
  "userID" TEXT, PRIMARY KEY ("clientGroupID", "clientID"));
CREATE TABLE IF NOT EXISTS "_zero_mutations" (
  "clientGroupID" TEXT NOT NULL, "clientID" TEXT NOT NULL, "mutationID" INTEGER NOT NULL,
  "result" JSON TEXT NOT NULL, PRIMARY KEY ("clientGroupID", "clientID", "mutationID"));
"#;

/// Writes into an SQLite file. Cheap to clone.
#[derive(Clone)]
pub struct SqliteWriter {
    db: Database,
    rules: SharedRules,
}

impl SqliteWriter {
    /// A writer, with its tables `_zero_clients` and `_zero_mutations` made where they are missing.
    ///
    /// # Errors
    /// The file cannot be written to.
    pub fn new(db: Database, rules: SharedRules) -> Result<SqliteWriter, Error> {
        let schema = db.schema();
        if schema.table_id(CLIENTS).is_none() || schema.table_id(MUTATIONS).is_none() {
            db.transaction(|tx| tx.change_schema(TABLES))?;
        }
        Ok(SqliteWriter { db, rules })
    }

    /// Applies a mutation. Blocks while others write.
    ///
    /// # Errors
    /// The file cannot be written to at present.
    pub fn write(&self, crud: &Crud) -> Result<Written, WriteError> {
        match self.attempt(crud, None)? {
            Attempt::Done(written) => Ok(written),
            Attempt::Failed(message) => match self.attempt(crud, Some(&message))? {
                Attempt::Done(written) => Ok(written),
                Attempt::Failed(reason) => Err(unavailable(reason)),
            },
        }
    }

    /// Applies a mutation, or if it has failed its number and failure only.
    fn attempt(&self, crud: &Crud, failed: Option<&str>) -> Result<Attempt, WriteError> {
        let mut refused = None;
        let mut is_refused = false;
        let mut begun = false;
        let done = self.db.transaction(|tx| {
            begun = true;
            if is_anothers(tx, crud)? {
                is_refused = true;
                return Err(Error::abort("the client group belongs to another user"));
            }
            let expected = next(tx, crud)?;
            if crud.mutation_id < expected {
                return Ok(Written::AlreadyProcessed);
            }
            if crud.mutation_id > expected {
                return Ok(Written::OutOfOrder { expected });
            }
            count(tx, crud)?;
            if let Some(message) = failed {
                record(tx, crud, message)?;
                return Ok(Written::Refused { message: message.to_owned() });
            }
            match self.apply(tx, crud) {
                Ok(()) => Ok(Written::Applied),
                Err(Failure::Refused(message)) => {
                    refused = Some(message);
                    Err(Error::abort("the mutation was refused"))
                }
                // Another time it may go well.
                Err(Failure::Engine(error)) if is_of_the_file(&error) => Err(error),
                Err(Failure::Engine(error)) => {
                    refused = Some(told(&error, self.rules.get().allows_all()));
                    Err(error)
                }
            }
        });
        if is_refused {
            return Err(WriteError::OtherUser);
        }
        match (done, refused) {
            (Ok(written), _) => Ok(Attempt::Done(written)),
            (Err(_), Some(message)) => Ok(Attempt::Failed(message)),
            // Constraints that are looked at when the transaction ends.
            (Err(error), None) if begun && failed.is_none() && is_of_the_data(&error) => {
                Ok(Attempt::Failed(told(&error, self.rules.get().allows_all())))
            }
            (Err(error), None) => Err(unavailable(error)),
        }
    }

    fn apply(&self, tx: &mut Transaction<'_>, crud: &Crud) -> Result<(), Failure> {
        let ops = crud.ops.as_ref().map_err(|problem| Failure::Refused(problem.clone()))?;
        let rules = self.rules.get();
        let author = Author { rules: &rules, claims: &crud.claims, is_internal: &is_internal };
        apply(tx, &author, ops)
    }

    fn forget_now(&self, group: &str, client: &str, up_to: i64) -> Result<(), WriteError> {
        let sql = r#"DELETE FROM "_zero_mutations"
            WHERE "clientGroupID" = ?1 AND "clientID" = ?2 AND "mutationID" <= ?3"#;
        let values = [group.into(), client.into(), penstock::Value::Int(up_to)];
        let deleted = self.db.transaction(|tx| tx.execute(sql, values));
        deleted.map(drop).map_err(unavailable)
    }
}

enum Attempt {
    Done(Written),
    Failed(String),
}

/// Whether a table is not for clients, whatever rules say.
#[must_use]
pub fn is_internal(table: &str) -> bool {
    let begins =
        |with: &&str| table.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    INTERNAL.iter().any(begins)
}

/// Whether an error at the end of a transaction is about what was written, not about the file.
fn is_of_the_data(error: &Error) -> bool {
    match error {
        Error::Apply(_) | Error::BadRow { .. } => true,
        Error::Source(error) => error.reason.contains("constraint failed"),
        _ => false,
    }
}

/// What SQLite says where the file, the disk or its lock is at fault.
const FILE_FAULTS: [&str; 7] = [
    "database or disk is full",
    "disk I/O error",
    "database is locked",
    "database table is locked",
    "attempt to write a readonly database",
    "unable to open database file",
    "database disk image is malformed",
];

/// Whether an error is about the file, so that the same write may go well another time.
pub(super) fn is_of_the_file(error: &Error) -> bool {
    match error {
        Error::Source(error) => FILE_FAULTS.iter().any(|fault| error.reason.contains(fault)),
        Error::Broken => true,
        _ => false,
    }
}

/// Whether somebody else has written under the name of the client group.
fn is_anothers(tx: &mut Transaction<'_>, crud: &Crud) -> Result<bool, Error> {
    let of_group = col("clientGroupID").eq(crud.group.as_str());
    let mut query = Query::table(CLIENTS).filter(of_group).filter(col("userID").is_not_null());
    if let Some(user) = &crud.user {
        query = query.filter(col("userID").ne(user.as_str()));
    }
    Ok(!tx.query(&query.limit(1))?.is_empty())
}

/// The number that the client's next mutation has.
fn next(tx: &Transaction<'_>, crud: &Crud) -> Result<i64, Error> {
    let key = row! { "clientGroupID": crud.group.as_str(), "clientID": crud.client.as_str() };
    let known = tx.get(CLIENTS, key)?;
    let last = known.as_ref().and_then(|row| row.get("lastMutationID"));
    Ok(match last {
        Some(penstock::ValueRef::Int(last)) => last + 1,
        _ => 1,
    })
}

/// Takes note of the mutation's number.
fn count(tx: &mut Transaction<'_>, crud: &Crud) -> Result<(), Error> {
    let mut client = row! {
        "clientGroupID": crud.group.as_str(),
        "clientID": crud.client.as_str(),
        "lastMutationID": crud.mutation_id,
    };
    if let Some(user) = &crud.user {
        client = client.with("userID", user.as_str());
    }
    tx.upsert(CLIENTS, client).map(drop)
}

fn record(tx: &mut Transaction<'_>, crud: &Crud, message: &str) -> Result<(), Error> {
    let failure = row! {
        "clientGroupID": crud.group.as_str(),
        "clientID": crud.client.as_str(),
        "mutationID": crud.mutation_id,
        "result": penstock::Value::Json(Json::to_string(&failure(message)).into()),
    };
    tx.upsert(MUTATIONS, failure).map(drop)
}

impl Writer for SqliteWriter {
    fn crud(&self, crud: Crud) -> Answer<'_, Written> {
        let this = self.clone();
        Box::pin(blocking(move || this.write(&crud)))
    }

    fn forget(&self, group: String, client: String, up_to: i64) -> Answer<'_, ()> {
        let this = self.clone();
        Box::pin(blocking(move || this.forget_now(&group, &client, up_to)))
    }

    fn is_internal(&self, table: &str) -> bool {
        is_internal(table)
    }

    fn bookkeeping(&self) -> Bookkeeping {
        Bookkeeping { clients_table: CLIENTS.to_owned(), mutations_table: MUTATIONS.to_owned() }
    }
}

/// Runs what blocks on a thread for that.
pub(super) async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, WriteError> + Send + 'static,
) -> Result<T, WriteError> {
    match tokio::task::spawn_blocking(run).await {
        Ok(done) => done,
        Err(stopped) => Err(unavailable(stopped)),
    }
}
