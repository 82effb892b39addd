//! The memory source: reads and writes below any query; and the ordered map under it, beside the
//! standard library's.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::{Bound, ControlFlow};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use penstock::operators::key::{Direction, Key, KeySpec};
use penstock::operators::packed::PackedTree;
use penstock::operators::row::Row;
use penstock::operators::source::{At, Change, ScanShape, Source};
use penstock::{Error, MemorySource, Schema};
use penstock_benches::data::{Data, EDITS_FROM, IssueEdit, Sizes};
use penstock_benches::tables::{edit_changes, load, table};

/// Columns of `issue`.
const OPEN: usize = 2;
const MODIFIED: usize = 3;

fn data() -> Data {
    Data::generate(Sizes { comments: 1, issue_labels: 1, ..Sizes::scaled(1) })
}

/// The k-th edit of an endless stream that goes over the issues in no order.
fn edit(schema: &Schema, data: &Data, k: i64) -> Vec<Change> {
    let edit =
        IssueEdit { issue: (k * 7_919 % 100_000) as u32, modified: EDITS_FROM + k, open: true };
    edit_changes(schema, data, &[edit]).unwrap_or_default()
}

/// Applies and commits edits, one per transaction.
fn edits(c: &mut Criterion, name: &str, source: &mut MemorySource, data: &Data, k: &mut i64) {
    let schema = source.schema().clone();
    c.bench_function(name, |b| {
        b.iter_batched(
            || {
                *k += 1;
                edit(&schema, data, *k)
            },
            |changes| {
                if let Err(error) = source.apply(changes) {
                    panic!("an edit of a row that is there: {error}");
                }
                source.commit()
            },
            BatchSize::SmallInput,
        );
    });
}

fn bench(c: &mut Criterion) -> Result<(), Error> {
    let data = data();
    let mut source = load(&data)?;
    let issue = table(source.schema(), "issue")?;
    let mut k = 0;
    edits(c, "source/edit, primary index only", &mut source, &data, &mut k);
    let shape = ScanShape {
        table: issue,
        equal: vec![OPEN],
        order: vec![(MODIFIED, Direction::Desc), (0, Direction::Asc)],
    };
    let scan = source.prepare(&shape)?;
    edits(c, "source/edit, one more index", &mut source, &data, &mut k);
    let keys: Vec<Key> = (0..1_000)
        .flat_map(|k| edit(source.schema(), &data, k))
        .filter_map(|change| match change {
            Change::Update { key, .. } => Some(key),
            _ => None,
        })
        .collect();
    for key in &keys {
        assert!(source.get(At::After, issue, key)?.is_some(), "the row of an edit is there");
    }
    let mut at = 0;
    c.bench_function("source/get by primary key", |b| {
        b.iter(|| {
            at = (at + 1) % keys.len();
            black_box(source.get(At::After, issue, &keys[at]))
        });
    });
    let open = penstock_benches::tables::encoded(true);
    let mut found = Vec::new();
    source.scan(At::After, scan, &open, None, false, &mut |row| {
        found.push((Reverse(row.get(MODIFIED).as_i64()), row.get(OPEN).as_bool()));
        if found.len() == 100 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    assert!(found.len() == 100 && found.is_sorted(), "the last modified come first");
    assert!(found.iter().all(|(_, open)| *open == Some(true)), "only open ones come");
    c.bench_function("source/scan 100 of an index", |b| {
        b.iter(|| {
            let mut left = 100;
            source.scan(At::After, scan, &open, None, false, &mut |row| {
                black_box(row);
                left -= 1;
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        });
    });
    let again = ScanShape { equal: Vec::new(), ..shape };
    c.bench_function("source/build an index of 100 000 rows", |b| {
        b.iter(|| {
            let scan = source.prepare(&again);
            scan.map(|scan| source.release(scan))
        });
    });
    Ok(())
}

/// The key of an issue in an index: open, modified, id.
fn index_key(modified: i64, id: usize) -> Key {
    let values = [id.is_multiple_of(2).into(), modified.into(), (id as i64).into()];
    KeySpec::asc(&[0, 1, 2]).key(&Row::new(&values))
}

/// A stream of numbers without order.
fn numbers() -> impl FnMut(usize) -> usize {
    let mut state = 1_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (state >> 33) as usize % below
    }
}

/// Look-ups, moves and scans of both maps with the same keys; in the end they must be equal.
fn maps(c: &mut Criterion, entries: usize) {
    let mut next = numbers();
    let mut keys: Vec<Key> =
        (0..entries).map(|id| index_key(next(1_000_000_000) as i64, id)).collect();
    let mut sorted: Vec<(Key, usize)> = keys.iter().cloned().zip(0..).collect();
    sorted.sort_unstable();
    let mut packed: PackedTree<usize> = PackedTree::from_sorted(sorted.iter().cloned());
    let mut standard: BTreeMap<Key, usize> = sorted.into_iter().collect();

    c.bench_function(&format!("map of {entries}/get, packed"), |b| {
        b.iter(|| black_box(packed.get(&keys[next(entries)])));
    });
    c.bench_function(&format!("map of {entries}/get, standard"), |b| {
        b.iter(|| black_box(standard.get(&keys[next(entries)])));
    });
    let first = |key: &Key| (Bound::Included(key.to_vec()), Bound::Unbounded);
    c.bench_function(&format!("map of {entries}/scan 100, packed"), |b| {
        b.iter(|| {
            let (low, high) = first(&keys[next(entries)]);
            let range = packed.range((low.as_ref().map(Vec::as_slice), high));
            black_box(range.take(100).map(|(key, id)| key.len() ^ id).sum::<usize>())
        });
    });
    c.bench_function(&format!("map of {entries}/scan 100, standard"), |b| {
        b.iter(|| {
            let (low, high) = first(&keys[next(entries)]);
            let range = standard.range::<[u8], _>((low.as_ref().map(Vec::as_slice), high));
            black_box(range.take(100).map(|(key, id)| key.len() ^ id).sum::<usize>())
        });
    });
    // What the one map did, the other does too, so that both can be compared in the end.
    let mut moves = Vec::new();
    c.bench_function(&format!("map of {entries}/move, packed"), |b| {
        b.iter(|| {
            let id = next(entries);
            let to = index_key(next(1_000_000_000) as i64, id);
            let from = std::mem::replace(&mut keys[id], to.clone());
            packed.rekey(&from, &to, id);
            moves.push((from, to, id));
        });
    });
    for (from, to, id) in moves.drain(..) {
        standard.remove(&from);
        standard.insert(to, id);
    }
    c.bench_function(&format!("map of {entries}/move, standard"), |b| {
        b.iter(|| {
            let id = next(entries);
            let to = index_key(next(1_000_000_000) as i64, id);
            let from = std::mem::replace(&mut keys[id], to.clone());
            standard.remove(&from);
            standard.insert(to.clone(), id);
            moves.push((from, to, id));
        });
    });
    for (from, to, id) in moves {
        packed.rekey(&from, &to, id);
    }
    assert!(packed.iter().eq(standard.iter().map(|(key, id)| (&key[..], id))), "the maps differ");
}

fn index(c: &mut Criterion) {
    for entries in [100, 100_000, 1_000_000] {
        maps(c, entries);
    }
    if let Err(error) = bench(c) {
        panic!("{error}");
    }
}

criterion_group! {
    name = benches;
    config = penstock_benches::quick!(Criterion);
    targets = index
}
criterion_main!(benches);
