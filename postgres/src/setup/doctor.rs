//! Everything that must be there, looked at in one go.

use crate::connect::{Config, ServerError, Session};
use crate::setup::publication::{Publication, add_sql, create_sql, missing, tables_of};
use crate::setup::report::Report;
use crate::setup::{Plugin, Setup, System, Tables, quoted, server_checks, table_checks};

/// Looks at everything that must be there, and says what is missing and which SQL solves it.
/// Changes nothing.
///
/// # Errors
///
/// The server cannot be asked at all.
pub async fn doctor(config: &Config, setup: &Setup) -> Result<Report, ServerError> {
    let session = config.connect().await?;
    examine(&session, config, setup).await
}

pub(super) async fn examine(
    session: &Session,
    config: &Config,
    setup: &Setup,
) -> Result<Report, ServerError> {
    let mut report = Report::default();
    let system = System::read(session).await?;
    server_checks::check(session, config, &system, setup, &mut report).await?;
    table_checks::check(session, config, &system, setup, &mut report).await?;
    if setup.failover && system.version < 170_000 {
        let what =
            "slots survive a fail-over from Postgres 17 on; after one, everything is copied again";
        report.warn("fail-over", what);
    }
    Ok(report)
}

/// Looks at the publication.
pub(super) async fn publication(
    session: &Session,
    config: &Config,
    setup: &Setup,
    superuser: bool,
    may_create: bool,
    report: &mut Report,
) -> Result<(), ServerError> {
    if setup.plugin == Plugin::Wal2json && setup.tables != Tables::Published {
        return Ok(());
    }
    let subject = format!("publication {}", setup.publication);
    let user = quoted(config.user());
    let grant = || format!("GRANT CREATE ON DATABASE {} TO {user}", quoted(config.database()));
    let Some(publication) = Publication::read(session, &setup.publication).await? else {
        let sql = create_sql(setup);
        match (&setup.tables, may_create) {
            (Tables::Published, _) => report.problem(subject, "it does not exist", [sql]),
            (Tables::All, _) if !superuser => report.problem(
                subject,
                "only a superuser can publish all tables: run this as one, or list the tables",
                [sql],
            ),
            (_, false) => {
                report.problem(subject, "the role may not make publications", [grant(), sql]);
            }
            (Tables::Listed(names), true) => {
                let not_owned = not_owned(session, names).await?;
                match not_owned.is_empty() {
                    true => report.fine(subject, "it will be made"),
                    false => report.problem(
                        subject,
                        format!(
                            "only owners can publish tables, and {user} does not own {not_owned}"
                        ),
                        [sql],
                    ),
                }
            }
            (Tables::All, true) => report.fine(subject, "it will be made"),
        }
        return Ok(());
    };
    if !publication.everything {
        report.problem(
            &subject,
            "it leaves out inserts, updates, deletes, or truncations",
            [format!(
                "ALTER PUBLICATION {} SET (publish = 'insert, update, delete, truncate')",
                quoted(&setup.publication)
            )],
        );
    }
    if !publication.via_root {
        report.warn(
            &subject,
            "it publishes partitions rather than their roots (publish_via_partition_root)",
        );
    }
    match &setup.tables {
        Tables::All if !publication.all_tables => report.problem(
            subject,
            "it exists and has not all tables",
            [format!("DROP PUBLICATION {}", quoted(&setup.publication))],
        ),
        Tables::Listed(names) => {
            let missing = missing(session, setup).await?;
            let extra =
                tables_of(session, &setup.publication).await?.len() + missing.len() > names.len();
            if !missing.is_empty() && !publication.owned {
                let sql = add_sql(&setup.publication, &missing);
                report.problem(&subject, "it lacks tables, and the role does not own it", [sql]);
            } else if extra {
                report.warn(&subject, "it has tables beside those listed, which are followed, too");
            } else {
                report.fine(&subject, "it exists");
            }
        }
        Tables::All | Tables::Published => report.fine(subject, "it exists"),
    }
    Ok(())
}

/// The names of tables that the role does not own, in words.
async fn not_owned(
    session: &Session,
    names: &[crate::table::TableName],
) -> Result<String, ServerError> {
    let system = System::read(session).await?;
    let which = super::tables::Which::Named(names);
    let described = super::tables::describe(session, &system, which).await?;
    let not_owned = described.iter().filter(|described| !described.owned);
    let names: Vec<String> =
        not_owned.map(|described| described.table.relation.name.to_string()).collect();
    Ok(names.join(", "))
}
