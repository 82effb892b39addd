//! The tables on the server, filled with generated rows.

use std::fmt::Write as _;

use penstock_benches::data::{Data, Sizes, comment_id, issue_id, label_id, label_name, user_id};
use penstock_postgres::TableName;
use penstock_postgres_harness::{Error, Server};

/// How many rows one statement inserts.
const CHUNK: usize = 5000;

const TABLES: &str = "
    CREATE TABLE \"user\" (id text PRIMARY KEY, name text NOT NULL, role text NOT NULL);
    CREATE TABLE label (id text PRIMARY KEY, name text NOT NULL);
    CREATE TABLE issue (id text PRIMARY KEY, title text NOT NULL, open boolean NOT NULL,
        modified bigint NOT NULL, created bigint NOT NULL, owner_id text NOT NULL, priority integer NOT NULL);
    CREATE TABLE comment (id text PRIMARY KEY, issue_id text NOT NULL, author_id text NOT NULL,
        created bigint NOT NULL, body text NOT NULL);
    CREATE TABLE issue_label (issue_id text NOT NULL, label_id text NOT NULL, PRIMARY KEY (issue_id, label_id));";

const INDEXES: &str = "
    CREATE INDEX ON issue (owner_id);
    CREATE INDEX ON comment (issue_id);
    CREATE INDEX ON comment (author_id);
    CREATE INDEX ON issue_label (label_id);
    ANALYZE;
    CHECKPOINT";

/// Further settings of the server: more memory than the harness gives its servers, as the one of the
/// reference has.
#[must_use]
pub fn settings() -> Vec<String> {
    vec!["shared_buffers = '256MB'".to_owned(), "max_wal_size = '4GB'".to_owned()]
}

/// The tables that are followed.
#[must_use]
pub fn tables() -> Vec<TableName> {
    let names = ["user", "label", "issue", "comment", "issue_label"];
    names.iter().map(|name| TableName::new("public", *name)).collect()
}

/// How many rows each table has, of so many in all.
#[must_use]
pub fn sizes(rows: u32) -> Sizes {
    let (users, issues, comments, labels) = (rows / 500, rows / 100 * 16, rows / 2, 50);
    let issue_labels = rows - users - issues - comments - labels;
    Sizes { users, issues, comments, labels, issue_labels }
}

/// Makes and fills the tables.
///
/// # Errors
/// The server's.
pub fn fill(server: &Server, rows: u32) -> Result<(), Error> {
    let client = server.connect()?;
    client.sql("SET synchronous_commit = off")?;
    client.sql(TABLES)?;
    let data = Data::generate(sizes(rows));
    let insert = |table: &str, rows: &mut dyn Iterator<Item = String>| {
        loop {
            let mut sql = format!("INSERT INTO {table} VALUES ");
            for (count, row) in rows.take(CHUNK).enumerate() {
                // Writing to a string does not fail.
                let _ = write!(sql, "{}({row})", if count == 0 { "" } else { "," });
            }
            if sql.ends_with("VALUES ") {
                return Ok(());
            }
            client.sql(&sql)?;
        }
    };
    let user = |i: u32| {
        let role = if i.is_multiple_of(10) { "crew" } else { "user" };
        format!("'{}','User {i}','{role}'", user_id(i))
    };
    insert("\"user\"", &mut (0..data.sizes.users).map(user))?;
    let label = |i: u32| format!("'{}','{}'", label_id(i), label_name(i));
    insert("label", &mut (0..data.sizes.labels).map(label))?;
    let issue = |(i, issue): (u32, &penstock_benches::data::Issue)| {
        let (id, owner) = (issue_id(i), user_id(issue.owner));
        format!(
            "'{id}','{}',{},{},{},'{owner}',{}",
            issue.title, issue.open, issue.modified, issue.created, issue.priority
        )
    };
    insert("issue", &mut (0..).zip(&data.issues).map(issue))?;
    let comment = |(i, comment): (u32, &penstock_benches::data::Comment)| {
        let (issue, author) = (issue_id(comment.issue), user_id(comment.author));
        format!("'{}','{issue}','{author}',{},'{}'", comment_id(i), comment.created, comment.body)
    };
    insert("comment", &mut (0..).zip(&data.comments).map(comment))?;
    let pair =
        |(issue, label): &(u32, u32)| format!("'{}','{}'", issue_id(*issue), label_id(*label));
    insert("issue_label", &mut data.issue_labels.iter().map(pair))?;
    client.sql(INDEXES)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_add_up() {
        for rows in [100_000, 1_000_000] {
            assert_eq!(super::sizes(rows).rows(), rows);
        }
    }
}
