//! The SQLite source in memory: hydrations beside the SELECT for the same rows, and edits beside
//! SQLite's own.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use penstock::Error;
use penstock::operators::source::Change;
use penstock_benches::data::{Data, EDITS_FROM, IssueEdit, Sizes};
use penstock_benches::setting::{Opened, Setting, SourceKind};
use penstock_benches::sqlite::Statement;
use penstock_benches::tables::edit_changes;
use penstock_benches::workloads::subjects::{self, Subject};

const ISSUES: u32 = 10_000;

fn setting() -> Setting {
    let sizes =
        Sizes { users: 1_000, issues: ISSUES, comments: 30_000, labels: 50, issue_labels: 20_000 };
    Setting { data: Data::generate(sizes), source: SourceKind::SqliteMemory }
}

fn hydrate(c: &mut Criterion, name: &str, opened: &Opened, subject: &Subject) {
    c.bench_function(&format!("sqlite/hydrate {name}"), |b| {
        b.iter(|| opened.db.subscribe(subject.query.clone()).map(|live| black_box(live.rows())));
    });
    c.bench_function(&format!("sqlite/select {name}"), |b| {
        b.iter(|| opened.plain.as_ref().map(|plain| black_box(plain.select(subject.select, &[]))));
    });
}

/// Edits under a live list, as whole rows, as SQL, and by SQLite alone.
fn edit(c: &mut Criterion, setting: &Setting) -> Result<(), Error> {
    let subject = subjects::list();
    let opened = setting.open(subject.indexes)?;
    let mut live = opened.db.subscribe(subject.query.clone())?;
    let schema = opened.db.schema();
    let mut k = 0;
    let mut next = || -> Vec<Change> {
        k += 1;
        let issue = (k as u32).wrapping_mul(7_919) % ISSUES;
        let edit = IssueEdit { issue, modified: EDITS_FROM + k, open: true };
        edit_changes(&schema, &setting.data, &[edit]).unwrap_or_default()
    };
    let statements = |changes: Vec<Change>| -> Vec<Statement> {
        changes.iter().filter_map(|change| Statement::of(change).ok()).collect()
    };
    c.bench_function("sqlite/edit, live list", |b| {
        b.iter_batched(
            &mut next,
            |changes| {
                if let Err(error) = opened.db.apply(changes) {
                    panic!("an edit of a row that is there: {error}");
                }
                live.changes().for_each(|patch| drop(black_box(patch)));
            },
            BatchSize::SmallInput,
        );
    });
    c.bench_function("sqlite/edit in SQL, live list", |b| {
        b.iter_batched(
            || statements(next()),
            |edits| {
                let written = opened.db.transaction(|tx| {
                    edits.iter().try_for_each(|edit| {
                        tx.execute(edit.sql, edit.values.iter().cloned()).map(drop)
                    })
                });
                if let Err(error) = written {
                    panic!("an edit of a row that is there: {error}");
                }
                live.changes().for_each(|patch| drop(black_box(patch)));
            },
            BatchSize::SmallInput,
        );
    });
    c.bench_function("sqlite/edit by SQLite alone", |b| {
        b.iter_batched(
            || statements(next()),
            |edits| opened.plain.as_ref().map(|plain| plain.write(&edits, false)),
            BatchSize::SmallInput,
        );
    });
    opened.db.verify()
}

fn bench(c: &mut Criterion) -> Result<(), Error> {
    let setting = setting();
    for (name, subject) in [("100 rows", subjects::list()), ("tree", subjects::tree())] {
        hydrate(c, name, &setting.open(subject.indexes)?, &subject);
    }
    edit(c, &setting)
}

fn sqlite(c: &mut Criterion) {
    if let Err(error) = bench(c) {
        panic!("{error}");
    }
}

criterion_group! {
    name = benches;
    config = penstock_benches::quick!(Criterion);
    targets = sqlite
}
criterion_main!(benches);
