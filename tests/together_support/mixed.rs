//! Queries that are subscribed to together, beside results that are filled in steps, row sets and
//! budgets.

use penstock::operators::graph::Graph;
use penstock::operators::plan::Plan;
use penstock::operators::workers::{Caller, Workers};
use penstock::{
    Budget, Database, Desc, Error, MemorySource, Params, Query, Row, Subscription, col,
};

use crate::support::case::Case;
use crate::{
    OWNERS, Run, THREADS, check, database, explained, load, nothing_is_left, patches, queries,
    schema, some_queries,
};

fn text(error: Error) -> String {
    error.to_string()
}

/// What others see of a result: its rows and its row set.
fn seen(live: &mut [Subscription]) -> Result<Vec<String>, String> {
    let seen = |live: &mut Subscription| {
        let rows = live.row_set()?;
        Ok(format!("{:?}\n{rows:?}", live.rows()))
    };
    live.iter_mut().map(seen).collect::<Result<_, _>>().map_err(text)
}

fn grow(growing: &mut [Subscription], rows: usize) -> Result<bool, String> {
    let grown: Result<Vec<bool>, Error> = growing.iter_mut().map(|one| one.grow(rows)).collect();
    Ok(grown.map_err(text)?.into_iter().all(|is_complete| is_complete))
}

/// Takes a case with every query live twice, once filled in steps, begun before and ended after;
/// returns what came of it, and what has been counted.
fn beside_steps(run: &Run, threads: Option<usize>) -> Result<(Vec<String>, Vec<String>), String> {
    let db = run.filled(MemorySource::new(run.schema.clone()), threads.unwrap_or(1))?;
    let in_steps = |query: &Query| db.subscribe_in_steps(query.clone(), &Params::new());
    let growing = run.queries.iter().map(in_steps).collect::<Result<Vec<_>, _>>();
    let mut growing = growing.map_err(text)?;
    grow(&mut growing, 2)?;
    let mut log = seen(&mut growing)?;
    let with_params = run.queries.iter().map(|query| (query.clone(), Params::new()));
    let live = match threads {
        Some(_) => db.subscribe_all(with_params),
        None => with_params.map(|(query, _)| db.subscribe(query)).collect(),
    };
    let mut live = live.map_err(text)?;
    let mut counts = explained(&live);
    db.verify().map_err(text)?;
    log.extend(seen(&mut live)?);
    grow(&mut growing, 1)?;
    live.append(&mut growing);
    log.extend(run.transact(&db, &mut live)?);
    while !grow(&mut live, 3)? {
        db.verify().map_err(text)?;
    }
    log.extend(patches(&mut live));
    log.extend(seen(&mut live)?);
    counts.extend(explained(&live));
    let (whole, grown) = live.split_at(run.queries.len());
    if whole.iter().map(Subscription::rows).ne(grown.iter().map(Subscription::rows)) {
        return Err("what was filled in steps is not what was filled at once".to_owned());
    }
    drop(live);
    nothing_is_left(&db)?;
    Ok((log, counts))
}

fn same_beside_steps(case: &Case) -> Result<(), String> {
    let run = Run::new(case)?;
    let (expected, _) = beside_steps(&run, None)?;
    let mut first = None;
    for threads in THREADS {
        let (log, counts) = beside_steps(&run, Some(threads))?;
        if log != expected {
            return Err(format!("{threads} threads: {log:?} is not {expected:?}"));
        }
        let expected = first.get_or_insert_with(|| counts.clone());
        if *expected != counts {
            return Err(format!("{threads} threads: {counts:?} is not {expected:?}"));
        }
    }
    Ok(())
}

#[test]
fn threads_change_nothing_beside_results_filled_in_steps() {
    check("tests/proptest-regressions/together_steps.txt", 25, same_beside_steps);
}

fn reads(reads: usize) -> Budget {
    Budget { reads, ..Budget::default() }
}

/// A budget is for what one subscription reads: what was filled together is there for it, and what
/// it gives up is not there for those.
#[test]
fn a_budget_before_and_after() -> Result<(), Box<dyn std::error::Error>> {
    let (query, params) = some_queries(false).swap_remove(0);
    let needed = |db: &Database| {
        let within = |most: &usize| match db.subscribe_within(query.clone(), &params, reads(*most))
        {
            Err(Error::TooCostly { .. }) => false,
            outcome => outcome.map(drop).map_or_else(|error| panic!("{error}"), |()| true),
        };
        (0..10_000).find(within)
    };
    let fresh = |threads: usize| -> Result<Database, Error> {
        let db = database(MemorySource::new(schema()?), threads)?;
        load(&db)?;
        Ok(db)
    };
    let alone = fresh(1)?;
    let cost = needed(&alone).filter(|cost| *cost > 15).ok_or("a page and what is below")?;
    let expected: Result<Vec<_>, Error> =
        queries().iter().map(|(query, params)| alone.query_with(query, params)).collect();
    let expected = expected?;
    for threads in THREADS {
        let db = fresh(threads)?;
        let given_up = db.subscribe_within(query.clone(), &params, reads(cost - 1));
        assert!(matches!(given_up, Err(Error::TooCostly { .. })), "{given_up:?}");
        nothing_is_left(&db)?;
        let live = db.subscribe_all(queries())?;
        assert!(live.iter().map(Subscription::rows).eq(expected.iter().cloned()));
        assert_eq!(needed(&db), Some(0), "all of it is live");
        drop(live);
        nothing_is_left(&db)?;
        assert_eq!(needed(&db), Some(cost), "{threads} threads");
    }
    Ok(())
}

/// Threads that there are not: what is given to them is done by the caller, last first.
struct Backwards;

impl Workers for Backwards {
    fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        (0..tasks).rev().for_each(task);
    }

    fn at_once(&self) -> usize {
        2
    }
}

/// The graph itself takes plans that are filled in steps among others.
#[test]
fn plans_in_steps_among_others() -> Result<(), Box<dyn std::error::Error>> {
    let schema = schema()?;
    let issues = schema.table_id("issue").ok_or("a table")?;
    let mut source = MemorySource::new(schema.clone());
    let issue = |id: i64| Row::new(&[id.into(), (id % OWNERS).into(), (id * 37 % 101).into()]);
    source.load(issues, (0..100).map(issue))?;
    let list = Query::table("issue").filter(col("owner").lt(OWNERS / 2)).order_by("modified", Desc);
    let whole = list.compile(&schema, &Params::new())?.plan;
    let in_steps: Vec<Plan> = (0..7).map(|number| whole.clone().in_steps(number)).collect();
    let mut plans: Vec<&Plan> = in_steps.iter().collect();
    plans.insert(3, &whole);
    for workers in [&Caller as &dyn Workers, &Backwards] {
        let mut graph = Graph::default();
        let roots = graph.subscribe_all(&mut source, &plans, workers)?;
        let sizes =
            roots.iter().map(|root| (graph.is_complete(*root), graph.snapshot(*root).len()));
        let expected = (0..8).map(|number| if number == 3 { (true, 50) } else { (false, 0) });
        assert!(sizes.eq(expected));
        for root in roots {
            while !graph.grow(&mut source, root, 9)? {
                graph.commit(&schema);
            }
            graph.commit(&schema);
            assert_eq!(graph.snapshot(root).len(), 50);
            graph.unsubscribe(&mut source, root);
        }
        assert_eq!(graph.size(), (0, 0));
    }
    Ok(())
}
