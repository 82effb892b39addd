//! One transaction: the client's number, the operations or their failure, and the end.

use penstock_postgres::connect::Session;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use super::super::told::of_postgres;
use super::super::{Crud, Written, failure};
use super::statement::Statement;
use crate::fault::concealed;

/// How a transaction ended, with the session as it was before.
pub(super) enum Outcome {
    Done(Written),
    /// Others got in the way; the same may go well now.
    Conflict,
    /// The client group belongs to somebody else.
    OtherUser,
    /// A statement failed, and nothing has changed.
    Failed {
        /// What the server said.
        message: String,
        /// Whether it was about tables, columns and types, not about data.
        of_schema: bool,
    },
}

/// It is not known how the session stands, or the server cannot go on.
pub(super) struct Broken {
    pub(super) reason: String,
    /// Whether the connection is gone.
    pub(super) lost: bool,
}

/// Counts a mutation and applies its statements; or, if it has `failed`, counts it and takes note of that.
pub(super) async fn attempt(
    session: &Session,
    schema: &str,
    crud: &Crud,
    statements: &[Statement],
    failed: Option<&str>,
    tells_all: bool,
) -> Result<Outcome, Broken> {
    let ended = match transaction(session, schema, crud, statements, failed).await {
        Ok(Step::Written(written)) => match session.batch_execute("COMMIT").await {
            Ok(()) => return Ok(Outcome::Done(written)),
            Err(error) => Err(error),
        },
        Ok(Step::NotNext) => Ok(false),
        Ok(Step::OtherUser) => Ok(true),
        Err(error) => Err(error),
    };
    if let Err(error) = &ended {
        broken_by(error)?;
    }
    session.batch_execute("ROLLBACK").await.map_err(|error| Broken::new(&error))?;
    match ended {
        Ok(true) => Ok(Outcome::OtherUser),
        Ok(false) => place(session, schema, crud).await.map_err(|error| Broken::new(&error)),
        Err(error) if is_conflict(&error) => Ok(Outcome::Conflict),
        // Not even the failure could be taken note of.
        Err(error) if failed.is_some() => Err(Broken::new(&error)),
        Err(error) => {
            let code = error.code().map_or("", |code| code.code());
            // Syntax errors and violated access rules, but for missing privileges.
            let of_schema = code.starts_with("42") && code != "42501";
            Ok(Outcome::Failed { message: told(&error, code, tells_all), of_schema })
        }
    }
}

/// What a transaction has come to before its end.
enum Step {
    Written(Written),
    /// The mutation is not next in line.
    NotNext,
    /// The client group belongs to somebody else.
    OtherUser,
}

/// All but the end of the transaction.
async fn transaction(
    session: &Session,
    schema: &str,
    crud: &Crud,
    statements: &[Statement],
    failed: Option<&str>,
) -> Result<Step, Error> {
    session.batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE").await?;
    let sql = format!(
        "INSERT INTO \"{schema}\".clients AS known \
           (\"clientGroupID\", \"clientID\", \"lastMutationID\", \"userID\") VALUES ($1, $2, 1, $3) \
         ON CONFLICT (\"clientGroupID\", \"clientID\") DO UPDATE \
           SET \"lastMutationID\" = known.\"lastMutationID\" + 1, \
               \"userID\" = COALESCE(known.\"userID\", EXCLUDED.\"userID\") \
         RETURNING \"lastMutationID\", EXISTS (SELECT 1 FROM \"{schema}\".clients AS other \
           WHERE other.\"clientGroupID\" = $1 AND other.\"userID\" IS NOT NULL \
             AND other.\"userID\" IS DISTINCT FROM $3)"
    );
    let client: [(&(dyn ToSql + Sync), Type); 3] =
        [(&crud.group, Type::TEXT), (&crud.client, Type::TEXT), (&crud.user, Type::TEXT)];
    let counted = session.query_typed(&sql, &client).await?;
    let (number, is_anothers): (i64, bool) =
        counted.first().map_or((0, false), |row| (row.get(0), row.get(1)));
    if is_anothers {
        return Ok(Step::OtherUser);
    }
    if number != crud.mutation_id {
        return Ok(Step::NotNext);
    }
    let Some(message) = failed else {
        for Statement { sql, values } in statements {
            let values: Vec<(&(dyn ToSql + Sync), Type)> =
                values.iter().map(|value| (value as &(dyn ToSql + Sync), Type::TEXT)).collect();
            session.query_typed(sql, &values).await?;
        }
        return Ok(Step::Written(Written::Applied));
    };
    let sql = format!(
        "INSERT INTO \"{schema}\".mutations \
           (\"clientGroupID\", \"clientID\", \"mutationID\", \"result\") \
         VALUES ($1, $2, $3, $4::text::json) \
         ON CONFLICT (\"clientGroupID\", \"clientID\", \"mutationID\") DO NOTHING"
    );
    let result = failure(message).to_string();
    let row: [(&(dyn ToSql + Sync), Type); 4] = [
        (&crud.group, Type::TEXT),
        (&crud.client, Type::TEXT),
        (&crud.mutation_id, Type::INT8),
        (&result, Type::TEXT),
    ];
    session.query_typed(&sql, &row).await?;
    Ok(Step::Written(Written::Refused { message: message.to_owned() }))
}

/// Where a mutation that is not next stands.
async fn place(session: &Session, schema: &str, crud: &Crud) -> Result<Outcome, Error> {
    let last = last(session, schema, crud).await?;
    Ok(match crud.mutation_id {
        id if id <= last => Outcome::Done(Written::AlreadyProcessed),
        id if id == last + 1 => Outcome::Conflict,
        _ => Outcome::Done(Written::OutOfOrder { expected: last + 1 }),
    })
}

/// The number of the client's last mutation.
pub(super) async fn last(session: &Session, schema: &str, crud: &Crud) -> Result<i64, Error> {
    let sql = format!(
        "SELECT \"lastMutationID\" FROM \"{schema}\".clients \
         WHERE \"clientGroupID\" = $1 AND \"clientID\" = $2"
    );
    let client: [(&(dyn ToSql + Sync), Type); 2] =
        [(&crud.group, Type::TEXT), (&crud.client, Type::TEXT)];
    let found = session.query_typed(&sql, &client).await?;
    Ok(found.first().map_or(0, |row| row.get(0)))
}

fn is_conflict(error: &Error) -> bool {
    let codes = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
    error.code().is_some_and(|code| codes.contains(code))
}

/// Fails if an error is not about the statement but about the server: it may pass, and then the same
/// mutation goes well.
fn broken_by(error: &Error) -> Result<(), Broken> {
    let Some(code) = error.code().map(SqlState::code) else { return Err(Broken::new(error)) };
    // Connections; resources; the operator; the system; corruption; a standby or read-only database.
    let of_server = ["08", "53", "57", "58", "XX"].iter().any(|class| code.starts_with(class));
    match of_server || code == "25006" {
        true => Err(Broken::new(error)),
        false => Ok(()),
    }
}

impl Broken {
    fn new(error: &Error) -> Broken {
        let stopped = error.code().is_some_and(|code| code.code().starts_with("57P"));
        Broken { reason: in_words(error), lost: error.code().is_none() || stopped }
    }
}

/// What whoever wrote the mutation is told.
fn told(error: &Error, code: &str, all: bool) -> String {
    match error.as_db_error() {
        Some(said) => of_postgres(code, said.message(), said.constraint(), all),
        None => concealed("the database cannot be asked", error),
    }
}

/// An error with its cause, for operators.
pub(super) fn in_words(error: &Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(said), _) => format!("{} (SQLSTATE {})", said.message(), said.code().code()),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}
