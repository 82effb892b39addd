//! Ordered reads: columns whose order in SQLite is not that of keys, long results, and indexes.

use std::ops::ControlFlow;

use penstock::operators::key::KeySpec;
use penstock::operators::source::{At, Cursor, ScanShape};
use penstock::{Asc, Desc, Direction, Row, Source, SqliteOptions, SqliteSource, Value};

use super::file::{connect, in_memory, path, row, table};

fn shape(
    source: &SqliteSource,
    name: &str,
    equal: &[usize],
    order: &[(usize, Direction)],
) -> ScanShape {
    ScanShape { table: table(source, name), equal: equal.to_vec(), order: order.to_vec() }
}

fn scan(
    source: &SqliteSource,
    id: penstock::operators::source::ScanId,
    equal: &[u8],
    from: Option<Cursor<'_>>,
    reverse: bool,
) -> Vec<Row> {
    let mut rows = Vec::new();
    source
        .scan(At::After, id, equal, from, reverse, &mut |row| {
            rows.push(row.clone());
            ControlFlow::Continue(())
        })
        .expect("the rows can be read");
    rows
}

/// Checks that a scan in an order gives the rows as keys sort them, from any row on.
fn check_order(source: &mut SqliteSource, name: &str, order: &[(usize, Direction)]) {
    let shape = shape(source, name, &[], order);
    let spec = KeySpec::new(order.to_vec());
    let id = source.prepare(&shape).expect("a sound shape");
    for reverse in [false, true] {
        let mut rows = scan(source, id, &[], None, reverse);
        let mut sorted = rows.clone();
        sorted.sort_by_key(|row| spec.key(row));
        if reverse {
            sorted.reverse();
        }
        assert_eq!(rows, sorted, "{order:?} reverse {reverse}");
        for at in 0..rows.len() {
            let key = spec.key(&rows[at]);
            for inclusive in [false, true] {
                let from = Some(Cursor { key: &key, inclusive });
                let rest = scan(source, id, &[], from, reverse);
                let first = if inclusive { at } else { at + 1 };
                assert_eq!(rest, rows[first..], "{order:?} from {at} {inclusive} {reverse}");
            }
        }
        rows.clear();
    }
    source.release(id);
}

/// Values of every sort, also such as a column of that type does not hold by itself.
const VALUES: [&str; 18] = [
    "NULL",
    "0",
    "1",
    "-1",
    "2",
    "0.5",
    "1.0",
    "-0.25",
    "1e300",
    "9007199254740993",
    "'0'",
    "''",
    "'a'",
    "'A'",
    "'a '",
    "'1x'",
    "x''",
    "x'ff'",
];

#[test]
fn every_column_is_read_in_the_order_of_keys() {
    for declared in [
        "",
        "INTEGER",
        "REAL",
        "NUMERIC",
        "TEXT",
        "BOOLEAN",
        "JSON",
        "TEXT COLLATE NOCASE",
        "TEXT COLLATE RTRIM",
        "BLOB",
    ] {
        for index in ["", "CREATE INDEX by_v ON t(v)", "CREATE INDEX by_v ON t(v DESC, w)"] {
            let mut source = in_memory(&format!(
                "CREATE TABLE t(id INTEGER PRIMARY KEY, v {declared}, w BOOLEAN); {index}"
            ));
            source.begin().expect("none is in flight");
            for (at, value) in VALUES.iter().enumerate() {
                let w = VALUES[(at * 7) % 7];
                let sql = format!("INSERT INTO t(v, w) VALUES({value}, {w}), ({value}, 1)");
                source.execute(&sql, &[]).expect("SQLite takes it");
            }
            source.finish().expect("the rows are right");
            source.commit().expect("it is finished");
            for order in [
                vec![(1, Asc), (0, Asc)],
                vec![(1, Desc), (0, Asc)],
                vec![(2, Asc), (1, Desc), (0, Desc)],
            ] {
                check_order(&mut source, "t", &order);
            }
        }
    }
}

#[test]
fn columns_held_equal_meet_only_what_is_equal() {
    for declared in ["", "INTEGER", "REAL", "NUMERIC", "TEXT", "BOOLEAN", "TEXT COLLATE NOCASE"] {
        let mut source = in_memory(&format!(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v {declared}); CREATE INDEX by_v ON t(v)"
        ));
        source.begin().expect("none is in flight");
        for value in VALUES {
            let sql = format!("INSERT INTO t(v) VALUES({value})");
            source.execute(&sql, &[]).expect("SQLite takes it");
        }
        source.finish().expect("the rows are right");
        source.commit().expect("it is finished");
        let id = source.prepare(&shape(&source, "t", &[], &[(0, Asc)])).expect("a shape");
        let all = scan(&source, id, &[], None, false);
        let equal = source.prepare(&shape(&source, "t", &[1], &[(0, Asc)])).expect("a shape");
        let asked = [
            Value::Null,
            0.into(),
            1.into(),
            true.into(),
            false.into(),
            0.5.into(),
            Value::Float(1.0),
            ((1_i64 << 53) + 1).into(),
            Value::Float(9_007_199_254_740_992.0),
            "0".into(),
            " 1 ".into(),
            "a".into(),
            "A".into(),
            "a ".into(),
            Vec::new().into(),
            Value::Json("1".into()),
        ];
        for value in asked {
            let key = KeySpec::asc(&[0]).key(&row([value.clone()]));
            let found = scan(&source, equal, &key, None, false);
            let expected: Vec<Row> =
                all.iter().filter(|row| row.get(1) == value.as_ref()).cloned().collect();
            assert_eq!(found, expected, "{declared}: {value:?}");
        }
    }
}

#[test]
fn a_visitor_may_read_from_the_same_source() {
    let mut source = in_memory("CREATE TABLE t(id INTEGER PRIMARY KEY, v INT)");
    source.begin().expect("none is in flight");
    for id in 0..5000 {
        source.execute("INSERT INTO t VALUES(?, ?)", &[id.into(), (id % 7).into()]).expect("a row");
    }
    source.finish().expect("the rows are right");
    let table = table(&source, "t");
    let by_v = source.prepare(&shape(&source, "t", &[], &[(1, Desc), (0, Asc)])).expect("a shape");
    let spec = KeySpec::asc(&[0]);
    for at in [At::Before, At::After] {
        let mut rows = Vec::new();
        source
            .scan(at, by_v, &[], None, false, &mut |row| {
                if rows.len() % 1000 == 0 {
                    let same = source.get(at, table, &spec.key(row)).expect("a row");
                    assert_eq!(same.as_ref(), Some(row));
                    let mut first = None;
                    source
                        .scan(at, by_v, &[], None, true, &mut |row| {
                            first = Some(row.clone());
                            ControlFlow::Break(())
                        })
                        .expect("the rows can be read");
                    assert_eq!(first, Some(super::file::row([4998.into(), 0.into()])));
                }
                rows.push(row.clone());
                ControlFlow::Continue(())
            })
            .expect("the rows can be read");
        assert_eq!(rows.len(), if at == At::Before { 0 } else { 5000 });
        assert!(rows.is_sorted_by_key(|row| KeySpec::new(vec![(1, Desc), (0, Asc)]).key(row)));
    }
    source.rollback();
}

#[test]
fn indexes_that_are_missing_are_named_or_made() {
    let path = path("indexes");
    connect(&path)
        .execute_batch(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE, b INT, c INT);
             CREATE INDEX by_b ON t(b, c DESC);",
        )
        .expect("the tables of a test are sound");
    let shapes = |source: &SqliteSource| {
        [
            shape(source, "t", &[], &[(0, Asc)]),
            shape(source, "t", &[2], &[(3, Desc), (0, Desc)]),
            shape(source, "t", &[2], &[(3, Desc), (0, Asc)]),
            shape(source, "t", &[1], &[(0, Asc)]),
        ]
    };
    let mut source = SqliteSource::open(&path).expect("a sound file");
    let expected = [
        r#"CREATE INDEX IF NOT EXISTS "penstock_t_b_c_desc_id_desc" ON "t"("b", "c" DESC, "id" DESC)"#,
        r#"CREATE INDEX IF NOT EXISTS "penstock_t_a_id" ON "t"("a" COLLATE BINARY, "id")"#,
    ];
    let ids: Vec<_> =
        shapes(&source).iter().map(|shape| source.prepare(shape).expect("a shape")).collect();
    assert_eq!(source.missing_indexes(), expected);
    ids.into_iter().for_each(|id| source.release(id));
    assert!(source.missing_indexes().is_empty());

    let options = SqliteOptions::new(&path).create_indexes(true);
    let mut making = SqliteSource::open_with(options).expect("a sound file");
    for shape in shapes(&making) {
        making.prepare(&shape).expect("a shape");
    }
    assert!(making.missing_indexes().is_empty(), "{:?}", making.missing_indexes());
    let made: i64 = connect(&path)
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'penstock%'", [], |row| {
            row.get(0)
        })
        .expect("a sound file");
    assert_eq!(made, 2);
}
