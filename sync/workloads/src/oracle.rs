//! Which rows a client must hold, by the database's own SELECTs.
//!
//! Of a client only the number of its rows is compared, and a sum that does not depend on their order:
//! equal sums of other rows are as unlikely as a collision of 64 bits.

use penstock_benches::data::user_id;
use penstock_postgres_workloads::queries::of_person;
use serde_json::Value as Json;

use crate::database::Database;
use crate::load::Wants;
use crate::queries::{TABLES, Table};

/// The rows of a client: how many, and their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many there are.
    pub rows: u64,
    /// The sum of their [hashes](row_hash).
    pub sum: u64,
}

impl Held {
    /// Adds a row.
    pub fn add(&mut self, hash: u64) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hash);
    }

    /// Takes a row away.
    pub fn remove(&mut self, hash: u64) {
        self.rows -= 1;
        self.sum = self.sum.wrapping_sub(hash);
    }
}

/// The hash of a row, from the text of its values in the order of [`TABLES`]: FNV-1a, 64 bits.
#[must_use]
pub fn row_hash<'t>(table: &str, values: impl Iterator<Item = &'t str>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |text: &str| {
        for byte in text.bytes().chain([31]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    add(table);
    values.for_each(add);
    hash
}

/// A value as the database's SELECT below prints it.
#[must_use]
pub fn text_of(value: &Json) -> String {
    match value {
        Json::Bool(value) => i32::from(*value).to_string(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a client must hold.
///
/// # Errors
/// The database's.
pub fn expected(database: &mut Database, wants: Wants, client: u32) -> Result<Held, String> {
    let mut held = Held::default();
    for table in &TABLES {
        let Some(sql) = select(table, wants, client) else { continue };
        for row in database.rows(&sql)? {
            held.add(row_hash(table.0, row.iter().map(String::as_str)));
        }
    }
    Ok(held)
}

/// The rows of a table that a client must hold.
fn select((name, columns, _): &Table, wants: Wants, client: u32) -> Option<String> {
    let columns = columns.iter().map(|(column, kind)| match *kind {
        "boolean" => format!("CASE WHEN {column} THEN 1 ELSE 0 END"),
        _ => (*column).to_owned(),
    });
    let columns: Vec<String> = columns.collect();
    let (lists, rows) = match wants {
        Wants::Person { first } => of_the_person(name, first + client),
        Wants::Owners { count } => (String::new(), of_the_owners(name, count)?),
    };
    Some(format!("{lists} SELECT {} FROM \"{name}\" WHERE {rows}", columns.join(", ")))
}

/// The lists of a person as `q1` to `q5`, and the condition for the rows of a table in them.
fn of_the_person(table: &str, person: u32) -> (String, String) {
    let me = user_id(person);
    let lists = of_person(person as usize);
    let named = lists.iter().enumerate();
    let named: Vec<String> =
        named.map(|(at, list)| format!("q{} AS ({})", at + 1, list.ids)).collect();
    let of = |queries: &[u32]| {
        let lists: Vec<String> = queries.iter().map(|n| format!("SELECT id FROM q{n}")).collect();
        lists.join(" UNION ")
    };
    let rows = match table {
        "issue" => format!("id IN ({})", of(&[1, 2, 3, 4, 5])),
        "user" => {
            format!("id IN (SELECT owner_id FROM issue WHERE id IN ({}))", of(&[1, 3, 4]))
        }
        "label" => {
            let lists = of(&[1]);
            format!("id IN (SELECT label_id FROM issue_label WHERE issue_id IN ({lists}))")
        }
        // The rows that show that an EXISTS holds are there too: of each list the first by primary key.
        "issue_label" => format!(
            "issue_id IN ({}) OR (label_id = 'l07' AND issue_id IN ({}))",
            of(&[1]),
            of(&[4])
        ),
        _ => format!(
            "id IN (SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY issue_id ORDER BY created DESC, id) \
             AS place FROM comment WHERE issue_id IN ({})) placed WHERE place <= 10) \
             OR id IN (SELECT min(id) FROM comment WHERE author_id = '{me}' AND issue_id IN ({}) GROUP BY issue_id)",
            of(&[3, 5]),
            of(&[5])
        ),
    };
    (format!("WITH {}", named.join(", ")), rows)
}

fn of_the_owners(table: &str, count: u32) -> Option<String> {
    let last = user_id(count.saturating_sub(1));
    (table == "issue").then(|| {
        format!(
            "id IN (SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY owner_id ORDER BY modified DESC, id) \
             AS place FROM issue WHERE owner_id <= '{last}') placed WHERE place <= 50)"
        )
    })
}
