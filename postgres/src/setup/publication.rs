//! Publications.

use std::collections::BTreeSet;

use crate::connect::{ServerError, Session};
use crate::setup::{Plugin, Setup, Tables, quoted};
use crate::table::TableName;

/// A publication as the server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Publication {
    pub(super) all_tables: bool,
    /// Whether inserts, updates, deletes, and truncations are all published.
    pub(super) everything: bool,
    pub(super) via_root: bool,
    pub(super) owned: bool,
}

impl Publication {
    pub(super) async fn read(
        session: &Session,
        name: &str,
    ) -> Result<Option<Publication>, ServerError> {
        let sql = "SELECT puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate, pubviaroot, \
                   pg_has_role(pubowner, 'USAGE') FROM pg_publication WHERE pubname = $1";
        let doing = "reading the publication";
        let row = session.query_opt(sql, &[&name]).await.map_err(ServerError::of(doing))?;
        Ok(row.map(|row| Publication {
            all_tables: row.get(0),
            everything: row.get(1),
            via_root: row.get(2),
            owned: row.get(3),
        }))
    }
}

/// The names of a publication's tables.
pub(crate) async fn tables_of(
    session: &Session,
    name: &str,
) -> Result<BTreeSet<TableName>, ServerError> {
    let sql =
        "SELECT schemaname::text, tablename::text FROM pg_publication_tables WHERE pubname = $1";
    let doing = "reading the tables of the publication";
    let rows = session.query(sql, &[&name]).await.map_err(ServerError::of(doing))?;
    Ok(rows
        .iter()
        .map(|row| TableName::new(row.get::<_, &str>(0), row.get::<_, &str>(1)))
        .collect())
}

/// The statement that makes a publication.
pub(super) fn create_sql(setup: &Setup) -> String {
    let what = match &setup.tables {
        Tables::Listed(names) => format!("TABLE {}", list(names)),
        Tables::All | Tables::Published => "ALL TABLES".to_owned(),
    };
    format!(
        "CREATE PUBLICATION {} FOR {what} WITH (publish_via_partition_root = true)",
        quoted(&setup.publication)
    )
}

/// The statement that adds tables to a publication.
pub(super) fn add_sql(publication: &str, missing: &[TableName]) -> String {
    format!("ALTER PUBLICATION {} ADD TABLE {}", quoted(publication), list(missing))
}

fn list(names: &[TableName]) -> String {
    let quoted: Vec<String> = names.iter().map(TableName::quoted).collect();
    quoted.join(", ")
}

/// Makes the publication, or adds to it the tables that it lacks.
pub(super) async fn make(session: &Session, setup: &Setup) -> Result<(), ServerError> {
    if setup.tables == Tables::Published || setup.plugin == Plugin::Wal2json {
        return Ok(());
    }
    let sql = match Publication::read(session, &setup.publication).await? {
        None => create_sql(setup),
        Some(_) => match missing(session, setup).await?.as_slice() {
            [] => return Ok(()),
            missing => add_sql(&setup.publication, missing),
        },
    };
    let doing = format!("making the publication {}", setup.publication);
    session.batch_execute(&sql).await.map_err(ServerError::of(&doing))
}

/// Which of the tables listed an existing publication lacks.
pub(super) async fn missing(
    session: &Session,
    setup: &Setup,
) -> Result<Vec<TableName>, ServerError> {
    let Tables::Listed(names) = &setup.tables else { return Ok(Vec::new()) };
    let present = tables_of(session, &setup.publication).await?;
    Ok(names.iter().filter(|name| !present.contains(name)).cloned().collect())
}

/// Drops the publication; whether there was one.
pub(super) async fn drop(session: &Session, setup: &Setup) -> Result<bool, ServerError> {
    if Publication::read(session, &setup.publication).await?.is_none() {
        return Ok(false);
    }
    let sql = format!("DROP PUBLICATION IF EXISTS {}", quoted(&setup.publication));
    let doing = format!("dropping the publication {}", setup.publication);
    session.batch_execute(&sql).await.map_err(ServerError::of(&doing))?;
    Ok(true)
}
