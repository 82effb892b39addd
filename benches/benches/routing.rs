//! Routing: one edit where many live queries of one shape differ in a constant.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use penstock::{Error, Subscription};
use penstock_benches::data::{Data, EDITS_FROM, IssueEdit, Sizes};
use penstock_benches::tables::{database, edit_changes};
use penstock_benches::workloads::queries;

const ROUTES_MAX: usize = 10_000;

/// Edits in turn the given issues under one live list for each of `owners`. An edit must be seen by
/// the list of its issue's owner, or by none if the owner has no list.
fn under(
    c: &mut Criterion,
    name: &str,
    data: &Data,
    owners: &[u32],
    issues: &[u32],
) -> Result<(), Error> {
    let db = database(data)?;
    let subscriptions = owners.iter().map(|owner| db.subscribe(queries::of_owner(*owner)));
    let mut subscriptions = subscriptions.collect::<Result<Vec<Subscription>, Error>>()?;
    let schema = db.schema();
    let mut k = 0;
    let mut next = || {
        k += 1;
        let issue = issues[k % issues.len()];
        let edit = IssueEdit { issue, modified: EDITS_FROM + k as i64, open: true };
        let list = owners.binary_search(&data.issues[issue as usize].owner).ok();
        (list, edit_changes(&schema, data, &[edit]).unwrap_or_default())
    };
    c.bench_function(name, |b| {
        b.iter_batched(
            &mut next,
            |(list, changes)| {
                if let Err(error) = db.apply(changes) {
                    panic!("an edit of a row that is there: {error}");
                }
                if let Some(list) = list {
                    assert_eq!(subscriptions[list].changes().map(black_box).count(), 1);
                }
            },
            BatchSize::SmallInput,
        );
    });
    let unread: usize = subscriptions.iter_mut().map(|list| list.changes().count()).sum();
    assert_eq!(unread, 0, "edits were seen by other lists");
    db.verify()
}

fn bench(c: &mut Criterion) -> Result<(), Error> {
    let sizes = Sizes { users: 20_000, comments: 0, issue_labels: 0, ..Sizes::scaled(1) };
    let data = Data::generate(sizes);
    let mut owners: Vec<u32> = data.issues.iter().map(|issue| issue.owner).collect();
    owners.sort_unstable();
    owners.dedup();
    let of = |is_meant: &dyn Fn(u32) -> bool| -> Vec<u32> {
        (0..sizes.issues).filter(|issue| is_meant(data.issues[*issue as usize].owner)).collect()
    };
    let unseen = of(&|owner| owner > owners[ROUTES_MAX]);
    for routes in [1, 100, ROUTES_MAX] {
        let seen = of(&|owner| owner < owners[routes]);
        let owners = &owners[..routes];
        under(c, &format!("routing/{routes} routes, seen by none"), &data, owners, &unseen)?;
        under(c, &format!("routing/{routes} routes, seen by one"), &data, owners, &seen)?;
    }
    Ok(())
}

fn routing(c: &mut Criterion) {
    if let Err(error) = bench(c) {
        panic!("{error}");
    }
}

criterion_group! {
    name = benches;
    config = penstock_benches::quick!(Criterion);
    targets = routing
}
criterion_main!(benches);
