//! A bank of accounts and transfers. Every transaction keeps the sum of the balances, and leaves
//! its number in the table `mark`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use penstock::source::SqliteOptions;
use penstock::{
    Asc, Database, Desc, Entry, Error, Query, Related, Subscription, Value, col, exists, row,
};
use rusqlite::{Connection, params};

pub(crate) const ACCOUNTS: i64 = 20;
pub(crate) const BALANCE: i64 = 1_000;

const TABLES: &str = "
CREATE TABLE account (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, balance INTEGER NOT NULL);
CREATE TABLE transfer (
  id     INTEGER PRIMARY KEY,
  source INTEGER NOT NULL REFERENCES account (id),
  target INTEGER NOT NULL REFERENCES account (id),
  amount INTEGER NOT NULL
);
CREATE TABLE mark (id INTEGER PRIMARY KEY);
CREATE INDEX account_balance ON account (balance DESC, id);
CREATE INDEX transfer_source ON transfer (source, id);
CREATE INDEX transfer_amount ON transfer (amount, id);
";

/// A directory of its own, removed at the end.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Place {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("penstock-processes-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a directory of its own");
        Place(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A new bank in it.
    pub(crate) fn bank(&self, journal_mode: &str) -> PathBuf {
        let file = self.0.join("bank.db");
        let db = Connection::open(&file).expect("a new file");
        db.pragma_update(None, "journal_mode", journal_mode).expect("a journal mode");
        db.execute_batch(TABLES).expect("the tables");
        for id in 1..=ACCOUNTS {
            let owner = ["Ada", "Bob", "Cy"][usize::try_from(id % 3).expect("small")];
            db.execute("INSERT INTO account VALUES (?1, ?2, ?3)", params![id, owner, BALANCE])
                .expect("an account");
        }
        file
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn raw(file: &Path) -> Connection {
    let db = Connection::open(file).expect("the file");
    db.busy_timeout(std::time::Duration::from_secs(20)).expect("a timeout");
    db
}

/// Opens the bank, with or without a change log.
pub(crate) fn open(file: &Path, change_log: bool) -> Database {
    let options = SqliteOptions::new(file)
        .busy_timeout(std::time::Duration::from_secs(20))
        .change_log(change_log);
    Database::open_with(options).expect("the file opens")
}

/// What the transaction of a number does, by SplitMix64 of the number.
pub(crate) struct Plan {
    pub(crate) source: i64,
    pub(crate) target: i64,
    pub(crate) amount: i64,
    /// Whether old transfers are deleted.
    pub(crate) tidies: bool,
}

pub(crate) fn plan(number: i64) -> Plan {
    let mut state = number.cast_unsigned();
    let mut below = |end: i64| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end.cast_unsigned()).cast_signed()
    };
    let source = 1 + below(ACCOUNTS);
    let target = 1 + (source - 1 + 1 + below(ACCOUNTS - 1)) % ACCOUNTS;
    Plan { source, target, amount: 1 + below(50), tidies: below(4) == 0 }
}

/// How many transfers are kept when old ones are deleted.
const KEPT: i64 = 30;

/// Makes the transaction of a number in SQL.
pub(crate) fn transact_raw(db: &mut Connection, number: i64) -> rusqlite::Result<()> {
    let plan = plan(number);
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let change = "UPDATE account SET balance = balance + ?2 WHERE id = ?1";
    tx.execute(change, params![plan.source, -plan.amount])?;
    tx.execute(
        "INSERT INTO transfer VALUES (?1, ?2, ?3, ?4)",
        params![number, plan.source, plan.target, plan.amount],
    )?;
    if plan.tidies {
        tx.execute("DELETE FROM transfer WHERE id <= ?1", params![number - KEPT])?;
    }
    tx.execute("INSERT INTO mark VALUES (?1)", params![number])?;
    tx.execute(change, params![plan.target, plan.amount])?;
    tx.commit()
}

/// Makes the transaction of a number through Penstock.
pub(crate) fn transact(db: &Database, number: i64) -> Result<(), Error> {
    let plan = plan(number);
    db.transaction(|tx| {
        let mut add = |account: i64, amount: i64| {
            let held = tx.get("account", row! { id: account })?;
            let balance = held.and_then(|row| row.get("balance")?.as_i64()).unwrap_or(0);
            tx.update("account", row! { id: account, balance: balance + amount })
        };
        add(plan.source, -plan.amount)?;
        add(plan.target, plan.amount)?;
        let (source, target) = (plan.source, plan.target);
        tx.insert(
            "transfer",
            row! { id: number, source: source, target: target, amount: plan.amount },
        )?;
        if plan.tidies {
            let old = Query::table("transfer").filter(col("id").le(number - KEPT));
            for transfer in &tx.query(&old)? {
                let id = transfer.get("id").and_then(|id| id.as_i64());
                tx.delete("transfer", row! { id: id })?;
            }
        }
        tx.insert("mark", row! { id: number })
    })
}

/// Live queries with a limit, a nested list, an EXISTS and no bound at all.
pub(crate) fn queries() -> Vec<Query> {
    let transfers = || Related::many("transfer").on("id", "source").order_by("id", Desc).limit(3);
    let big = Related::many("transfer").on("id", "source").filter(col("amount").gt(40));
    vec![
        Query::table("account").order_by("balance", Desc).limit(5).related("last", transfers()),
        Query::table("account").filter(exists(big)).order_by("owner", Asc),
        Query::table("transfer").order_by("amount", Asc).limit(10),
        Query::table("mark"),
    ]
}

/// Live queries in SQL, which SQLite is asked too.
const STATEMENTS: [&str; 2] = [
    "SELECT owner, COUNT(*) AS accounts, SUM(balance) AS total, MAX(balance) AS most
     FROM account GROUP BY owner ORDER BY owner",
    "SELECT transfer.id, payer.owner AS payer, payee.owner AS payee, amount
     FROM transfer JOIN account AS payer ON payer.id = source
                   JOIN account AS payee ON payee.id = target
     WHERE amount > 20 ORDER BY amount DESC, transfer.id LIMIT 12",
];

/// All of them, those in SQL at the end.
pub(crate) fn subscribe(db: &Database) -> Vec<Subscription> {
    let queries = queries().into_iter().chain(STATEMENTS.into_iter().map(Query::sql));
    queries.map(|query| db.subscribe(query).expect("a live query")).collect()
}

/// Compares live queries with fresh ones, and with what SQLite itself says of them.
pub(crate) fn compare(db: &Database, live: &[Subscription], file: &Path) {
    db.verify().expect("maintained results equal fresh ones");
    let raw = raw(file);
    let (made, in_sql) = live.split_at(live.len() - STATEMENTS.len());
    let expected = [
        "SELECT id FROM account ORDER BY balance DESC, id LIMIT 5",
        "SELECT id FROM account WHERE EXISTS (SELECT 1 FROM transfer
         WHERE source = account.id AND amount > 40) ORDER BY owner, id",
        "SELECT id FROM transfer ORDER BY amount, id LIMIT 10",
        "SELECT id FROM mark ORDER BY id",
    ];
    assert_eq!(made.len(), expected.len());
    for (live, sql) in made.iter().zip(expected) {
        let held: Vec<Vec<Value>> = live.rows().iter().map(|row| vec![id_of(&row)]).collect();
        assert_eq!(held, rows_of(&raw, sql), "{sql}");
    }
    for (live, sql) in in_sql.iter().zip(STATEMENTS) {
        let row = |row: Entry| {
            let row = row.row();
            row.table().values(row.row()).map(|(_, value)| value.to_owned()).collect()
        };
        let held: Vec<Vec<Value>> = live.rows().iter().map(row).collect();
        assert_eq!(held, rows_of(&raw, sql), "{sql}");
    }
}

fn id_of(row: &Entry) -> Value {
    row.get("id").expect("every table has an id").to_owned()
}

/// What SQLite says.
fn rows_of(raw: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = raw.prepare(sql).expect("a statement");
    let columns = statement.column_count();
    let value = |value: rusqlite::types::Value| match value {
        rusqlite::types::Value::Integer(value) => Value::Int(value),
        rusqlite::types::Value::Text(text) => Value::from(text),
        other => panic!("the bank holds no such value: {other:?}"),
    };
    let rows = statement
        .query_map([], |row| (0..columns).map(|at| row.get(at).map(value)).collect())
        .expect("rows");
    rows.collect::<Result<_, _>>().expect("values")
}

/// Whether the file is whole, and the sum of the balances as it always is.
pub(crate) fn check_file(file: &Path) {
    let db = raw(file);
    let whole: String =
        db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(whole, "ok");
    let sum: i64 =
        db.query_row("SELECT SUM(balance) FROM account", [], |row| row.get(0)).expect("a sum");
    assert_eq!(sum, ACCOUNTS * BALANCE);
}

/// The numbers of the transactions that the file holds.
pub(crate) fn marks(file: &Path) -> Vec<i64> {
    let db = raw(file);
    let mut statement = db.prepare("SELECT id FROM mark ORDER BY id").expect("a statement");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("numbers")
}
