//! Injected faults.

use std::ops::ControlFlow;

use penstock_operators::key::Direction::Asc;
use penstock_operators::row::Row;
use penstock_operators::source::{At, Source};

use super::super::{FaultySource, MemorySource};
use super::model::{THING, encoded, schema, shape};

#[test]
fn exactly_the_chosen_read_fails() {
    let mut source = FaultySource::new(MemorySource::new(schema()));
    let row = Row::new(&[1.into(), "q".into(), 1.into(), "b".into(), true.into()]);
    source.inner_mut().load(THING, [row.clone()]).expect("the row is right");
    let id = source.prepare(&shape(&[], &[(1, Asc), (0, Asc)])).expect("the shape is right");
    let get =
        |source: &FaultySource<_>| source.get(At::After, THING, &encoded(&["q".into(), 1.into()]));
    let scan = |source: &FaultySource<MemorySource>| {
        let mut rows = Vec::new();
        source.scan(At::After, id, &[], None, false, &mut |row| {
            rows.push(row.clone());
            ControlFlow::Continue(())
        })?;
        Ok::<_, penstock_operators::source::SourceError>(rows)
    };

    assert_eq!(get(&source), Ok(Some(row.clone())));
    source.arm(2);
    assert_eq!(scan(&source), Ok(vec![row.clone()]));
    assert!(source.is_armed());
    assert_eq!(
        get(&source).expect_err("the second read").to_string(),
        r#"table "thing": a fault was injected"#
    );
    assert!(!source.is_armed());
    assert_eq!(get(&source), Ok(Some(row.clone())));
    source.arm(1);
    assert_eq!(
        scan(&source).expect_err("the first read").to_string(),
        "scan 0: a fault was injected"
    );
    assert_eq!(scan(&source), Ok(vec![row]));
    assert_eq!(source.reads(), 6);
    assert_eq!(source.inner().row_count(THING), 1);
}
