//! Whether the server and the role allow logical replication.

use crate::connect::{Config, ServerError, Session};
use crate::setup::report::Report;
use crate::setup::slot::SlotState;
use crate::setup::{Plugin, Setup, System, quoted};

/// The oldest version whose stream has all that is read here.
const VERSION_MIN: u32 = 140_000;

pub(super) async fn check(
    session: &Session,
    config: &Config,
    system: &System,
    setup: &Setup,
    report: &mut Report,
) -> Result<(), ServerError> {
    let none: [&str; 0] = [];
    let version = format!("{}.{}", system.major(), system.version % 10_000);
    match system.version {
        VERSION_MIN.. => report.fine("version", version),
        _ => report.problem("version", format!("{version}; at least Postgres 14 is needed"), none),
    }
    if system.in_recovery {
        let what = "this is a standby; connect to the server that takes writes";
        report.problem("server", what, none);
    }
    if system.encoding != "UTF8" {
        let what = format!("the database is in {}, which is converted", system.encoding);
        report.warn("encoding", what);
    }
    settings(session, setup, report).await?;
    long_transactions(session, report).await?;
    role(session, config, setup, report).await?;
    slot(session, config, setup, report).await
}

async fn settings(
    session: &Session,
    setup: &Setup,
    report: &mut Report,
) -> Result<(), ServerError> {
    let doing = "reading the settings of the server";
    let sql = "SELECT current_setting('wal_level'), current_setting('max_replication_slots')::bigint, \
               (SELECT count(*) FROM pg_replication_slots), \
               EXISTS (SELECT 1 FROM pg_replication_slots WHERE slot_name = $1), \
               current_setting('max_wal_senders')::bigint, \
               (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'), \
               (SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size'), \
               (SELECT setting FROM pg_settings WHERE name = 'output_plugin_libraries')";
    let row = session.query_one(sql, &[&setup.slot]).await.map_err(ServerError::of(doing))?;
    match row.get(0) {
        "logical" => report.fine("wal_level", "logical"),
        other => report.problem(
            "wal_level",
            format!("it is {other}; the server must be restarted after it was changed"),
            ["ALTER SYSTEM SET wal_level = 'logical'"],
        ),
    }
    let (slots_max, slots, exists): (i64, i64, bool) = (row.get(1), row.get(2), row.get(3));
    match slots < slots_max || exists {
        true => report.fine("max_replication_slots", format!("{slots} of {slots_max} in use")),
        false => report.problem(
            "max_replication_slots",
            format!("all {slots_max} are in use; drop one, or allow more and restart the server"),
            [
                "SELECT slot_name, active FROM pg_replication_slots".to_owned(),
                format!("ALTER SYSTEM SET max_replication_slots = {}", slots_max + 5),
            ],
        ),
    }
    if setup.plugin == Plugin::Pgoutput {
        let (senders_max, senders): (i64, i64) = (row.get(4), row.get(5));
        match senders < senders_max {
            true => report.fine("max_wal_senders", format!("{senders} of {senders_max} in use")),
            false => report.problem(
                "max_wal_senders",
                format!("all {senders_max} are in use; allow more and restart the server"),
                [format!("ALTER SYSTEM SET max_wal_senders = {}", senders_max + 5)],
            ),
        }
    }
    let plugin = setup.plugin.name();
    // Later versions of each major allow only listed plugins.
    if let Some(listed) = row.get::<_, Option<&str>>(7)
        && !listed.split(',').any(|name| name.trim().trim_matches('"') == plugin)
    {
        report.problem(
            "output_plugin_libraries",
            format!(
                "it does not list {plugin}; the server must be told to read its settings again"
            ),
            [format!("ALTER SYSTEM SET output_plugin_libraries = {listed}, {plugin}")],
        );
    }
    match row.get::<_, Option<i64>>(6) {
        Some(-1) => report.warn(
            "max_slot_wal_keep_size",
            "without a limit: if nobody reads from the slot, the log fills the server's disk",
        ),
        limit => report.fine("max_slot_wal_keep_size", format!("{} MB", limit.unwrap_or(0))),
    }
    Ok(())
}

/// The slot is made when every transaction that is running has ended.
async fn long_transactions(session: &Session, report: &mut Report) -> Result<(), ServerError> {
    let sql = "SELECT count(*), coalesce(min(pid), 0) FROM ( \
                 SELECT pid FROM pg_stat_activity WHERE backend_xid IS NOT NULL \
                   AND xact_start < now() - interval '1 minute' \
                 UNION ALL SELECT 0 FROM pg_prepared_xacts) AS long";
    let doing = "looking for transactions that run for long";
    let row = session.query_one(sql, &[]).await.map_err(ServerError::of(doing))?;
    let (count, process): (i64, i32) = (row.get(0), row.get(1));
    if count > 0 {
        let what = format!(
            "{count} run for more than a minute or are prepared (process {process} is one); a copy waits for their end"
        );
        report.warn("transactions", what);
    }
    Ok(())
}

async fn role(
    session: &Session,
    config: &Config,
    setup: &Setup,
    report: &mut Report,
) -> Result<(), ServerError> {
    // Hosted servers grant the attribute through a role of theirs.
    let sql = "SELECT rolsuper OR rolreplication OR EXISTS (SELECT 1 FROM pg_roles r \
                 WHERE r.rolname IN ('rds_replication', 'rds_superuser', 'azure_pg_admin', 'cloudsqlsuperuser') \
                 AND pg_has_role(current_user, r.oid, 'MEMBER')), rolsuper, \
               has_database_privilege(current_database(), 'CREATE') \
               FROM pg_roles WHERE rolname = current_user";
    let doing = "reading the privileges of the role";
    let row = session.query_one(sql, &[]).await.map_err(ServerError::of(doing))?;
    let user = config.user();
    match row.get(0) {
        true => report.fine("role", format!("{user} may replicate")),
        false => report.problem(
            "role",
            format!("{user} may not replicate"),
            [format!("ALTER ROLE {} REPLICATION", quoted(user))],
        ),
    }
    super::doctor::publication(session, config, setup, row.get(1), row.get(2), report).await
}

async fn slot(
    session: &Session,
    config: &Config,
    setup: &Setup,
    report: &mut Report,
) -> Result<(), ServerError> {
    let subject = format!("slot {}", setup.slot);
    let none: [&str; 0] = [];
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if setup.slot.is_empty() || setup.slot.len() > 63 || !setup.slot.chars().all(allowed) {
        let what = "a name has at most 63 small letters, digits, and underscores";
        report.problem(subject, what, none);
        return Ok(());
    }
    let Some(state) = SlotState::read(session, &setup.slot).await? else {
        report.fine(subject, "it will be made");
        return Ok(());
    };
    let drop = [format!("SELECT pg_drop_replication_slot('{}')", setup.slot)];
    if state.plugin != setup.plugin.name() || state.database != config.database() {
        let what = format!("it exists, for {} in the database {}", state.plugin, state.database);
        report.problem(subject, what, drop);
    } else if let Some(why) = state.why_lost() {
        report.warn(subject, format!("it is lost: {why}; everything will be copied again"));
    } else if let Some(process) = state.active_process {
        report.warn(subject, format!("process {process} reads from it"));
    } else {
        let kept = state.retained_bytes / (1 << 20);
        report
            .fine(subject, format!("it exists, at {}; {kept} MB of log are kept", state.confirmed));
    }
    Ok(())
}
