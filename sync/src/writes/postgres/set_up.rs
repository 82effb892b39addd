//! The tables that must be there: numbers of mutations, failures, and deployed permissions.

use penstock_postgres::TableName;
use penstock_postgres::connect::Session;

use crate::app::App;

/// The tables of an application's bookkeeping. All must be followed beside its own.
#[must_use]
pub fn bookkeeping_tables(app: &App) -> Vec<TableName> {
    vec![
        TableName::new(app.id(), "permissions"),
        TableName::new(app.schema(), "clients"),
        TableName::new(app.schema(), "mutations"),
    ]
}

/// Makes the schemas and tables of the bookkeeping that are missing. Those that are there are left as they
/// are, so that a role without the right to make any can run where somebody else has made them.
///
/// # Errors
/// Something is missing and cannot be made.
pub async fn set_up(session: &Session, app: &App) -> Result<(), tokio_postgres::Error> {
    match make_missing(session, app).await {
        // Another server has made it meanwhile.
        Err(error) if is_there_already(&error) => make_missing(session, app).await,
        done => done,
    }
}

async fn make_missing(session: &Session, app: &App) -> Result<(), tokio_postgres::Error> {
    let (id, shard) = (app.id(), app.schema());
    for schema in [id, shard.as_str()] {
        let sql = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
        if session.query_opt(sql, &[&schema]).await?.is_none() {
            session.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"")).await?;
        }
    }
    let definitions = [
        "\"permissions\" JSONB, \"hash\" TEXT, \"lock\" BOOL PRIMARY KEY DEFAULT true CHECK (lock)",
        "\"clientGroupID\" TEXT NOT NULL, \"clientID\" TEXT NOT NULL, \
         \"lastMutationID\" BIGINT NOT NULL, \"userID\" TEXT, \
         PRIMARY KEY (\"clientGroupID\", \"clientID\")",
        "\"clientGroupID\" TEXT NOT NULL, \"clientID\" TEXT NOT NULL, \
         \"mutationID\" BIGINT NOT NULL, \"result\" JSON NOT NULL, \
         PRIMARY KEY (\"clientGroupID\", \"clientID\", \"mutationID\")",
    ];
    // What deploys rules by a script updates the row that is there.
    let first = ["INSERT INTO {} (\"permissions\") VALUES (NULL) ON CONFLICT DO NOTHING", "", ""];
    for ((table, columns), first) in bookkeeping_tables(app).iter().zip(definitions).zip(first) {
        let sql = "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = $1 AND c.relname = $2";
        if session.query_opt(sql, &[&table.schema, &table.table]).await?.is_none() {
            let name = table.quoted();
            let first = first.replace("{}", &name);
            let sql = format!("CREATE TABLE IF NOT EXISTS {name} ({columns}); {first}");
            session.batch_execute(&sql).await?;
        }
    }
    Ok(())
}

fn is_there_already(error: &tokio_postgres::Error) -> bool {
    use tokio_postgres::error::SqlState;
    let there = [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_SCHEMA, SqlState::DUPLICATE_TABLE];
    error.code().is_some_and(|code| there.contains(code))
}
