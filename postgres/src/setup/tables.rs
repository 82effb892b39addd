//! The tables of a database, as they are copied and followed.

mod read;

use std::collections::BTreeSet;

use crate::connect::{ServerError, Session};
use crate::setup::{Plugin, Setup, System, Tables, publication};
use crate::table::{Relation, TableName};
use crate::types::{CATALOGUE_SQL, Catalogue, TypeRow};

/// A table that is copied and followed.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceTable {
    /// Its description, with the published columns only.
    pub relation: Relation,
    /// The columns that tell rows apart: those of the primary key, or of the index that is its
    /// replica identity. Empty if there is neither; then whole rows tell each other apart.
    pub key: Vec<String>,
    /// For each published column, whether it is never null.
    pub not_null: Vec<bool>,
    /// For each published column, the name of its type, such as `numeric(10,2)`.
    pub types: Vec<String>,
    /// Columns that are not published: generated ones, and those left out of a column list.
    pub left_out: Vec<String>,
    /// Whether it is the root of partitions.
    pub partitioned: bool,
    /// The condition that its published rows fulfil, as SQL; none for all rows.
    pub filter: Option<String>,
    /// How many rows the planner believes it to have; none if it was never analysed.
    pub rows_estimated: Option<u64>,
    /// How much room its rows take on the server, in bytes.
    pub bytes: u64,
}

/// What is known of a table before it is clear whether it can be followed.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) table: SourceTable,
    /// `r`, `p` (partitioned), `v` (view), `m`, `f` (foreign).
    pub(super) kind: char,
    /// `p`ermanent, `u`nlogged, `t`emporary.
    pub(super) persistence: char,
    pub(super) is_partition: bool,
    /// Whether row-level security hides rows from us.
    pub(super) rows_hidden: bool,
    pub(super) readable: bool,
    pub(super) owned: bool,
    /// Whether there is an identity by which updates and deletes can be followed.
    pub(super) usable_identity: bool,
    /// Columns of its identity that a publication leaves out. The server then refuses updates and
    /// deletes, to whoever makes them.
    pub(super) identity_left_out: Vec<String>,
    /// A unique index that could be its identity.
    pub(super) candidate: Option<String>,
}

/// Which tables to describe.
pub(super) enum Which<'a> {
    /// Those that a publication of all tables has.
    All,
    /// Those of these names; what is not there is left out.
    Named(&'a [TableName]),
    /// Those of a publication, with its column lists and filters.
    Of(&'a str),
}

impl<'a> Which<'a> {
    /// Whether all are meant, those that are named, and the publication.
    fn parts(self) -> (bool, &'a [TableName], Option<&'a str>) {
        match self {
            Which::All => (true, &[], None),
            Which::Named(names) => (false, names, None),
            Which::Of(publication) => (false, &[], Some(publication)),
        }
    }
}

/// The tables that are followed once everything is set up.
pub(super) async fn followed(
    session: &Session,
    system: &System,
    setup: &Setup,
) -> Result<Vec<SourceTable>, ServerError> {
    let described = describe(session, system, which(setup)).await?;
    Ok(described.into_iter().map(|described| described.table).collect())
}

/// The object ids of the tables that are followed.
pub(super) async fn followed_ids(
    session: &Session,
    setup: &Setup,
) -> Result<BTreeSet<u32>, ServerError> {
    let (all, pairs, publication) = which(setup).parts();
    read::ids(session, all, pairs, publication).await
}

/// Which tables are followed once everything is set up.
fn which(setup: &Setup) -> Which<'_> {
    match (&setup.tables, setup.plugin) {
        (Tables::Published, _) | (_, Plugin::Pgoutput) => Which::Of(&setup.publication),
        (Tables::All, Plugin::Wal2json) => Which::All,
        (Tables::Listed(names), Plugin::Wal2json) => Which::Named(names),
    }
}

/// Describes tables, sorted by name.
pub(super) async fn describe(
    session: &Session,
    system: &System,
    which: Which<'_>,
) -> Result<Vec<Described>, ServerError> {
    let (all, pairs, publication) = which.parts();
    read::describe(session, system, all, pairs, publication).await
}

/// All tables that a role can see of the names listed, and those of them that are missing.
pub(super) async fn candidates(
    session: &Session,
    system: &System,
    setup: &Setup,
) -> Result<(Vec<Described>, Vec<TableName>), ServerError> {
    match &setup.tables {
        Tables::All => Ok((describe(session, system, Which::All).await?, Vec::new())),
        Tables::Published => {
            Ok((describe(session, system, Which::Of(&setup.publication)).await?, Vec::new()))
        }
        Tables::Listed(names) => {
            let mut found = describe(session, system, Which::Named(names)).await?;
            if setup.plugin == Plugin::Pgoutput
                && publication::Publication::read(session, &setup.publication).await?.is_some()
            {
                // What an existing publication says of their columns and rows holds.
                for published in describe(session, system, Which::Of(&setup.publication)).await? {
                    let name = &published.table.relation.name;
                    found.retain(|described| described.table.relation.name != *name);
                    found.push(published);
                }
                found.sort_by(|a, b| a.table.relation.name.cmp(&b.table.relation.name));
            }
            let missing = names.iter().filter(|name| {
                !found.iter().any(|described| described.table.relation.name == **name)
            });
            let missing = missing.cloned().collect();
            Ok((found, missing))
        }
    }
}

/// Reads the types that the database has now. Takes a few milliseconds.
///
/// # Errors
///
/// The server cannot be asked.
pub async fn read_types(session: &Session) -> Result<Catalogue, ServerError> {
    let doing = "reading the types of the database";
    let rows = session.query(CATALOGUE_SQL, &[]).await.map_err(ServerError::of(doing))?;
    Ok(Catalogue::new(rows.iter().map(|row| {
        TypeRow::new(
            row.get(0),
            row.get(1),
            row.get(2),
            row.get(3),
            row.get(4),
            row.get(5),
            row.get(6),
        )
    })))
}
