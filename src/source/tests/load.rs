//! Bulk loads: all rows or none.

use penstock_operators::row::Row;
use penstock_operators::schema::{Schema, Table, TableId};
use penstock_operators::source::{At, Source};
use penstock_operators::value::ColumnType;

use super::super::MemorySource;
use super::model::encoded;

const TAG: TableId = TableId(0);

fn tags() -> MemorySource {
    let tag = Table::new("tag")
        .column("id", ColumnType::Integer)
        .column("name", ColumnType::Text)
        .primary_key(["id"])
        .unique(["name"]);
    MemorySource::new(Schema::new([tag]).expect("the schema is right"))
}

fn tag(id: i64, name: &str) -> Row {
    Row::new(&[id.into(), name.into()])
}

fn found(source: &MemorySource, id: i64) -> Option<Row> {
    source.get(At::After, TAG, &encoded(&[id.into()])).expect("memory does not fail")
}

#[test]
fn rows_are_loaded_in_any_order_into_an_empty_or_a_filled_table() {
    let mut source = tags();
    assert_eq!(source.load(TAG, [tag(3, "c"), tag(1, "a")]), Ok(2));
    assert_eq!(source.load(TAG, [tag(4, "d"), tag(2, "b")]), Ok(2));
    assert_eq!(source.load(TAG, []), Ok(0));
    assert_eq!(source.row_count(TAG), 4);
    for (id, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        assert_eq!(found(&source, id), Some(tag(id, name)));
    }
}

#[test]
fn loading_leaves_what_writing_the_rows_would() {
    let rows: Vec<Row> = (0..50).map(|id| tag(id * 7 % 50, &format!("{}", id * 13))).collect();
    let (mut loaded, mut written) = (tags(), tags());
    loaded.load(TAG, rows.iter().take(20).cloned()).expect("the rows are right");
    loaded.load(TAG, rows.iter().skip(20).cloned()).expect("the rows are right");
    let changes = rows
        .iter()
        .map(|row| penstock_operators::source::Change::Insert { table: TAG, row: row.clone() });
    written.apply(changes.collect()).expect("the rows are right");
    written.commit().expect("it is finished");
    // What is counted is the room taken, which depends on how it grew.
    let owners = |source: &MemorySource| -> Vec<String> {
        source.memory().into_iter().map(|(owner, _)| owner).collect()
    };
    assert_eq!(owners(&loaded), owners(&written));
    assert_eq!(loaded.memory().len(), 2);
    for ((owner, loaded), (_, written)) in loaded.memory().iter().zip(written.memory()) {
        assert!(2 * loaded >= written && *loaded <= 2 * written, "{owner}: {loaded}, {written}");
    }
    for row in &rows {
        let id = row.get(0).as_i64().expect("an id is a number");
        assert_eq!(
            (found(&loaded, id), found(&written, id)),
            (Some(row.clone()), Some(row.clone()))
        );
    }
}

#[test]
fn a_load_that_fails_leaves_the_table_as_it_was() {
    let duplicate = |id| {
        format!(
            r#"table "tag": a row with id = {id} is already there; update it, or delete it first"#
        )
    };
    let mut source = tags();
    for filled in [false, true] {
        if filled {
            source.load(TAG, [tag(9, "z")]).expect("the row is right");
        }
        let earlier = source.memory();
        let twice = source.load(TAG, [tag(1, "a"), tag(2, "b"), tag(1, "c")]);
        assert_eq!(twice.expect_err("1 is there twice").to_string(), duplicate(1));
        let name = source.load(TAG, [tag(1, "a"), tag(2, "a")]);
        assert_eq!(
            name.expect_err("a is there twice").to_string(),
            r#"table "tag": the rows with id = 1 and id = 2 have the same name = "a", which is a unique key"#
        );
        let bad = source.load(TAG, [tag(1, "a"), Row::new(&[1.into()])]);
        bad.expect_err("the second row is too short");
        if filled {
            let known = source.load(TAG, [tag(1, "a"), tag(9, "b")]);
            assert_eq!(known.expect_err("9 is there").to_string(), duplicate(9));
            let taken = source.load(TAG, [tag(1, "a"), tag(2, "z")]);
            assert_eq!(
                taken.expect_err("z is taken").to_string(),
                r#"table "tag": the rows with id = 2 and id = 9 have the same name = "z", which is a unique key"#
            );
        }
        assert_eq!(source.memory(), earlier);
        assert_eq!(found(&source, 1), None);
        assert_eq!(source.row_count(TAG), usize::from(filled));
    }
    assert!(source.load(TableId(3), []).is_err());
}
