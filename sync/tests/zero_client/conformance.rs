//! The conformance cases: the client's own view is the expected result, before the first
//! transaction and after each, and shows nothing else in between.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::{Value as Json, json};

use super::client::{Client, Query, View, same};
use super::driver::fresh_name;
use super::tracker::connect;
use crate::support::server::{Folder, Server};

/// How many cases share a file and a server.
const TOGETHER: usize = 50;

/// What the published client cannot do, and in how many cases. The second is its own: it sorts the
/// rows that a poke brings by their keys in UTF-8, and then insists on the order of UTF-16.
const REFUSED: [(&str, usize); 2] = [
    ("Poke processing error: Error: putMany entries must be sorted and unique", 5),
    ("not(exists()) is not supported on the client - see https://bugs.rocicorp.dev/issue/3438", 60),
];

const REFUSED_OF_MUSIC: (&str, usize) = (REFUSED[1].0, 6);

/// A case, and where its tables are in the file.
struct Case {
    json: Json,
    prefix: String,
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Case {
    fn id(&self) -> &str {
        self.json["id"].as_str().expect("an id")
    }

    fn tables(&self) -> impl Iterator<Item = (&String, &Json)> {
        self.json["schema"]["tables"].as_object().expect("tables").iter()
    }

    /// The rows before the first step: its own, or those of the music store.
    fn rows(&self, table: &str) -> &[Json] {
        let own = self.json["rows"][table].as_array();
        match own {
            None if self.json["dataset"] == "chinook" => music_store(table),
            _ => own.map_or(&[], Vec::as_slice),
        }
    }

    fn columns(&self, table: &str) -> impl Iterator<Item = (&String, &str)> {
        let columns = self.json["schema"]["tables"][table]["columns"].as_object();
        let of = |column: &'_ Json| column["type"].as_str().expect("a type").to_owned().leak();
        columns.expect("columns").iter().map(move |(name, column)| (name, &*of(column)))
    }

    fn key(&self, table: &str) -> Vec<&str> {
        let key = self.json["schema"]["tables"][table]["primaryKey"].as_array();
        key.expect("a key").iter().filter_map(Json::as_str).collect()
    }

    /// The table's name in the file.
    fn stored(&self, table: &str) -> String {
        quoted(&format!("{}_{table}", self.prefix))
    }

    /// The tables, their rows, and the row that counts the steps.
    fn create(&self, file: &Connection) {
        for (table, _) in self.tables() {
            let mut sql = format!("CREATE TABLE {}(", self.stored(table));
            for (column, of) in self.columns(table) {
                let of = match of {
                    "string" => "TEXT",
                    "number" => "REAL",
                    "boolean" => "BOOLEAN",
                    _ => "JSON",
                };
                let null =
                    if self.key(table).contains(&column.as_str()) { " NOT NULL" } else { "" };
                let _ = write!(sql, "{} {of}{null}, ", quoted(column));
            }
            let key: Vec<String> = self.key(table).into_iter().map(quoted).collect();
            let _ = write!(sql, "PRIMARY KEY({}))", key.join(", "));
            file.execute(&sql, ()).expect("a table");
            for row in self.rows(table) {
                self.insert(file, table, row);
            }
        }
        let steps = self.stored("steps");
        let sql = format!(
            "CREATE TABLE {steps}(id REAL PRIMARY KEY NOT NULL, done REAL); INSERT INTO {steps} VALUES (0, 0)"
        );
        file.execute_batch(&sql).expect("a table");
    }

    fn values(&self, table: &str, row: &Json) -> Vec<Sql> {
        let value = |(column, of): (&String, &str)| match (of, &row[column]) {
            (_, Json::Null) => Sql::Null,
            ("string", Json::String(text)) => Sql::Text(text.clone()),
            ("number", Json::Number(number)) => Sql::Real(number.as_f64().expect("a double")),
            ("boolean", Json::Bool(value)) => Sql::Integer(i64::from(*value)),
            ("json", value) => Sql::Text(value.to_string()),
            (of, value) => panic!("{of} {value}"),
        };
        self.columns(table).map(value).collect()
    }

    fn insert(&self, file: &Connection, table: &str, row: &Json) {
        let values = self.values(table, row);
        let holes = vec!["?"; values.len()].join(", ");
        let sql = format!("INSERT INTO {} VALUES ({holes})", self.stored(table));
        let mut insert = file.prepare_cached(&sql).expect("an insert");
        insert.execute(rusqlite::params_from_iter(values)).expect("an insert");
    }

    /// The condition that names a row, and its parameters.
    fn named(&self, table: &str, row: &Json) -> (String, Vec<Sql>) {
        let key = self.key(table);
        let all = self.columns(table).zip(self.values(table, row));
        let of = all.filter(|((column, _), _)| key.contains(&column.as_str()));
        let (tests, values): (Vec<String>, Vec<Sql>) =
            of.map(|((column, _), value)| (format!("{} = ?", quoted(column)), value)).unzip();
        (tests.join(" AND "), values)
    }

    /// Applies a step as one transaction, which also counts it.
    fn apply(&self, file: &mut Connection, step: usize) {
        let transaction = file.transaction().expect("a transaction");
        for op in self.json["steps"][step].as_array().expect("operations") {
            let table = op["table"].as_str().expect("a table");
            let stored = self.stored(table);
            let touched = match op["op"].as_str() {
                Some("add") => {
                    self.insert(&transaction, table, &op["row"]);
                    1
                }
                Some("remove") => {
                    let (test, values) = self.named(table, &op["row"]);
                    let sql = format!("DELETE FROM {stored} WHERE {test}");
                    transaction.execute(&sql, rusqlite::params_from_iter(values)).expect("a delete")
                }
                Some("edit") => {
                    let sets: Vec<String> = self
                        .columns(table)
                        .map(|(column, _)| format!("{} = ?", quoted(column)))
                        .collect();
                    let (test, key) = self.named(table, &op["oldRow"]);
                    let sql = format!("UPDATE {stored} SET {} WHERE {test}", sets.join(", "));
                    let mut values = self.values(table, &op["row"]);
                    values.extend(key);
                    transaction
                        .execute(&sql, rusqlite::params_from_iter(values))
                        .expect("an update")
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(touched, 1, "{}: {op}", self.id());
        }
        let sql = format!("UPDATE {} SET done = {}", self.stored("steps"), step + 1);
        transaction.execute(&sql, ()).expect("a count");
        transaction.commit().expect("a commit");
    }

    fn steps(&self) -> usize {
        self.json["steps"].as_array().expect("steps").len()
    }

    /// What the view is to be after so many steps.
    fn expected(&self, steps: usize) -> &Json {
        if steps == 0 { &self.json["initial"] } else { &self.json["after"][steps - 1] }
    }

    /// The schema of the client: the names of the case, mapped to those of the file.
    fn schema(&self) -> Json {
        let mut schema = json!({"tables": {}, "relationships": {}, "enableLegacyQueries": true});
        for (name, table) in self.tables() {
            let mut table = table.clone();
            table["name"] = name.as_str().into();
            table["serverName"] = format!("{}_{name}", self.prefix).into();
            schema["tables"][name] = table;
        }
        let count = json!({"type": "number", "optional": false});
        schema["tables"]["steps"] = json!({"name": "steps", "primaryKey": ["id"],
            "serverName": format!("{}_steps", self.prefix), "columns": {"id": count, "done": count}});
        schema
    }

    fn open(&self, server: &Server) -> Client {
        let options = json!({"schema": self.schema(), "storageKey": fresh_name(), "userID": "u"});
        Client::open(&server.url(), options)
    }

    fn query(&self) -> Query {
        let mut query = Query::new(json!({"table": "steps"}));
        query.ast = self.json["ast"].clone();
        query.format = self.json["format"].clone();
        query
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

fn lines(name: &str) -> Vec<Json> {
    let text = std::fs::read_to_string(data(name)).expect("the file");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The rows of a table of the music store.
fn music_store(table: &str) -> &'static [Json] {
    static ROWS: OnceLock<BTreeMap<String, Vec<Json>>> = OnceLock::new();
    let rows = ROWS.get_or_init(|| {
        let tables = music_schema()["tables"].as_object().expect("tables");
        tables
            .keys()
            .map(|table| (table.clone(), lines(&format!("chinook/{table}.jsonl"))))
            .collect()
    });
    &rows[table]
}

fn music_schema() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let text = std::fs::read_to_string(data("chinook/schema.json")).expect("a schema");
        serde_json::from_str(&text).expect("JSON")
    })
}

fn cases(name: &str) -> Vec<Case> {
    let cases = lines(&format!("conformance/{name}.jsonl")).into_iter().enumerate();
    let case = |(number, mut json): (usize, Json)| {
        if json["dataset"] == "chinook" {
            // Only the tables that the case names: all of the music store fifty times is much.
            let text = format!("{} {}", json["ast"], json["steps"]);
            let mut schema = music_schema().clone();
            let tables = schema["tables"].as_object_mut().expect("tables");
            tables.retain(|table, _| text.contains(&format!("\"table\":\"{table}\"")));
            json["schema"] = schema;
        }
        Case { json, prefix: format!("k{number}") }
    };
    cases.map(case).collect()
}

/// Fails unless the view has shown, since it was complete, the expected results in order.
fn check_history(case: &Case, view: &View<'_>) {
    let shown = view.all();
    let mut shown: Vec<&Json> =
        shown.iter().filter(|shown| shown.of == "complete").map(|shown| &shown.data).collect();
    let mut expected: Vec<&Json> = (0..=case.steps()).map(|steps| case.expected(steps)).collect();
    shown.dedup_by(|a, b| same(a, b));
    expected.dedup_by(|a, b| same(a, b));
    let equal = shown.len() == expected.len()
        && shown.iter().zip(&expected).all(|(shown, expected)| same(shown, expected));
    assert!(equal, "{}: shown {shown:#?}, expected {expected:#?}", case.id());
}

/// Runs cases over one file; returns what the client refused.
fn run(cases: &[Case], refused: &mut BTreeMap<String, usize>) -> usize {
    let folder = Folder::new(&fresh_name());
    let path = folder.file("cases.db");
    let mut file = connect(&path);
    file.execute_batch("PRAGMA journal_mode = wal; PRAGMA synchronous = off; BEGIN")
        .expect("a file");
    cases.iter().for_each(|case| case.create(&file));
    file.execute_batch("COMMIT").expect("a commit");
    let server = Server::sqlite(&path, &["--allow-all"]);
    let clients: Vec<(&Case, Client)> =
        cases.iter().map(|case| (case, case.open(&server))).collect();
    let mut views = Vec::new();
    for (case, client) in &clients {
        match client.try_view(&case.query()) {
            Ok(view) => {
                views.push((*case, view, client.view(&Query::new(json!({"table": "steps"})))))
            }
            Err(why) => *refused.entry(why).or_default() += 1,
        }
    }
    let most = cases.iter().map(Case::steps).max().unwrap_or(0);
    for done in 0..=most {
        let going = |case: &Case| done <= case.steps();
        if done > 0 {
            let going = views.iter().filter(|(case, ..)| going(case));
            going.for_each(|(case, ..)| case.apply(&mut file, done - 1));
        }
        views.retain(|(case, view, steps)| {
            if !going(case) {
                return true;
            }
            match check(case, view, steps, done) {
                Ok(()) => true,
                Err(why) => {
                    *refused.entry(why).or_default() += 1;
                    false
                }
            }
        });
    }
    for (case, view, _) in &views {
        check_history(case, view);
    }
    views.len()
}

/// Waits until the client has seen so many steps, and fails unless the view is what it should be by
/// then: what a transaction changed is shown together. An error of the client itself is returned.
fn check(case: &Case, view: &View<'_>, steps: &View<'_>, done: usize) -> Result<(), String> {
    let what = format!("{} after {done} steps", case.id());
    let (data, expected) = if done == 0 {
        let shown = view.until_or_broken(&what, |shown| shown.of != "unknown")?;
        assert_eq!(shown.of, "complete", "{what}: {}", shown.error);
        steps.until_or_broken(&what, |shown| shown.of == "complete")?;
        (shown.data, case.expected(0))
    } else {
        let count = Some(done as f64);
        steps.until_or_broken(&what, |shown| shown.data[0]["done"].as_f64() == count)?;
        (view.now().data, case.expected(done))
    };
    assert!(same(&data, expected), "{what}: {data:#}, expected {expected:#}");
    Ok(())
}

#[test]
fn the_clients_views_are_the_expected_results() {
    check_all("public", 300, TOGETHER, &REFUSED);
}

#[test]
fn views_of_the_music_store_are_the_expected_results() {
    check_all("chinook-public", 50, 10, &[REFUSED_OF_MUSIC]);
}

fn check_all(name: &str, count: usize, together: usize, expected: &[(&str, usize)]) {
    let cases = cases(name);
    assert_eq!(cases.len(), count);
    let mut refused = BTreeMap::new();
    let ran: usize = cases.chunks(together).map(|chunk| run(chunk, &mut refused)).sum();
    let refused: Vec<(&str, usize)> =
        refused.iter().map(|(why, count)| (why.as_str(), *count)).collect();
    println!("{ran} cases ran; refused by the client: {refused:?}");
    assert_eq!(refused, expected);
    assert_eq!(ran + refused.iter().map(|(_, count)| count).sum::<usize>(), count);
}
