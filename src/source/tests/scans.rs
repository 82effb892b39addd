//! Scans and transactions against the model, for any source, shape, cursor, direction and state.

use std::ops::ControlFlow;

use penstock_operators::key::{Direction, Key};
use penstock_operators::row::Row;
use penstock_operators::source::{At, Change, Cursor, ScanId, ScanShape, Source};
use penstock_operators::value::Value;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::super::MemorySource;
use super::model::{KEY, Model, Start, THING, WIDTH, encoded, key_of, row_key, schema, shape};

fn any_row() -> impl Strategy<Value = Vec<Value>> {
    let number = prop_oneof![
        Just(Value::Null),
        (0_i64..3).prop_map(Value::from),
        (0_i32..5).prop_map(|half| Value::from(f64::from(half) / 2.0)),
    ];
    let text = prop_oneof![
        Just(Value::Null),
        prop::sample::select(vec!["", "\0", "\u{1}x", "x", "xy", "y", "😀"]).prop_map(Value::from),
    ];
    (0_i64..4, prop::sample::select(vec!["", "k", "k\0", "l"]), number, text, any::<bool>())
        .prop_map(|(p, q, a, b, c)| vec![p.into(), q.into(), a, b, c.into()])
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<Value>),
    Update(Vec<Value>, Vec<Value>),
    Delete(Vec<Value>),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any_row().prop_map(Step::Insert),
        (any_row(), any_row()).prop_map(|(old, new)| Step::Update(key_of(&old), new)),
        // An update that keeps the key, which two unrelated rows seldom give.
        (any_row(), any_row()).prop_map(|(old, mut new)| {
            KEY.iter().for_each(|column| new[*column] = old[*column].clone());
            Step::Update(key_of(&old), new)
        }),
        any_row().prop_map(|row| Step::Delete(key_of(&row))),
    ]
}

/// Any columns held equal, in any order, and any total order.
fn any_shape() -> impl Strategy<Value = ScanShape> {
    let columns: Vec<usize> = (0..WIDTH).collect();
    let equal = subsequence(columns.clone(), 0..WIDTH).prop_shuffle();
    let order = (Just(columns).prop_shuffle(), vec(any::<bool>(), WIDTH), 0..WIDTH);
    (equal, order).prop_map(|(equal, (columns, descending, further))| {
        let complete = 1 + KEY
            .iter()
            .filter_map(|key| columns.iter().position(|column| column == key))
            .max()
            .expect("every column is in the order");
        let order = columns.into_iter().zip(descending).take((complete + further).min(WIDTH));
        let order = order.map(|(column, descending)| {
            (column, if descending { Direction::Desc } else { Direction::Asc })
        });
        ScanShape { table: THING, equal, order: order.collect() }
    })
}

#[derive(Clone, Debug)]
struct Read {
    shape: ScanShape,
    equal: Vec<Value>,
    from: Option<Start>,
    reverse: bool,
}

fn any_read() -> impl Strategy<Value = Read> {
    let from = option::of((any_row(), any::<bool>(), prop::bool::weighted(0.7)));
    (any_shape(), any_row(), from, any::<bool>()).prop_map(|(shape, held, from, reverse)| {
        let equal = shape.equal.iter().map(|column| held[*column].clone()).collect();
        let from = from.map(|(mut values, inclusive, same_partition)| {
            if same_partition {
                shape.equal.iter().for_each(|column| values[*column] = held[*column].clone());
            }
            Start { values, inclusive }
        });
        Read { shape, equal, from, reverse }
    })
}

fn write(source: &mut dyn Source, model: &mut Model, step: &Step) {
    let key = |values: &[Value]| Key::from_slice(&encoded(values));
    let (right, change) = match step {
        Step::Insert(row) => {
            (model.insert(row), Change::Insert { table: THING, row: Row::new(row) })
        }
        Step::Update(old, row) => (
            model.update(old, row),
            Change::Update { table: THING, key: key(old), row: Row::new(row) },
        ),
        Step::Delete(old) => (model.delete(old), Change::Delete { table: THING, key: key(old) }),
    };
    assert_eq!(source.write(change).is_ok(), right, "{step:?}");
}

fn scan(source: &dyn Source, at: At, id: ScanId, read: &Read) -> Vec<Row> {
    let key = read.from.as_ref().map(|start| start.key(&read.shape));
    let from = read.from.as_ref().zip(key.as_ref());
    let from = from.map(|(start, key)| Cursor { key, inclusive: start.inclusive });
    let mut rows = Vec::new();
    source
        .scan(at, id, &encoded(&read.equal), from, read.reverse, &mut |row| {
            rows.push(row.clone());
            ControlFlow::Continue(())
        })
        .expect("memory does not fail");
    rows
}

fn check(source: &dyn Source, reads: &[(ScanId, Read)], before: &Model, after: &Model) {
    for (at, model) in [(At::Before, before), (At::After, after)] {
        for (id, read) in reads {
            let expected = model.scan(&read.shape, &read.equal, read.from.as_ref(), read.reverse);
            assert_eq!(scan(source, at, *id, read), expected, "{at:?} {read:?}");
        }
        for row in before.rows.iter().chain(&after.rows) {
            let key = key_of(row);
            let found = source.get(at, THING, &encoded(&key)).expect("memory does not fail");
            assert_eq!(found, model.get(&key), "{at:?} {key:?}");
        }
    }
}

/// The rows that a batch leaves, in the order of the primary key.
fn after_batch(source: &mut dyn Source, before: &Model) -> Vec<Row> {
    let batch = source.finish().expect("there is no unique key");
    let mut rows: Vec<Row> = before.rows.iter().map(|row| Row::new(row)).collect();
    for delta in batch.table(THING) {
        if let Some(old) = &delta.old {
            let position = rows.iter().position(|row| row == old).expect("the old row was there");
            rows.swap_remove(position);
        }
        rows.extend(delta.new.clone());
    }
    rows.sort_by_key(row_key);
    rows
}

/// Empty sources of every sort.
fn sources() -> Vec<Box<dyn Source>> {
    vec![
        Box::new(MemorySource::new(schema())),
        #[cfg(feature = "sqlite")]
        Box::new(super::sqlite_tables::sqlite_source(&schema()).expect("tables in memory")),
    ]
}

/// Puts the rows whose keys are distinct into a source and into the model.
fn load(source: &mut dyn Source, model: &mut Model, rows: &[Vec<Value>]) {
    let rows = rows.iter().filter(|row| model.insert(row)).map(|row| Row::new(row));
    let rows = rows.map(|row| Change::Insert { table: THING, row });
    source.apply(rows.collect()).expect("the keys are distinct");
    source.commit().expect("it is finished");
}

/// Transactions with their steps, and whether they are kept.
type Transactions = [(Vec<Step>, bool)];

fn run(
    source: &mut dyn Source,
    initial: &[Vec<Value>],
    reads: &[Read],
    late_reads: &[Read],
    transactions: &Transactions,
) {
    let mut model = Model::default();
    load(source, &mut model, initial);
    let by_key: Vec<_> = KEY.iter().map(|column| (*column, Direction::Asc)).collect();
    let everything = shape(&[], &by_key);
    let owners = source.memory().len();

    let mut prepared = Vec::new();
    for read in reads {
        prepared.push((source.prepare(&read.shape).expect("the shape is right"), read.clone()));
    }
    let mut late_reads = late_reads.iter();
    for (steps, keep) in transactions {
        let before = model.clone();
        source.begin().expect("none is in flight");
        for step in steps {
            write(source, &mut model, step);
            check(source, &prepared, &before, &model);
        }
        if let Some(read) = late_reads.next() {
            let id = source.prepare(&read.shape).expect("the shape is right");
            prepared.push((id, read.clone()));
        }
        check(source, &prepared, &before, &model);
        let expected = model.scan(&everything, &[], None, false);
        assert_eq!(after_batch(source, &before), expected);
        check(source, &prepared, &before, &model);
        if *keep {
            source.commit().expect("it is finished");
        } else {
            source.rollback();
            model = before;
        }
        check(source, &prepared, &model, &model);
    }
    for (id, _) in prepared {
        source.release(id);
    }
    assert_eq!(source.memory().len(), owners, "all indexes are dropped");
}

/// What a scan visits that ends after so many rows, in both states of a transaction.
fn limited(
    source: &mut dyn Source,
    initial: &[Vec<Value>],
    step: &Step,
    read: &Read,
    limit: usize,
) {
    let mut model = Model::default();
    load(source, &mut model, initial);
    let id = source.prepare(&read.shape).expect("the shape is right");
    let before = model.clone();
    source.begin().expect("none is in flight");
    write(source, &mut model, step);
    for (at, model) in [(At::Before, &before), (At::After, &model)] {
        let mut rows = Vec::new();
        let key = read.from.as_ref().map(|start| start.key(&read.shape));
        let from = read.from.as_ref().zip(key.as_ref());
        let from = from.map(|(start, key)| Cursor { key, inclusive: start.inclusive });
        source
            .scan(at, id, &encoded(&read.equal), from, read.reverse, &mut |row| {
                rows.push(row.clone());
                match rows.len() < limit {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            })
            .expect("tables in memory do not fail");
        let mut expected = model.scan(&read.shape, &read.equal, read.from.as_ref(), read.reverse);
        expected.truncate(limit);
        assert_eq!(rows, expected);
    }
}

proptest! {
    #[test]
    fn a_source_does_what_a_list_of_rows_would(
        initial in vec(any_row(), 0..20),
        reads in vec(any_read(), 1..6),
        late_reads in vec(any_read(), 0..3),
        transactions in vec((vec(any_step(), 0..12), any::<bool>()), 1..4),
    ) {
        for mut source in sources() {
            run(&mut *source, &initial, &reads, &late_reads, &transactions);
        }
    }

    #[test]
    fn a_scan_ends_where_the_visitor_says(
        initial in vec(any_row(), 0..20),
        step in any_step(),
        read in any_read(),
        limit in 1_usize..12,
    ) {
        for mut source in sources() {
            limited(&mut *source, &initial, &step, &read, limit);
        }
    }
}
