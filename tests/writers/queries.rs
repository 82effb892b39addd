//! Live queries of every kind, and what a connection of SQLite's own says of them.

use penstock::{Tree, Value, ValueRef};
use rusqlite::Connection;
use rusqlite::types::ValueRef as Stored;

/// A statement, with what tells how to compare it.
pub(crate) struct Query {
    pub(crate) sql: &'static str,
    /// Whether the order of rows is given by the statement.
    pub(crate) ordered: bool,
    /// The nested list: its name and the statement for one parent, whose first column it is given.
    pub(crate) nested: Option<(&'static str, &'static str)>,
    /// Whether it may be limited to so many rows: its order is total.
    pub(crate) limits: bool,
}

const fn bag(sql: &'static str) -> Query {
    Query { sql, ordered: false, nested: None, limits: false }
}

const fn list(sql: &'static str) -> Query {
    Query { sql, ordered: true, nested: None, limits: true }
}

const fn window(sql: &'static str) -> Query {
    Query { sql, ordered: true, nested: None, limits: false }
}

const fn tree(sql: &'static str, name: &'static str, of: &'static str) -> Query {
    Query { sql, ordered: true, nested: Some((name, of)), limits: true }
}

pub(crate) const QUERIES: [Query; 22] = [
    bag("SELECT id, title, open, points FROM issue"),
    list("SELECT id, title, points FROM issue WHERE open ORDER BY points DESC, id"),
    window("SELECT id, points FROM issue ORDER BY points, id LIMIT 4"),
    window(
        "SELECT id, points FROM issue WHERE open = 0 ORDER BY points DESC, id DESC LIMIT 3 OFFSET 2",
    ),
    list("SELECT id, name FROM user WHERE age > 2 ORDER BY age, id"),
    list(
        "SELECT id, title FROM issue i WHERE EXISTS (SELECT 1 FROM comment c WHERE c.issue = i.id AND c.body <> 'b1') ORDER BY title, id",
    ),
    window(
        "SELECT id FROM issue i WHERE NOT EXISTS (SELECT 1 FROM tag t WHERE t.issue = i.id) ORDER BY id DESC LIMIT 3",
    ),
    bag("SELECT issue, name FROM tag WHERE name = 'x'"),
    bag("SELECT issue, name, weight FROM tag WHERE weight IS NOT NULL"),
    bag("SELECT u.name, i.title FROM user u JOIN issue i ON i.owner = u.id"),
    list(
        "SELECT u.id AS id, u.name, c.id AS comment FROM user u LEFT JOIN issue i ON i.owner = u.id LEFT JOIN comment c ON c.issue = i.id ORDER BY u.id, i.id, c.id",
    ),
    bag(
        "SELECT owner, count(*) AS n, sum(points) AS total, min(title) AS low, max(id) AS top FROM issue GROUP BY owner",
    ),
    bag("SELECT count(*) AS n, total(points) AS t FROM issue WHERE open"),
    window(
        "SELECT i.id AS id, count(c.id) AS n FROM issue i LEFT JOIN comment c ON c.issue = i.id GROUP BY i.id HAVING count(c.id) < 3 ORDER BY n DESC, i.id LIMIT 4",
    ),
    bag("SELECT DISTINCT age, length(name) AS l FROM user"),
    bag("SELECT name FROM user UNION SELECT title FROM issue"),
    bag("SELECT body AS b FROM comment UNION ALL SELECT name FROM tag"),
    list(
        "SELECT id, points * 2 + coalesce(owner, 0) AS score FROM issue ORDER BY points * 2 + coalesce(owner, 0) DESC, id",
    ),
    list(
        "SELECT id, (SELECT count(*) FROM comment c WHERE c.issue = issue.id) AS n FROM issue WHERE owner IN (SELECT id FROM user WHERE age < 5) ORDER BY id",
    ),
    bag("SELECT id, note FROM audit"),
    tree(
        "SELECT id, title, ARRAY(SELECT id, body FROM comment c WHERE c.issue = issue.id ORDER BY id DESC LIMIT 2) AS comments FROM issue ORDER BY id",
        "comments",
        "SELECT id, body FROM comment WHERE issue = ?1 ORDER BY id DESC LIMIT 2",
    ),
    tree(
        "SELECT id, name, ARRAY(SELECT open, count(*) AS n FROM issue WHERE owner = u.id GROUP BY open ORDER BY open) AS kinds FROM user u ORDER BY id",
        "kinds",
        "SELECT open, count(*) AS n FROM issue WHERE owner = ?1 GROUP BY open ORDER BY open",
    ),
];

/// The rows of a result as text, with those of its nested list.
pub(crate) type Shown = Vec<String>;

fn text(values: &[Value]) -> String {
    let one = |value: &Value| match value {
        // Sums may be added up in another order.
        Value::Float(value) => format!("{value:.9}"),
        value => format!("{value:?}"),
    };
    values.iter().map(one).collect::<Vec<_>>().join(" | ")
}

fn plain(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Bool(value) => Value::Int(i64::from(value)),
        value => value.to_owned(),
    }
}

/// The rows of a live or fresh result.
pub(crate) fn shown(tree: &Tree, query: &Query) -> Shown {
    let row = |entry: penstock::Entry| {
        let row = entry.row();
        let values: Vec<Value> =
            row.table().values(row.row()).map(|(_, value)| plain(value)).collect();
        let mut text = text(&values);
        if let Some((name, _)) = query.nested {
            let nested = entry.related(name).expect("a nested list");
            text.push_str(&format!(" {:?}", shown(&nested, &ELEMENT)));
        }
        text
    };
    sorted(tree.iter().map(row).collect(), query)
}

/// Elements of nested lists come in order.
const ELEMENT: Query = list("");

fn sorted(mut rows: Shown, query: &Query) -> Shown {
    if !query.ordered {
        rows.sort();
    }
    rows
}

fn stored(value: Stored<'_>) -> Value {
    match value {
        Stored::Null => Value::Null,
        Stored::Integer(value) => Value::Int(value),
        Stored::Real(value) => Value::Float(value),
        Stored::Text(text) => Value::Text(String::from_utf8_lossy(text).into()),
        Stored::Blob(bytes) => Value::Blob(bytes.into()),
    }
}

fn read(connection: &Connection, sql: &str, of: Option<i64>) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut statement = connection.prepare(sql)?;
    let width = statement.column_count();
    let mut rows = match of {
        Some(of) => statement.query([of])?,
        None => statement.query([])?,
    };
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push((0..width).map(|at| stored(row.get_ref_unwrap(at))).collect());
    }
    Ok(all)
}

/// What SQLite says; an error where a table is gone.
pub(crate) fn expected(
    connection: &Connection,
    query: &Query,
    limit: Option<usize>,
) -> rusqlite::Result<Shown> {
    let mut sql = without_list(query.sql);
    if let Some(limit) = limit {
        sql.push_str(&format!(" LIMIT {limit}"));
    }
    let mut all = Vec::new();
    for row in read(connection, &sql, None)? {
        let mut text = text(&row);
        if let Some((_, nested)) = query.nested {
            let Value::Int(id) = row[0] else { unreachable!("ids are integers") };
            let nested: Shown =
                read(connection, nested, Some(id))?.iter().map(|row| self::text(row)).collect();
            text.push_str(&format!(" {nested:?}"));
        }
        all.push(text);
    }
    Ok(sorted(all, query))
}

/// A statement without its `ARRAY(…) AS name`.
fn without_list(sql: &str) -> String {
    let (Some(from), Some(to)) = (sql.find(", ARRAY("), sql.rfind(" FROM ")) else {
        return sql.to_owned();
    };
    format!("{}{}", &sql[..from], &sql[to..])
}
