//! What a follower asks the server through SQL, from a thread that may wait.

use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::connect::{Config, ServerError, Session};
use crate::replica::{Described, DescribedColumn, Describer, Missing};
use crate::setup::read_types;
use crate::table::TableName;
use crate::types::Catalogue;

/// What old rows have in a column is the only element of an array. A few types have an own character
/// between elements, so that their values need no quotes for commas.
const COLUMNS_SQL: &str = "\
SELECT n.nspname::text, c.relname::text, a.attname::text, a.attnum, a.atttypid::bigint, \
  a.atthasmissing, \
  CASE WHEN t.typdelim = ',' OR a.attmissingval::text LIKE '{\"%' \
    THEN (a.attmissingval::text::text[])[1] \
    ELSE substr(a.attmissingval::text, 2, length(a.attmissingval::text) - 2) END, \
  a.atthasdef OR a.attnotnull \
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid \
WHERE c.oid::bigint = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// Describes a table as the session sees it.
pub(super) async fn describe(session: &Session, id: u32) -> Result<Option<Described>, ServerError> {
    let doing = "reading the columns of a table";
    let rows = session.query(COLUMNS_SQL, &[&i64::from(id)]).await;
    let rows = rows.map_err(|error| ServerError::new(doing, &error))?;
    let Some(first) = rows.first() else { return Ok(None) };
    let name = TableName::new(first.get::<_, &str>(0), first.get::<_, &str>(1));
    let columns = rows.iter().map(|row| DescribedColumn {
        name: row.get(2),
        number: row.get(3),
        type_id: u32::try_from(row.get::<_, i64>(4)).unwrap_or(0),
        missing: match (row.get::<_, bool>(5), row.get::<_, Option<String>>(6), row.get(7)) {
            (true, Some(text), _) => Missing::Constant(text),
            (true, None, _) | (false, _, false) => Missing::Null,
            (false, _, true) => Missing::Unknown,
        },
    });
    Ok(Some(Described { name, columns: columns.collect() }))
}

/// Drops a slot that is of no use any more, if it is there and nobody reads from it.
pub(super) async fn drop_slot(session: &Session, name: &str) -> Result<(), ServerError> {
    let doing = format!("dropping the replication slot {name}");
    let sql = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots \
               WHERE slot_name = $1 AND active_pid IS NULL";
    let dropped = session.execute(sql, &[&name]).await;
    dropped.map(drop).map_err(|error| ServerError::new(doing, &error))
}

/// Asks the server about tables while a transaction is applied.
pub(super) struct Asker<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) config: &'a Config,
    pub(super) session: Option<Session>,
}

impl Asker<'_> {
    fn session(&mut self) -> Result<&Session, ServerError> {
        if self.session.as_ref().is_none_or(|session| session.is_closed()) {
            self.session = Some(self.runtime.block_on(self.config.connect())?);
        }
        let gone = || ServerError::unexpected("asking the server", "there is no session");
        self.session.as_ref().ok_or_else(gone)
    }
}

impl Describer for Asker<'_> {
    fn describe(&mut self, id: u32) -> Result<Option<Described>, String> {
        let runtime = self.runtime;
        let session = self.session().map_err(|error| error.to_string())?;
        runtime.block_on(describe(session, id)).map_err(|error| error.to_string())
    }

    fn catalogue(&mut self) -> Result<Arc<Catalogue>, String> {
        let runtime = self.runtime;
        let session = self.session().map_err(|error| error.to_string())?;
        let types = runtime.block_on(read_types(session));
        types.map(Arc::new).map_err(|error| error.to_string())
    }
}
