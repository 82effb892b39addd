//! What the source makes of a file's declarations.

use penstock::operators::expr::{Affinity, Collation};
use penstock::{ColumnType, Source};

use super::file::{in_memory, table};

#[test]
fn declared_types_become_types_and_affinities() {
    use ColumnType::{Any, Blob, Boolean, Integer, Json, Real, Text};
    let cases = [
        ("INTEGER", Integer, Affinity::Integer),
        ("UNSIGNED BIG INT", Integer, Affinity::Integer),
        ("FLOATING POINT", Integer, Affinity::Integer),
        ("VARCHAR(20)", Text, Affinity::Text),
        ("CLOB", Text, Affinity::Text),
        ("TEXT COLLATE BINARY", Text, Affinity::Text),
        ("DOUBLE PRECISION", Real, Affinity::Real),
        ("FLOAT", Real, Affinity::Real),
        ("BLOB", Blob, Affinity::Blob),
        ("", Any, Affinity::Blob),
        ("NUMERIC", Any, Affinity::Numeric),
        ("DECIMAL(10, 2)", Any, Affinity::Numeric),
        ("DATETIME", Any, Affinity::Numeric),
        ("ANY", Any, Affinity::Numeric),
        ("BOOLEAN", Boolean, Affinity::Numeric),
        ("bool", Boolean, Affinity::Numeric),
        ("JSON", Json, Affinity::Numeric),
        ("JSON TEXT", Json, Affinity::Text),
        ("jsonb", Json, Affinity::Numeric),
    ];
    for (declared, column_type, affinity) in cases {
        let source = in_memory(&format!("CREATE TABLE t(id INTEGER PRIMARY KEY, c {declared})"));
        let column = &source.schema().table(table(&source, "t")).columns()[1];
        assert_eq!((column.column_type, column.affinity), (column_type, affinity), "{declared}");
        assert!(column.nullable);
    }
    let strict = in_memory("CREATE TABLE t(id INTEGER PRIMARY KEY, c ANY NOT NULL) STRICT");
    let column = &strict.schema().table(table(&strict, "t")).columns()[1];
    assert_eq!((column.column_type, column.affinity), (Any, Affinity::Blob));
    assert!(!column.nullable);
}

#[test]
fn collations_are_known_or_refused() {
    let source = in_memory(
        "CREATE TABLE t(a TEXT PRIMARY KEY COLLATE NOCASE, b TEXT COLLATE RTRIM, c TEXT)",
    );
    let columns = source.schema().table(table(&source, "t")).columns();
    let found: Vec<Collation> = columns.iter().map(|column| column.collation).collect();
    assert_eq!(found, [Collation::NoCase, Collation::RightTrim, Collation::Binary]);
}

#[test]
fn keys_are_what_identifies_a_row() {
    let source = in_memory(
        "CREATE TABLE rowid(v, id INTEGER PRIMARY KEY);
         CREATE TABLE composite(a TEXT, b INT, c, PRIMARY KEY(b, a));
         CREATE TABLE without(a TEXT PRIMARY KEY, b) WITHOUT ROWID;
         CREATE TABLE served(a INT NOT NULL, b INT NOT NULL, c TEXT NOT NULL UNIQUE, d UNIQUE,
             UNIQUE(a, b));",
    );
    let key = |name: &str| source.schema().table(table(&source, name)).primary_key().to_vec();
    assert_eq!(key("rowid"), [1]);
    assert_eq!(key("composite"), [1, 0]);
    assert_eq!(key("without"), [0]);
    assert_eq!(key("served"), [2], "the shortest of the unique keys that are never null");
    let served = source.schema().table(table(&source, "served"));
    let mut unique = served.unique_keys().to_vec();
    unique.sort();
    assert_eq!(unique, [vec![0, 1], vec![3]]);
    let composite = source.schema().table(table(&source, "composite"));
    assert!(composite.primary_key().iter().all(|column| !composite.columns()[*column].nullable));
}

#[test]
fn what_cannot_be_queried_is_refused_by_name() {
    let source = in_memory(
        "CREATE TABLE good(id INTEGER PRIMARY KEY);
         CREATE TABLE keyless(a, b UNIQUE);
         CREATE TABLE expressed(a INT NOT NULL); CREATE UNIQUE INDEX e ON expressed(a + 1);
         CREATE TABLE part(a INT NOT NULL); CREATE UNIQUE INDEX p ON part(a) WHERE a > 1;
         CREATE VIEW seen AS SELECT * FROM good;
         CREATE TABLE doc(j JSON PRIMARY KEY);",
    );
    let schema = source.schema();
    assert_eq!(schema.tables().len(), 1);
    for name in ["keyless", "expressed", "part", "doc"] {
        let reason = schema.refused(name).expect("it is refused");
        assert!(
            reason.contains("it has no primary key") && reason.contains("PRIMARY KEY"),
            "{reason}"
        );
    }
    assert!(schema.refused("seen").is_some_and(|reason| reason.contains("view")));
    assert_eq!(schema.refused("good"), None);
    assert_eq!(schema.refused("absent"), None);
}

#[test]
fn foreign_keys_become_relationships() {
    let source = in_memory(
        "CREATE TABLE user(id INTEGER PRIMARY KEY, boss_id INT REFERENCES user);
         CREATE TABLE issue(
             id INTEGER PRIMARY KEY,
             owner_id INT REFERENCES user(id),
             creatorId INT REFERENCES user(id),
             reviewer INT REFERENCES user(id),
             a TEXT, b INT,
             FOREIGN KEY(a, b) REFERENCES pair(a, b),
             FOREIGN KEY(a) REFERENCES nowhere(a)
         );
         CREATE TABLE pair(a TEXT, b INT, PRIMARY KEY(a, b));",
    );
    let shown = |name: &str| -> Vec<String> {
        let schema = source.schema();
        let of = schema.table(table(&source, name));
        let relationships = of.relationships().iter().map(|relationship| {
            let hop = &relationship.hops[0];
            let to = schema.table(hop.table).name();
            let one = if relationship.one { "one" } else { "many" };
            format!("{} {one} {to} {:?}={:?}", relationship.name, hop.from, hop.to)
        });
        relationships.collect()
    };
    assert_eq!(
        shown("user"),
        [
            "boss one user [1]=[0]",
            "user many user [0]=[1]",
            "issue many issue [0]=[1]",
            "issue_by_creatorId many issue [0]=[2]",
            "issue_by_reviewer many issue [0]=[3]",
        ]
    );
    assert_eq!(
        shown("issue"),
        [
            "owner one user [1]=[0]",
            "creator one user [2]=[0]",
            "user one user [3]=[0]",
            "pair one pair [4, 5]=[0, 1]",
        ]
    );
    assert_eq!(shown("pair"), ["issue many issue [0, 1]=[4, 5]"]);
}

#[test]
fn names_may_be_anything() {
    let source = in_memory(
        r#"CREATE TABLE "a ""table"" with 'quotes'"("the ""key""" INTEGER PRIMARY KEY, "select" TEXT)"#,
    );
    let table = source.schema().table(table(&source, "a \"table\" with 'quotes'"));
    let names: Vec<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["the \"key\"", "select"]);
}
