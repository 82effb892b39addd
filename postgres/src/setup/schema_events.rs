//! Reports of DDL, written into the log by an event trigger.
//!
//! Without them a changed table is noticed at its next write, a dropped one never, and another name of
//! the root of partitions at the next connection. A report is a
//! message with the prefix [`SCHEMA_EVENT_PREFIX`] within the transaction of the DDL. Its content is JSON:
//!
//! ```json
//! {"command": "ALTER TABLE",
//!  "dropped": [{"id": 16401, "schema": "public", "table": "old"}],
//!  "tables": [{"id": 16388, "schema": "public", "table": "file", "identity": "d", "columns": [
//!    {"name": "id", "type": 23, "modifier": -1, "not_null": true, "key": true, "missing": null}],
//!    "generated": []}]}
//! ```
//!
//! `missing` is the value, in text form, that rows from before an ADD COLUMN have in the column.

use crate::connect::{ServerError, Session};

/// The prefix of messages that report DDL.
pub const SCHEMA_EVENT_PREFIX: &str = "penstock/schema";

/// A failure to report must not fail the DDL of the database's owner, so every error is swallowed.
const MAKE_SQL: &str = r#"
CREATE SCHEMA IF NOT EXISTS penstock;
CREATE OR REPLACE FUNCTION penstock.report_schema() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $function$
DECLARE
  dropped json := '[]';
  tables json := '[]';
BEGIN
  IF tg_event = 'sql_drop' THEN
    SELECT coalesce(json_agg(json_build_object('id', objid::bigint, 'schema', schema_name,
        'table', object_name) ORDER BY objid), '[]') INTO dropped
      FROM pg_event_trigger_dropped_objects()
      WHERE object_type = 'table' AND NOT is_temporary;
    IF json_array_length(dropped) = 0 THEN RETURN; END IF;
  ELSE
    SELECT coalesce(json_agg(json_build_object('id', c.oid::bigint, 'schema', n.nspname,
        'table', c.relname, 'identity', c.relreplident, 'columns', (
          SELECT coalesce(json_agg(json_build_object('name', a.attname, 'type', a.atttypid::bigint,
              'modifier', a.atttypmod, 'not_null', a.attnotnull,
              'key', c.relreplident = 'f' OR EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid
                AND a.attnum = ANY (i.indkey)
                AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident
                  ELSE false END),
              'missing', CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1] END)
              ORDER BY a.attnum), '[]')
          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            AND a.attgenerated = ''), 'generated', (
          SELECT coalesce(json_agg(a.attname ORDER BY a.attnum), '[]') FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            AND a.attgenerated <> '')) ORDER BY c.oid), '[]') INTO tables
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition
        AND c.oid IN (SELECT objid FROM pg_event_trigger_ddl_commands()
          WHERE classid = 'pg_class'::regclass
          UNION SELECT i.indrelid FROM pg_event_trigger_ddl_commands() d
            JOIN pg_index i ON i.indexrelid = d.objid WHERE d.classid = 'pg_class'::regclass);
    IF json_array_length(tables) = 0 THEN RETURN; END IF;
  END IF;
  PERFORM pg_logical_emit_message(true, 'penstock/schema',
    json_build_object('command', tg_tag, 'dropped', dropped, 'tables', tables)::text);
EXCEPTION WHEN OTHERS THEN
  NULL;
END $function$;
DROP EVENT TRIGGER IF EXISTS penstock_report_schema;
CREATE EVENT TRIGGER penstock_report_schema ON ddl_command_end
  EXECUTE FUNCTION penstock.report_schema();
DROP EVENT TRIGGER IF EXISTS penstock_report_drop;
CREATE EVENT TRIGGER penstock_report_drop ON sql_drop
  EXECUTE FUNCTION penstock.report_schema();
"#;

const DROP_SQL: &str = "
DROP EVENT TRIGGER IF EXISTS penstock_report_schema;
DROP EVENT TRIGGER IF EXISTS penstock_report_drop;
DROP FUNCTION IF EXISTS penstock.report_schema();
DROP SCHEMA IF EXISTS penstock;
";

const EXISTS_SQL: &str = "SELECT count(*) FROM pg_event_trigger \
    WHERE evtname IN ('penstock_report_schema', 'penstock_report_drop') AND evtenabled <> 'D'";

/// Makes the event triggers, if the role may; whether they are there.
pub(super) async fn make(session: &Session) -> Result<bool, ServerError> {
    if exist(session).await? {
        return Ok(true);
    }
    let doing = "making the event triggers that report DDL";
    // Several statements in one message are one transaction.
    match session.batch_execute(MAKE_SQL).await {
        Ok(()) => Ok(true),
        Err(error) => match ServerError::new(doing, &error) {
            refused if refused.code() == Some("42501") => Ok(false),
            other => Err(other),
        },
    }
}

/// Removes the event triggers; whether there were some.
pub(super) async fn drop(session: &Session) -> Result<bool, ServerError> {
    if !exist(session).await? {
        return Ok(false);
    }
    let doing = "dropping the event triggers that report DDL";
    session.batch_execute(DROP_SQL).await.map_err(ServerError::of(doing))?;
    Ok(true)
}

async fn exist(session: &Session) -> Result<bool, ServerError> {
    let doing = "looking for the event triggers that report DDL";
    let row = session.query_one(EXISTS_SQL, &[]).await.map_err(ServerError::of(doing))?;
    Ok(row.get::<_, i64>(0) == 2)
}
