//! Groups that nobody has used for long are forgotten.
//!
//! Each browser tab that is opened anew is a group, and most never come back. A group that does come back
//! after it was forgotten is sent everything anew.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::sqlite::text;
use crate::server::now;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How many groups are forgotten in one transaction.
const AT_ONCE: usize = 100;

/// For how long groups are kept that nobody uses.
#[derive(Debug)]
pub struct Retention {
    days: u32,
    /// The day, counted from 1970-01-01 UTC.
    today: fn() -> i64,
    /// Groups that are live, of which more may be saved.
    live: BTreeSet<String>,
    /// The day of the last look.
    looked: i64,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention::days(30)
    }
}

impl Retention {
    /// Keeps groups for this many days after their last use.
    #[must_use]
    pub fn days(days: u32) -> Retention {
        Retention { days, today, live: BTreeSet::new(), looked: i64::MIN }
    }

    #[cfg(test)]
    fn with_clock(self, today: fn() -> i64) -> Retention {
        Retention { today, ..self }
    }

    pub(super) fn today(&self) -> i64 {
        (self.today)()
    }

    /// A group is in use from now on.
    pub(super) fn hold(&mut self, id: &str) {
        if !self.live.contains(id) {
            self.live.insert(id.to_owned());
        }
    }

    /// A group is not in use any more: today was its last use. Forgets, once a day, others whose was long ago.
    pub(super) fn let_go(&mut self, connection: &mut Connection, id: &str) -> Result<(), String> {
        self.live.remove(id);
        connection
            .prepare_cached("UPDATE client_group SET used_day = ?2 WHERE id = ?1")
            .and_then(|mut statement| statement.execute(params![id, self.today()]))
            .map_err(text)?;
        self.forget(connection)
    }

    /// Forgets, once a day, groups whose last use was long ago.
    pub(super) fn forget(&mut self, connection: &mut Connection) -> Result<(), String> {
        let today = self.today();
        if today <= self.looked {
            return Ok(());
        }
        let old = self.old(connection, today).map_err(text)?;
        for some in old.chunks(AT_ONCE) {
            let transaction = connection.transaction().map_err(text)?;
            for number in some {
                for sql in [
                    "DELETE FROM client WHERE of = ?1",
                    "DELETE FROM query WHERE of = ?1",
                    "DELETE FROM gone WHERE of = ?1",
                    "DELETE FROM held WHERE of = ?1",
                    "DELETE FROM client_group WHERE number = ?1",
                ] {
                    transaction.execute(sql, [number]).map_err(text)?;
                }
            }
            transaction.commit().map_err(text)?;
        }
        if !old.is_empty() {
            tracing::info!(
                groups = old.len(),
                "client groups are forgotten that nobody has used for long"
            );
        }
        self.looked = today;
        Ok(())
    }

    /// The numbers of groups to be forgotten.
    fn old(&self, connection: &Connection, today: i64) -> rusqlite::Result<Vec<i64>> {
        let before = today.saturating_sub(i64::from(self.days));
        let sql = "SELECT number, id FROM client_group WHERE used_day < ?1";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([before])?;
        let mut old = Vec::new();
        while let Some(row) = rows.next()? {
            if !self.live.contains(row.get_ref(1)?.as_str()?) {
                old.push(row.get(0)?);
            }
        }
        Ok(old)
    }
}

fn today() -> i64 {
    (now().unix_ms / DAY_MS).cast_signed()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::hub::{GroupChanges, GroupStore, StoredClient, StoredHead};
    use crate::store::SqliteStore;

    static TODAY: AtomicI64 = AtomicI64::new(100);

    fn save(store: &mut SqliteStore, id: &str, version: u64) {
        let client = Some(StoredClient::default());
        let changes = GroupChanges {
            id: id.to_owned(),
            is_whole: version == 1,
            head: StoredHead { version, ..StoredHead::default() },
            schema: None,
            is_pruned: false,
            clients: BTreeMap::from([("c".to_owned(), client)]),
            queries: BTreeMap::new(),
            gone: BTreeMap::from([("q".to_owned(), Some(version))]),
            rows: Vec::new(),
        };
        store.save(vec![changes]).expect("saved");
    }

    #[test]
    fn groups_that_nobody_uses_are_forgotten_and_others_are_not() {
        let days = |days| Retention::days(days).with_clock(|| TODAY.load(Ordering::SeqCst));
        let mut store = SqliteStore::in_memory_keeping(days(7)).expect("a store");
        for id in ["old", "live", "back", "new"] {
            save(&mut store, id, 1);
        }
        store.let_go("old");
        store.let_go("back");
        let has = |store: &mut SqliteStore, id: &str| store.load(id).expect("a load").is_some();
        TODAY.store(107, Ordering::SeqCst);
        // It is loaded, and in use again.
        assert!(has(&mut store, "back"));
        save(&mut store, "new", 2);
        store.let_go("new");
        let kept = |store: &SqliteStore| store.kept().expect("a count");
        assert_eq!(
            kept(&store),
            [("back".into(), 1), ("live".into(), 1), ("new".into(), 1), ("old".into(), 1)]
        );
        TODAY.store(108, Ordering::SeqCst);
        store.let_go("new");
        assert_eq!(kept(&store), [("back".into(), 1), ("live".into(), 1), ("new".into(), 1)]);
        TODAY.store(116, Ordering::SeqCst);
        store.let_go("back");
        // It was live all the time.
        assert_eq!(kept(&store), [("back".into(), 1), ("live".into(), 1)]);
        save(&mut store, "live", 2);
        assert!(has(&mut store, "live") && !has(&mut store, "new"));
        // What belonged to it is not another's.
        save(&mut store, "next", 1);
        assert_eq!(store.load("next").expect("a load").expect("a group").gone["q"], 1);
    }
}
