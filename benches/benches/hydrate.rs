//! Hydrations: from a query to its tree, over indexes that are there already.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use penstock::Error;
use penstock_benches::data::{Data, Sizes};
use penstock_benches::tables::database_with_lasting_indexes;
use penstock_benches::workloads::subjects::{self, Subject};

fn bench(c: &mut Criterion) -> Result<(), Error> {
    let data = Data::generate(Sizes::scaled(1));
    let db = database_with_lasting_indexes(&data)?;
    // The checks are those of the reference engine.
    let hydrations: [(&str, Subject, &str); 3] = [
        ("hydrate/100 rows", subjects::list(), "100:7645f731"),
        ("hydrate/tree", subjects::tree(), "703:5d75a93b"),
        ("hydrate/over EXISTS", subjects::with_label(), "100:dddb886e"),
    ];
    for (name, subject, check) in hydrations {
        let first = db.subscribe(subject.query.clone())?;
        assert_eq!(subject.check(&first.rows()).to_string(), check, "{name}");
        drop(first);
        let hydrate = || db.subscribe(subject.query.clone()).map(|list| list.rows());
        c.bench_function(name, |b| b.iter(hydrate));
        assert_eq!(subject.check(&hydrate()?).to_string(), check, "{name} again");
    }

    let tree = subjects::tree();
    let live = db.subscribe(tree.query.clone())?;
    c.bench_function("hydrate/subscribe to a live tree", |b| {
        b.iter(|| black_box(db.subscribe(tree.query.clone()).is_ok()));
    });
    let another = db.subscribe(tree.query.clone())?;
    assert!(another.rows() == live.rows(), "two subscribers of one query see the same");
    Ok(())
}

fn hydrate(c: &mut Criterion) {
    if let Err(error) = bench(c) {
        panic!("{error}");
    }
}

criterion_group! {
    name = benches;
    config = penstock_benches::quick!(Criterion);
    targets = hydrate
}
criterion_main!(benches);
