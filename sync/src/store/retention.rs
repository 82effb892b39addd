//! Groups that nobody has used for long are forgotten.
//!
//! Each browser tab that is opened anew is a group, and most never come back. A group that does come back
//! after it was forgotten is sent everything anew.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::sqlite::text;
use crate::server::now;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// After how many rows that went the next groups wait for another time.
const ROWS_AT_ONCE: usize = 10_000;

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
    /// Groups that were found then, by their numbers.
    old: Vec<i64>,
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
        Retention { days, today, live: BTreeSet::new(), looked: i64::MIN, old: Vec::new() }
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

    /// A group is not in use any more: today was its last use. Forgets some whose last use was long ago.
    pub(super) fn let_go(&mut self, connection: &mut Connection, id: &str) -> Result<(), String> {
        self.live.remove(id);
        use_today(connection, id, self.today())?;
        self.look(connection)?;
        self.forget_some(connection)
    }

    /// Keeps that the groups that are live are used today.
    pub(super) fn used(&mut self, connection: &mut Connection) -> Result<(), String> {
        let today = self.today();
        let transaction = connection.transaction().map_err(text)?;
        self.live.iter().try_for_each(|id| use_today(&transaction, id, today))?;
        transaction.commit().map_err(text)
    }

    /// Looks, once a day, which groups are to be forgotten.
    pub(super) fn look(&mut self, connection: &Connection) -> Result<(), String> {
        let today = self.today();
        if today > self.looked {
            self.old = self.numbers_before(connection, self.first_kept()).map_err(text)?;
            self.looked = today;
            if !self.old.is_empty() {
                tracing::info!(
                    groups = self.old.len(),
                    "client groups that nobody uses are forgotten"
                );
            }
        }
        Ok(())
    }

    /// Groups last used before this day are forgotten.
    fn first_kept(&self) -> i64 {
        self.today().saturating_sub(i64::from(self.days))
    }

    fn numbers_before(&self, connection: &Connection, day: i64) -> rusqlite::Result<Vec<i64>> {
        let sql = "SELECT number FROM client_group WHERE used_day < ?1";
        connection.prepare_cached(sql)?.query_map([day], |row| row.get(0))?.collect()
    }

    /// Forgets groups until there are rows enough that went, so that nobody waits for long.
    fn forget_some(&mut self, connection: &mut Connection) -> Result<(), String> {
        let (first_kept, mut rows) = (self.first_kept(), 0);
        while rows < ROWS_AT_ONCE
            && let Some(number) = self.old.pop()
        {
            let transaction = connection.transaction().map_err(text)?;
            let sql = "SELECT id FROM client_group WHERE number = ?1 AND used_day < ?2";
            let id: Option<String> = transaction
                .query_row(sql, [number, first_kept], |row| row.get(0))
                .optional()
                .map_err(text)?;
            // It may be in use again.
            if id.is_none_or(|id| self.live.contains(&id)) {
                continue;
            }
            for sql in [
                "DELETE FROM client WHERE of = ?1",
                "DELETE FROM query WHERE of = ?1",
                "DELETE FROM gone WHERE of = ?1",
                "DELETE FROM held WHERE of = ?1",
                "DELETE FROM client_group WHERE number = ?1",
            ] {
                rows += transaction.execute(sql, [number]).map_err(text)?;
            }
            transaction.commit().map_err(text)?;
        }
        Ok(())
    }
}

/// Keeps that a group is used on a day.
fn use_today(connection: &Connection, id: &str, today: i64) -> Result<(), String> {
    connection
        .prepare_cached("UPDATE client_group SET used_day = ?2 WHERE id = ?1")
        .and_then(|mut statement| statement.execute(params![id, today]))
        .map(drop)
        .map_err(text)
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
        let mut store = SqliteStore::in_memory(days(7)).expect("a store");
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
        // It was live all the time, and so it is said when the server ends.
        assert_eq!(kept(&store), [("back".into(), 1), ("live".into(), 1)]);
        save(&mut store, "live", 2);
        assert!(has(&mut store, "live") && !has(&mut store, "new"));
        store.flush();
        let used = "SELECT used_day FROM client_group WHERE id = 'live'";
        assert_eq!(store.kept_of::<i64>(used), Ok(116));
        // What belonged to it is not another's.
        save(&mut store, "next", 1);
        assert_eq!(store.load("next").expect("a load").expect("a group").gone["q"], 1);
    }
}
