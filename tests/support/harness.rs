//! Runs a case on the engine and checks everything after every action.

use std::rc::Rc;
use std::sync::Arc;

use penstock::{
    Database, Error, MemorySource, Params, Patch, Query, Schema, Source, Subscription, Tree,
};

use super::ast::ast;
use super::case::Case;
use super::evaluate::{Naive, Node, describe, same_trees};
use super::faults::{Faults, Faulty};
use super::flat;
use super::model::{Model, TableModel, Write};
use super::query::{Named, Start, TestQuery};
use super::row_set::{Rows, rows_of, same_rows};
use super::script::{Action, Ending, Script};
use super::store::{Side, Store, Telling};
use super::values::identical_rows;

/// How a case is run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Let the source fail at every operation of every action in turn before it succeeds.
    pub(crate) faults: bool,
    /// Compare with an evaluator that has a mistake.
    pub(crate) broken_oracle: bool,
    /// Let every other transaction be another database's over the same rows, of which this one is
    /// told so much.
    pub(crate) others: Option<Telling>,
    /// What makes the database, with another over the same rows if there is to be one; without it
    /// they are in memory. Such databases check unique keys at once, so there are none.
    pub(crate) open: Option<Open>,
    /// Fill results in steps, one after every action.
    pub(crate) in_steps: bool,
}

/// Makes the database and perhaps another over the same rows.
pub(crate) type Open = fn(&Schema) -> Result<(Database, Option<Database>), String>;

/// At how many operations of one action the source fails at most.
const FAULTS_MAX: u64 = 80;

/// A subscription with copies of its result that are kept by its patches alone.
struct Live {
    subscription: Subscription,
    query: TestQuery,
    /// By [`Tree::apply`].
    tree: Tree,
    /// By the flat changes.
    nodes: Vec<Node>,
    /// By the changes of the row set.
    rows: Option<Rows>,
}

struct Harness {
    db: Database,
    /// Another database over the same rows.
    other: Option<Database>,
    transactions: usize,
    tables: Rc<Vec<TableModel>>,
    model: Model,
    live: Vec<Live>,
    faults: Option<Arc<Faults>>,
    options: Options,
    /// All patches as text.
    log: String,
}

/// Runs a case and returns all patches as text.
pub(crate) fn run(case: &Case, options: Options) -> Result<String, String> {
    let Script { start, actions } = Script::new(case, options.open.is_none());
    let schema = start.schema()?;
    let faults = options.faults.then(Arc::<Faults>::default);
    let (db, other) = match options.others {
        None if options.open.is_some() => {
            options.open.map_or_else(|| Err(String::new()), |open| open(&schema))?
        }
        None => (open(MemorySource::new(schema), faults.as_ref())?, None),
        Some(telling) => {
            let store = Store::new(schema);
            let other = open(Side::new(&store, Telling::Rows), None)?;
            (open(Side::new(&store, telling), faults.as_ref())?, Some(other))
        }
    };
    let empty = db.memory_usage().map_err(|error| error.to_string())?;
    start.load(&db)?;
    let tables = Rc::clone(&start.tables);
    let mut harness = Harness {
        db,
        other,
        transactions: 0,
        tables,
        model: start,
        live: Vec::new(),
        faults,
        options,
        log: String::new(),
    };
    for (number, action) in actions.iter().enumerate() {
        harness
            .act(action)
            .and_then(|()| harness.check_all(matches!(action, Action::Transaction { .. })))
            .and_then(|()| harness.grow(1 + number % 3).map(drop))
            .map_err(|error| format!("action {number}: {error}"))?;
    }
    while harness.grow(2)? {}
    harness.live.clear();
    let left = harness.db.memory_usage().map_err(|error| error.to_string())?;
    let owners = |usage: &penstock::MemoryUsage| -> Vec<String> {
        usage.source.iter().map(|(owner, _)| owner.clone()).collect()
    };
    let nothing = left.levels == 0 && left.partitions == 0 && left.queries <= empty.queries;
    if !nothing || owners(&left) != owners(&empty) {
        return Err(format!("after the last unsubscribe there is left: {left:?}, was {empty:?}"));
    }
    Ok(harness.log)
}

fn open(source: impl Source + 'static, faults: Option<&Arc<Faults>>) -> Result<Database, String> {
    let db = match faults.cloned() {
        None => Database::builder().with_source(source),
        Some(faults) => Database::builder().with_source(Faulty { inner: source, faults }),
    };
    db.map_err(|error| error.to_string())
}

impl Harness {
    fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Subscribe { query, keeps_rows } => self.subscribe(query, *keeps_rows),
            Action::Unsubscribe(which) => {
                self.live.remove(*which);
                Ok(())
            }
            Action::SetLimit(which, limit) => {
                self.attempt(|harness| harness.live[*which].subscription.set_limit(*limit))?
                    .map_err(|error| format!("set_limit: {error}"))?;
                self.live[*which].query.body.limit = *limit;
                Ok(())
            }
            Action::SetStart(which, start) => {
                let table = &Rc::clone(&self.tables)[self.live[*which].query.table];
                let input = |start: &Start| table.input(start.values.clone());
                self.attempt(|harness| {
                    harness.live[*which].subscription.set_start(start.as_ref().map(input))
                })?
                .map_err(|error| format!("set_start: {error}"))?;
                self.live[*which].query.body.start = start.clone();
                Ok(())
            }
            Action::KeepRows(which) => keep_rows(&self.tables, &mut self.live[*which]),
            Action::Transaction { writes, ending, after } => {
                self.transaction(writes, *ending)?;
                self.model = after.clone();
                Ok(())
            }
        }
    }

    /// Does something once, or with faults again and again with each of its operations on the
    /// source failing in turn; each time nothing may have changed.
    fn attempt<T>(
        &mut self,
        mut act: impl FnMut(&mut Harness) -> Result<T, Error>,
    ) -> Result<Result<T, Error>, String> {
        let Some(faults) = self.faults.clone() else { return Ok(act(self)) };
        for n in 1..=FAULTS_MAX {
            let before = self.size()?;
            faults.arm(n);
            let outcome = act(self);
            match (faults.disarm(), outcome) {
                (false, outcome) => return Ok(outcome),
                (true, Ok(_)) => return Err(format!("failure {n} of the source was ignored")),
                (true, Err(Error::Source(_))) => {}
                (true, Err(error)) => return Err(format!("failure {n} became: {error}")),
            }
            let same = self.size()? == before;
            let rows = self.live.iter().all(|live| live.subscription.rows() == live.tree);
            let quiet = self.live.iter_mut().all(|live| live.subscription.changes().len() == 0);
            if !(same && rows && quiet) {
                return Err(format!(
                    "failure {n} of the source: sizes are the same: {same}, \
                     rows are: {rows}, no patches: {quiet}"
                ));
            }
        }
        Ok(act(self))
    }

    fn size(&self) -> Result<(usize, usize), String> {
        let usage = self.db.memory_usage().map_err(|error| error.to_string())?;
        Ok((usage.levels, usage.partitions))
    }

    fn engine_query(&self, query: &TestQuery) -> Result<Query, String> {
        if !query.ast {
            return Ok(query.build(&self.tables));
        }
        let (ast, format) = ast(query, &self.tables);
        Query::from_ast_with_format(&ast, &format).map_err(|error| format!("{ast}: {error}"))
    }

    fn subscribe(&mut self, query: &TestQuery, keeps_rows: bool) -> Result<(), String> {
        let built = self.engine_query(query)?;
        let subscription = self
            .attempt(|harness| match harness.options.in_steps {
                true => harness.db.subscribe_in_steps(built.clone(), &Params::new()),
                false => harness.db.subscribe(built.clone()),
            })?
            .map_err(|error| format!("{}: {error}", Named(query, &self.tables)))?;
        let tree = subscription.rows();
        let nodes = flat::nodes(&tree);
        let query = query.clone();
        let mut live = Live { subscription, query, tree, nodes, rows: None };
        if keeps_rows {
            keep_rows(&self.tables, &mut live)?;
        }
        self.live.push(live);
        Ok(())
    }

    /// Fills all results that are not complete by one step, and checks them. Returns whether some
    /// are still not complete.
    fn grow(&mut self, rows: usize) -> Result<bool, String> {
        let mut is_growing = false;
        for number in 0..self.live.len() {
            if !self.live[number].is_complete()? {
                let grown = self.attempt(|harness| harness.live[number].subscription.grow(rows))?;
                is_growing |= !grown.map_err(|error| format!("subscription {number}: {error}"))?;
                self.check_all(true).map_err(|error| format!("grown by {rows}: {error}"))?;
            }
        }
        Ok(is_growing)
    }

    fn transaction(&mut self, writes: &[(Write, bool)], ending: Ending) -> Result<(), String> {
        let tables = Rc::clone(&self.tables);
        let mut wrong = None;
        self.transactions += 1;
        let other = self.other.clone().filter(|_| self.transactions.is_multiple_of(2));
        let mut write = |db: &Database| {
            db.transaction(|tx| {
                for (write, accepted) in writes {
                    match (write.make(&tables, tx), accepted) {
                        (Ok(()), true) | (Err(Error::Apply(_)), false) => {}
                        (Err(error @ Error::Source(_)), _) => return Err(error),
                        (outcome, _) => wrong = Some(format!("{write:?}: {outcome:?}")),
                    }
                }
                if ending == Ending::Abort { Err(Error::abort("on purpose")) } else { Ok(()) }
            })
        };
        let outcome = match &other {
            None => self.attempt(|harness| write(&harness.db))?,
            Some(other) => {
                let outcome = write(other);
                let told = self.attempt(|harness| harness.db.sync())?;
                told.map_err(|error| format!("what others wrote: {error}"))?;
                outcome
            }
        };
        match (outcome, ending) {
            _ if wrong.is_some() => Err(wrong.unwrap_or_default()),
            (Ok(()), Ending::Commit)
            | (Err(Error::Aborted(_)), Ending::Abort)
            | (Err(Error::Apply(_)), Ending::Refused) => Ok(()),
            (outcome, ending) => Err(format!("expected {ending:?}, the outcome is {outcome:?}")),
        }
    }

    fn check_all(&mut self, transaction: bool) -> Result<(), String> {
        for number in 0..self.live.len() {
            self.check(number, transaction).map_err(|error| {
                let query = &self.live[number].query;
                format!("subscription {number}, {}: {error}", Named(query, &self.tables))
            })?;
        }
        self.db.verify().map_err(|error| error.to_string())
    }

    fn check(&mut self, number: usize, transaction: bool) -> Result<(), String> {
        let patches: Vec<Patch> = self.live[number].subscription.changes().collect();
        if patches.len() > 1 {
            return Err(format!("{} patches of one action", patches.len()));
        }
        let live = &mut self.live[number];
        for patch in &patches {
            self.log.push_str(&format!("{number}: {patch:?} {:?}\n", patch.rows()));
            live.take(patch, &self.tables, transaction)
                .map_err(|error| format!("{error}\nin the patch\n{patch}"))?;
        }
        let rows = live.subscription.rows();
        if live.tree != rows {
            return Err(differ("the patched tree", &flat::nodes(&live.tree), &flat::nodes(&rows)));
        }
        let nodes = flat::nodes(&rows);
        if !same_trees(&live.nodes, &nodes) {
            return Err(differ("the tree by flat changes", &live.nodes, &nodes));
        }
        let mut naive = Naive::new(&self.model);
        naive.nulls_are_values = self.options.broken_oracle;
        let mut expected = naive.tree(&live.query);
        let is_complete = live.is_complete()?;
        if !is_complete {
            // The first rows of the result, and no more is known of how many.
            expected.truncate(nodes.len());
        }
        if !same_trees(&nodes, &expected) {
            return Err(differ("the result", &nodes, &expected));
        }
        if let Some(kept) = live.rows.as_ref().filter(|_| is_complete) {
            same_rows("the kept row set", kept, &naive.row_set(&live.query))?;
        }
        let live = &self.live[number];
        let query = self.engine_query(&live.query)?;
        if !is_complete {
            return Ok(());
        }
        let fresh = self.db.query(&query).map_err(|error| error.to_string())?;
        if fresh != rows {
            return Err(differ("a fresh evaluation", &flat::nodes(&fresh), &nodes));
        }
        if let Some(kept) = &live.rows {
            let fresh = self.db.query_row_set(&query, &Params::new());
            let fresh = fresh.map_err(|error| error.to_string())?;
            same_rows("a fresh row set", &rows_of(&self.tables, fresh)?, kept)?;
        }
        Ok(())
    }
}

impl Live {
    fn is_complete(&self) -> Result<bool, String> {
        self.subscription.is_complete().map_err(|error| error.to_string())
    }

    /// Takes the copies through a patch.
    fn take(
        &mut self,
        patch: &Patch,
        tables: &[TableModel],
        transaction: bool,
    ) -> Result<(), String> {
        if patch.reset_tree().is_some() {
            return Err("a reset".to_owned());
        }
        let rows = patch.rows().filter(|_| self.rows.is_some()).unwrap_or_default();
        if patch.changes().is_empty() && rows.puts.is_empty() && rows.deletes.is_empty() {
            return Err("an empty patch".to_owned());
        }
        self.tree.apply(patch);
        match transaction {
            true => flat::apply(&mut self.nodes, &self.query, tables, patch)?,
            // Another limit or start: the limit that holds meanwhile is that of neither.
            false => {
                let mut query = self.query.clone();
                query.body.limit = None;
                query.body.singular = false;
                flat::apply(&mut self.nodes, &query, tables, patch)?;
            }
        }
        let Some(kept) = &mut self.rows else { return Ok(()) };
        if patch.rows().is_none() {
            return Err("a patch without the row set".to_owned());
        }
        let place = |kept: &Rows, (table, row): &(usize, Vec<penstock::Value>)| {
            kept.binary_search_by(|(other, held)| {
                other.cmp(table).then_with(|| tables[*table].compare_keys(held, row))
            })
        };
        for put in rows_of(tables, rows.puts)? {
            match place(kept, &put) {
                Ok(at) if identical_rows(&kept[at].1, &put.1) => {
                    return Err(format!("a put of {put:?}, which is there already"));
                }
                Ok(at) => kept[at] = put,
                Err(at) => kept.insert(at, put),
            }
        }
        for delete in rows_of(tables, rows.deletes)? {
            match place(kept, &delete) {
                Ok(at) if identical_rows(&kept[at].1, &delete.1) => drop(kept.remove(at)),
                Ok(at) => return Err(format!("a delete of {delete:?} that was {:?}", kept[at])),
                Err(_) => return Err(format!("a delete of {delete:?}, which is absent")),
            }
        }
        Ok(())
    }
}

fn keep_rows(tables: &[TableModel], live: &mut Live) -> Result<(), String> {
    let rows = live.subscription.row_set().map_err(|error| error.to_string())?;
    live.rows = Some(rows_of(tables, rows)?);
    Ok(())
}

fn differ(what: &str, found: &[Node], expected: &[Node]) -> String {
    let mut text = format!("{what} is\n");
    describe(found, 2, &mut text);
    text.push_str("expected\n");
    describe(expected, 2, &mut text);
    text
}
