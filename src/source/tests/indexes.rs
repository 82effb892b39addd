//! Which indexes are built, shared and dropped.

use penstock_operators::key::Direction::{Asc, Desc};
use penstock_operators::row::Row;
use penstock_operators::source::{ScanId, ScanShape, Source};
use penstock_operators::value::Value;

use super::super::MemorySource;
use super::model::{THING, schema, shape};

fn things(count: i64) -> MemorySource {
    let mut source = MemorySource::new(schema());
    let rows = (0..count).map(|p| {
        let name = format!("a name of more than twenty-two bytes: {p}");
        Row::new(&[p.into(), "q".into(), (p % 3).into(), Value::from(name), (p % 2 == 0).into()])
    });
    source.load(THING, rows).expect("the rows are right");
    source
}

fn owners(source: &MemorySource) -> Vec<String> {
    source.memory().into_iter().map(|(owner, _)| owner).collect()
}

fn prepare(source: &mut MemorySource, shape: &ScanShape) -> ScanId {
    source.prepare(shape).expect("the shape is right")
}

#[test]
fn reads_that_the_primary_key_serves_build_nothing() {
    let mut source = things(3);
    for shape in [
        shape(&[], &[(1, Asc), (0, Asc)]),
        shape(&[], &[(1, Desc), (0, Desc)]),
        shape(&[1], &[(1, Asc), (0, Asc)]),
        shape(&[1], &[(1, Desc), (0, Asc)]),
        shape(&[1], &[(0, Desc), (1, Asc)]),
        shape(&[0, 1], &[(2, Desc), (1, Asc), (0, Asc)]),
        shape(&[4, 1, 3, 0], &[(2, Desc), (1, Asc), (0, Asc)]),
    ] {
        prepare(&mut source, &shape);
        assert_eq!(owners(&source), ["thing"], "{shape:?}");
    }
}

#[test]
fn one_index_serves_opposite_orders_and_any_order_of_equal_columns() {
    let mut source = things(3);
    for (shape, expected) in [
        (shape(&[], &[(2, Asc), (1, Desc), (0, Asc)]), "thing(a, q, p)"),
        (shape(&[], &[(2, Desc), (1, Asc), (0, Desc)]), "thing(a, q, p)"),
        (shape(&[2], &[(2, Asc), (1, Desc), (0, Asc)]), "thing(a, q, p)"),
        (shape(&[2, 1], &[(2, Desc), (1, Asc), (0, Desc)]), "thing(a, q, p)"),
        (shape(&[1, 2], &[(2, Desc), (1, Asc), (0, Desc)]), "thing(a, q, p)"),
    ] {
        prepare(&mut source, &shape);
        assert_eq!(owners(&source), ["thing", expected], "{shape:?}");
    }
    for shape in [
        shape(&[4, 2], &[(1, Desc), (0, Desc)]),
        shape(&[2, 4], &[(1, Asc), (0, Asc)]),
        shape(&[2, 4], &[(1, Asc), (4, Desc), (0, Asc)]),
    ] {
        prepare(&mut source, &shape);
        assert_eq!(owners(&source), ["thing", "thing(a, q, p)", "thing(a, c, q, p)"], "{shape:?}");
    }
}

#[test]
fn an_index_is_dropped_with_its_last_user() {
    let mut source = things(100);
    let earlier = source.memory();
    let forth = shape(&[], &[(3, Asc), (1, Asc), (0, Asc)]);
    let back = shape(&[], &[(3, Desc), (1, Desc), (0, Desc)]);
    let first = prepare(&mut source, &forth);
    assert_eq!(prepare(&mut source, &forth), first, "a further user of the same shape");
    let other = prepare(&mut source, &back);
    assert_ne!(other, first);
    let (owner, bytes) = source.memory()[1].clone();
    assert_eq!(owner, "thing(b, q, p)");
    // At least the long text and the place of each row.
    assert!(bytes > 100 * (38 + 4), "{bytes}");
    assert!(bytes < 100 * 200, "{bytes}");

    source.release(first);
    source.release(first);
    assert_eq!(owners(&source), ["thing", "thing(b, q, p)"]);
    source.release(other);
    assert_eq!(source.memory(), earlier);
    source.release(other);
    assert_eq!(source.memory(), earlier, "an id that is not prepared is left alone");
    assert_eq!(prepare(&mut source, &back), first, "the lowest id is used again");
}

#[test]
fn reads_that_make_no_sense_are_refused() {
    let mut source = things(3);
    for (shape, expected) in [
        (
            shape(&[2], &[(3, Asc), (0, Asc)]),
            r#"table "thing": the order of a read lacks the primary-key column "q", so it is not total"#,
        ),
        (
            shape(&[2, 2], &[(1, Asc), (0, Asc)]),
            r#"table "thing": the columns held equal of a read names column "a" twice"#,
        ),
        (
            shape(&[], &[(1, Asc), (0, Asc), (1, Desc)]),
            r#"table "thing": the order of a read names column "q" twice"#,
        ),
        (
            shape(&[7], &[(1, Asc), (0, Asc)]),
            r#"table "thing": the columns held equal of a read names column 7, but there are 5"#,
        ),
    ] {
        assert_eq!(source.prepare(&shape).expect_err("wrong").to_string(), expected);
    }
    let id = prepare(&mut source, &shape(&[2, 0], &[(1, Asc), (0, Asc)]));
    let mut visit = |_: &Row| std::ops::ControlFlow::Continue(());
    let at = penstock_operators::source::At::After;
    assert_eq!(
        source.scan(at, id, &[250, 1], None, false, &mut visit).expect_err("wrong").to_string(),
        r#"table "thing": the key of a read is not an encoding of the values it needs"#
    );
    source.release(id);
    assert_eq!(
        source.scan(at, id, &[], None, false, &mut visit).expect_err("released").to_string(),
        "scan 0: it is not prepared"
    );
}
