//! The tables, random writes to them, and the queries that clients choose from.

use penstock::{ColumnType, Database, RowInput, Schema, Table};
use serde_json::{Value as Json, json};

use crate::random::Random;

/// How many issues there may be, and how many people.
const ISSUES: usize = 16;
const PEOPLE: usize = 5;

/// How many kinds of queries there are; each comes with constants below [`CONSTANTS`].
const KINDS: usize = 12;
const CONSTANTS: usize = 5;
/// The kind that the published client refuses.
const NOT_EXISTS: usize = 4;

const LABELS: [&str; 3] = ["a", "b", "c"];

/// What every client wants all the time.
pub(crate) const ALWAYS: [&str; 3] = ["fence", "pair_a", "pair_b"];

type Described = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

/// The tables that clients know: columns with their types, and keys.
const TABLES: [Described; 7] = [
    ("person", &[("id", "string"), ("name", "string")], &["id"]),
    (
        "issue",
        &[
            ("id", "string"),
            ("title", "string"),
            ("open", "boolean"),
            ("rank", "number"),
            ("owner", "string"),
        ],
        &["id"],
    ),
    ("label", &[("issue", "string"), ("name", "string")], &["issue", "name"]),
    ("pair_a", &[("id", "string"), ("n", "number")], &["id"]),
    ("pair_b", &[("id", "string"), ("n", "number")], &["id"]),
    ("fence", &[("id", "string"), ("n", "number")], &["id"]),
    ("ledger", &[("client", "string"), ("n", "number")], &["client"]),
];

/// Where the tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// Makes the tables. Whatever is written into `ledger` is noted in `ledger_log` by the database itself,
/// once each time; what has the title `forbidden` it refuses.
pub(crate) fn create(dialect: Dialect) -> String {
    let mut sql = String::new();
    for (table, columns, key) in TABLES {
        let columns = columns.iter().map(|(name, of)| {
            let of = match (*of, dialect) {
                ("boolean", _) => "boolean",
                ("number", Dialect::Sqlite) => "real",
                ("number", Dialect::Postgres) => "double precision",
                _ => "text",
            };
            let rest = match *name {
                "owner" => "",
                "title" => " NOT NULL CHECK (title <> 'forbidden')",
                _ => " NOT NULL",
            };
            format!("{name} {of}{rest}, ")
        });
        let columns: String = columns.collect();
        sql += &format!("CREATE TABLE {table}({columns}PRIMARY KEY({}));", key.join(", "));
    }
    sql += match dialect {
        Dialect::Sqlite => {
            "CREATE TABLE ledger_log(at INTEGER PRIMARY KEY, client TEXT NOT NULL, n REAL NOT NULL);
             CREATE TRIGGER inserted AFTER INSERT ON ledger BEGIN
                 INSERT INTO ledger_log(client, n) VALUES (new.client, new.n); END;
             CREATE TRIGGER updated AFTER UPDATE ON ledger BEGIN
                 INSERT INTO ledger_log(client, n) VALUES (new.client, new.n); END;"
        }
        Dialect::Postgres => {
            "CREATE TABLE ledger_log(at bigserial PRIMARY KEY, client text NOT NULL, n double precision NOT NULL);
             CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO ledger_log(client, n) VALUES (new.client, new.n); RETURN NULL; END $$;
             CREATE TRIGGER noted AFTER INSERT OR UPDATE ON ledger FOR EACH ROW EXECUTE FUNCTION noted();"
        }
    };
    sql + "INSERT INTO pair_a VALUES ('only', 0); INSERT INTO pair_b VALUES ('only', 0);
           INSERT INTO fence VALUES ('only', 0);"
}

/// A random transaction, as SQL for both.
pub(crate) fn transaction(random: &mut Random) -> String {
    if random.one_in(40) {
        return many(random);
    }
    let statements: String = (0..=random.below(5)).map(|_| statement(random)).collect();
    let end = if random.one_in(12) { "ROLLBACK" } else { "COMMIT" };
    format!("BEGIN; {statements} {end}")
}

/// More rows at once than go into one part of a poke.
fn many(random: &mut Random) -> String {
    let (issue, way) = (random.below(ISSUES), random.below(2));
    let rows: Vec<String> = (0..150).map(|n| format!("('i{issue}', 'many{n:03}')")).collect();
    match way {
        0 => format!(
            "BEGIN; INSERT INTO label VALUES {} ON CONFLICT DO NOTHING; COMMIT",
            rows.join(", ")
        ),
        _ => "BEGIN; DELETE FROM label WHERE name LIKE 'many%'; COMMIT".to_owned(),
    }
}

fn statement(random: &mut Random) -> String {
    let (issue, person) = (random.below(ISSUES), random.below(PEOPLE));
    let label = LABELS[random.below(3)];
    match random.below(12) {
        0..=3 => {
            let (title, open, rank) = (random.below(6), random.one_in(2), random.below(12));
            let owner = if random.one_in(6) { "NULL".to_owned() } else { format!("'p{person}'") };
            format!(
                "INSERT INTO issue VALUES ('i{issue}', 't{title}', {open}, {rank}, {owner})
                 ON CONFLICT (id) DO UPDATE SET title = excluded.title, open = excluded.open,
                    rank = excluded.rank, owner = excluded.owner;"
            )
        }
        4 => format!("DELETE FROM issue WHERE id = 'i{issue}';"),
        5 => format!("UPDATE issue SET rank = rank + 1 WHERE owner = 'p{person}';"),
        6 => format!(
            "UPDATE issue SET id = 'i{}' WHERE id = 'i{issue}'
                AND NOT EXISTS (SELECT 1 FROM issue WHERE id = 'i{}');",
            ISSUES + person,
            ISSUES + person
        ),
        7 => format!(
            "INSERT INTO person VALUES ('p{person}', 'n{}')
             ON CONFLICT (id) DO UPDATE SET name = excluded.name;",
            random.below(CONSTANTS)
        ),
        8 => format!("DELETE FROM person WHERE id = 'p{person}';"),
        9 => format!("INSERT INTO label VALUES ('i{issue}', '{label}') ON CONFLICT DO NOTHING;"),
        10 => format!("DELETE FROM label WHERE issue = 'i{issue}' AND name = '{label}';"),
        _ => "UPDATE pair_a SET n = n + 1; UPDATE pair_b SET n = n + 1;".to_owned(),
    }
}

/// Operations of a mutation: `(op, table, key, value)`, the first of them the note in the ledger.
/// One that is not good is refused by the database as a whole.
pub(crate) fn operations(
    random: &mut Random,
    client: &str,
    number: u64,
    is_good: bool,
) -> Vec<(&'static str, &'static str, Vec<&'static str>, Json)> {
    let mut ops =
        vec![("upsert", "ledger", vec!["client"], json!({"client": client, "n": number}))];
    let issue = format!("i{}", random.below(ISSUES));
    ops.push(match random.below(5) {
        0 => ("delete", "issue", vec!["id"], json!({"id": issue})),
        1 => ("update", "issue", vec!["id"], json!({"id": issue, "rank": random.below(12)})),
        2 => {
            let value = json!({"issue": issue, "name": LABELS[random.below(3)]});
            (["insert", "delete"][random.below(2)], "label", vec!["issue", "name"], value)
        }
        3 => {
            let name = format!("n{}", random.below(CONSTANTS));
            let person = format!("p{}", random.below(PEOPLE));
            ("upsert", "person", vec!["id"], json!({"id": person, "name": name}))
        }
        _ => {
            let value = json!({"id": issue, "title": format!("t{}", random.below(6)),
                "open": random.one_in(2), "rank": random.below(12), "owner": null});
            ("upsert", "issue", vec!["id"], value)
        }
    });
    if !is_good {
        let value =
            json!({"id": "bad", "title": "forbidden", "open": true, "rank": 0, "owner": null});
        ops.push(("upsert", "issue", vec!["id"], value));
    }
    ops
}

/// The name of a random query.
pub(crate) fn any_query(random: &mut Random, for_published: bool) -> String {
    let mut kind = random.below(KINDS);
    if for_published && kind == NOT_EXISTS {
        kind += 1;
    }
    format!("q{kind}-{}", random.below(CONSTANTS))
}

fn is(column: &str, op: &str, value: Json) -> Json {
    json!({"type": "simple", "op": op, "left": {"type": "column", "name": column},
        "right": {"type": "literal", "value": value}})
}

fn related(alias: &str, (parent, child): (&str, &str), mut subquery: Json) -> Json {
    subquery["alias"] = alias.into();
    json!({"correlation": {"parentField": [parent], "childField": [child]}, "subquery": subquery,
        "system": "client"})
}

fn exists(op: &str, alias: &str, on: (&str, &str), subquery: Json) -> Json {
    let related = related(&format!("zsubq_{alias}"), on, subquery);
    json!({"type": "correlatedSubquery", "op": op, "related": related})
}

/// The query of a name.
pub(crate) fn query(name: &str) -> Json {
    let numbers = name.strip_prefix('q').and_then(|rest| rest.split_once('-'));
    let Some((kind, n)) = numbers else { return json!({"table": name}) };
    let (kind, n): (usize, usize) = (kind.parse().expect("a kind"), n.parse().expect("a constant"));
    let labelled = || {
        let label = json!({"table": "label", "where": is("name", "=", json!(LABELS[n % 3]))});
        exists("EXISTS", "l", ("id", "issue"), label)
    };
    let labels = |more: Json| {
        let mut subquery = json!({"table": "label"});
        if !more.is_null() {
            subquery["limit"] = more;
        }
        related("labels", ("id", "issue"), subquery)
    };
    match kind {
        0 => json!({"table": "issue", "orderBy": [["rank", "desc"]], "limit": n + 1,
            "related": [related("owners", ("owner", "id"), json!({"table": "person"}))]}),
        1 => json!({"table": "issue", "where": is("open", "=", json!(n % 2 == 0)),
            "orderBy": [["title", "asc"]], "related": [labels(json!(2))]}),
        2 => {
            json!({"table": "issue", "where": labelled(), "orderBy": [["rank", "asc"]], "limit": 4})
        }
        3 => json!({"table": "issue", "limit": 5, "where": {"type": "or",
            "conditions": [labelled(), is("rank", ">", json!(n * 2))]}}),
        NOT_EXISTS => json!({"table": "person",
            "where": exists("NOT EXISTS", "i", ("id", "owner"), json!({"table": "issue"}))}),
        5 => {
            let issues = json!({"table": "issue", "orderBy": [["rank", "desc"]], "limit": n + 1});
            json!({"table": "person", "related": [related("issues", ("id", "owner"), issues)]})
        }
        6 => json!({"table": "issue", "where": is("rank", "<", json!(6 + n)),
            "start": {"row": {"id": format!("i{n}")}, "exclusive": n % 2 == 0}, "limit": 3}),
        7 => {
            let owner =
                json!({"table": "person", "where": is("name", "!=", json!(format!("n{n}")))});
            let issue =
                json!({"table": "issue", "where": exists("EXISTS", "o", ("owner", "id"), owner)});
            json!({"table": "label", "where": exists("EXISTS", "i", ("issue", "id"), issue)})
        }
        8 => json!({"table": "issue", "where": is("owner", "=", json!(format!("p{n}"))),
            "orderBy": [["title", "desc"]], "limit": 2}),
        9 => json!({"table": (["issue", "label", "person"][n % 3])}),
        10 => {
            let owner =
                json!({"table": "person", "where": is("name", "=", json!(format!("n{n}")))});
            json!({"table": "issue", "where": exists("EXISTS", "o", ("owner", "id"), owner),
                "related": [labels(Json::Null)]})
        }
        _ => {
            let mut hop = related("labels", ("id", "owner"), json!({"table": "issue"}));
            hop["hidden"] = json!(true);
            let labels = json!({"table": "label", "where": is("name", "LIKE", json!("_"))});
            hop["subquery"]["related"] = json!([related("labels", ("id", "issue"), labels)]);
            json!({"table": "person", "where": is("id", "!=", json!(format!("p{n}"))), "related": [hop]})
        }
    }
}

/// The schema as a client sends it.
pub(crate) fn client_schema() -> Json {
    let mut tables = json!({});
    for (table, columns, key) in TABLES {
        tables[table] = json!({"columns": {}, "primaryKey": key});
        for (column, of) in columns {
            tables[table]["columns"][*column] = json!({"type": of});
        }
    }
    json!({"tables": tables})
}

/// The schema as `createSchema` makes it.
pub(crate) fn published_schema() -> Json {
    let mut schema = client_schema();
    for (table, columns, _) in TABLES {
        schema["tables"][table]["name"] = table.into();
        for (column, _) in columns {
            schema["tables"][table]["columns"][*column]["optional"] = (*column == "owner").into();
        }
    }
    schema["relationships"] = json!({});
    schema["enableLegacyQueries"] = json!(true);
    schema["enableLegacyMutators"] = json!(true);
    schema
}

/// SQL that gives the rows of each table as JSON.
pub(crate) fn rows_as_json(dialect: Dialect) -> Vec<(&'static str, String)> {
    let one = |(table, columns, _): Described| {
        let sql = match dialect {
            Dialect::Postgres => format!("SELECT row_to_json(t) FROM {table} t"),
            Dialect::Sqlite => {
                let fields = columns.iter().map(|(name, of)| match *of {
                    "boolean" => format!("'{name}', json(iif({name}, 'true', 'false'))"),
                    _ => format!("'{name}', {name}"),
                });
                format!(
                    "SELECT json_object({}) FROM {table}",
                    fields.collect::<Vec<_>>().join(", ")
                )
            }
        };
        (table, sql)
    };
    TABLES.into_iter().map(one).collect()
}

/// A database in memory with these rows: what queries give on it is what they give freshly.
pub(crate) fn fresh(rows: &[(&str, Vec<Json>)]) -> Database {
    let tables = TABLES.map(|(table, columns, key)| {
        columns.iter().fold(
            Table::new(table).primary_key(key.iter().copied()),
            |table, (name, of)| {
                let of = match *of {
                    "boolean" => ColumnType::Boolean,
                    "number" => ColumnType::Real,
                    _ => ColumnType::Text,
                };
                if *name == "owner" { table.nullable(*name, of) } else { table.column(*name, of) }
            },
        )
    });
    let schema = Schema::new(tables).expect("a schema");
    let database = Database::in_memory(schema.clone()).expect("a database");
    let all = database.transaction(|tx| {
        for (table, rows) in rows {
            let id = schema.table_id(table).expect("a table");
            for row in rows {
                let row = RowInput::from_json(schema.table(id), row).expect("a row");
                tx.insert(table, row)?;
            }
        }
        Ok(())
    });
    all.expect("rows");
    database
}
