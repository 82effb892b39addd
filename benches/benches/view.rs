//! Views: what a consumer does with trees and patches.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use penstock::Error;
use penstock_benches::data::{Data, EDITS_FROM, IssueEdit, Sizes};
use penstock_benches::tables::{database, edit_changes};
use penstock_benches::workloads::queries;

fn bench(c: &mut Criterion) -> Result<(), Error> {
    let data = Data::generate(Sizes::scaled(1));
    let db = database(&data)?;
    let mut subscription = db.subscribe(queries::tree())?;
    let before = subscription.rows();
    let edit = IssueEdit { issue: 3, modified: EDITS_FROM, open: true };
    db.apply(edit_changes(&db.schema(), &data, &[edit])?)?;
    let patches: Vec<_> = subscription.changes().collect();
    let mut patched = before.clone();
    patches.iter().for_each(|patch| patched.apply(patch));
    assert!(patched == subscription.rows(), "the patches lead to the result");
    c.bench_function("view/apply a patch to a tree", |b| {
        b.iter(|| {
            let mut tree = before.clone();
            patches.iter().for_each(|patch| tree.apply(patch));
            tree
        });
    });
    c.bench_function("view/tree to JSON", |b| b.iter(|| black_box(before.to_json())));
    Ok(())
}

fn view(c: &mut Criterion) {
    if let Err(error) = bench(c) {
        panic!("{error}");
    }
}

criterion_group! {
    name = benches;
    config = penstock_benches::quick!(Criterion);
    targets = view
}
criterion_main!(benches);
