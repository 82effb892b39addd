//! Makes a failing case smaller.

use super::case::Case;
use super::schema::{Schema, Table};
use super::script::Action;
use super::select::{Core, FromSource, Query, Select};

/// The number of smaller cases that are tried.
const TRIES_MAX: usize = 3_000;

/// A smaller case that fails too, with what went wrong in it.
pub(crate) fn shrink(
    mut case: Case,
    mut problem: String,
    fails: &dyn Fn(&Case) -> Option<String>,
) -> (Case, String) {
    let mut tries = 0;
    'again: loop {
        for candidate in smaller(&case) {
            tries += 1;
            if tries > TRIES_MAX {
                return (case, problem);
            }
            if let Some(found) = fails(&candidate) {
                (case, problem) = (candidate, found);
                continue 'again;
            }
        }
        return (case, problem);
    }
}

/// All lists with one element less.
fn without<T: Clone>(list: &[T]) -> impl Iterator<Item = Vec<T>> {
    (0..list.len()).map(|at| {
        let mut list = list.to_vec();
        list.remove(at);
        list
    })
}

fn smaller(case: &Case) -> Vec<Case> {
    let mut cases = Vec::new();
    if !case.queries.is_empty() {
        cases.extend(without(&case.queries).map(|queries| Case { queries, ..case.clone() }));
    }
    for (at, step) in case.steps.iter().enumerate() {
        let mut fewer = case.clone();
        fewer.steps.remove(at);
        for query in &mut fewer.queries {
            query.live.0 -= usize::from(query.live.0 > at);
            query.live.1 -= usize::from(query.live.1 > at && query.live.1 != usize::MAX);
        }
        cases.push(fewer);
        for actions in without(&step.actions) {
            let mut fewer = case.clone();
            fewer.steps[at].actions = actions;
            cases.push(fewer);
        }
        for (place, action) in step.actions.iter().enumerate() {
            let Action::Savepoint { actions, undone } = action else { continue };
            let mut fewer = case.clone();
            fewer.steps[at].actions.splice(place..=place, actions.iter().cloned());
            cases.push(fewer);
            for actions in without(actions) {
                let mut fewer = case.clone();
                fewer.steps[at].actions[place] = Action::Savepoint { actions, undone: *undone };
                cases.push(fewer);
            }
        }
    }
    cases.extend(without(&case.load).map(|load| Case { load, ..case.clone() }));
    cases.extend(smaller_schemas(&case.schema).filter_map(|schema| {
        let known = |table: &str| schema.tables.iter().any(|of| of.name == table);
        let steps = case.steps.iter().flat_map(|step| &step.actions);
        let usable = steps.clone().all(|action| uses_only(action, &known));
        usable.then(|| Case { schema: schema.clone(), ..case.clone() })
    }));
    cases.extend(without(&case.nested).map(|nested| Case { nested, ..case.clone() }));
    for (at, level) in case.nested.iter().enumerate() {
        for level in level.smaller() {
            let mut fewer = case.clone();
            fewer.nested[at] = level;
            cases.push(fewer);
        }
    }
    for (at, query) in case.queries.iter().enumerate() {
        for query in smaller_queries(query) {
            let mut fewer = case.clone();
            fewer.queries[at] = query;
            cases.push(fewer);
        }
    }
    cases
}

/// Whether the calls of the row API are of tables that there are.
fn uses_only(action: &Action, known: &dyn Fn(&str) -> bool) -> bool {
    match action {
        Action::Sql(_) => true,
        Action::Row { table, .. } => known(table),
        Action::Savepoint { actions, .. } => actions.iter().all(|action| uses_only(action, known)),
    }
}

fn smaller_schemas(schema: &Schema) -> impl Iterator<Item = Schema> {
    let tables = without(&schema.tables).filter(|tables| !tables.is_empty());
    let fewer = tables.map(|tables| Schema { tables, ..schema.clone() });
    let plainer = (0..schema.tables.len()).flat_map(move |at| {
        let table = &schema.tables[at];
        let mut plain = Vec::new();
        plain.extend(without(&table.indexes).map(|indexes| Table { indexes, ..table.clone() }));
        plain.extend(without(&table.unique).map(|unique| Table { unique, ..table.clone() }));
        if table.foreign.is_some() {
            plain.push(Table { foreign: None, ..table.clone() });
        }
        if table.without_rowid {
            plain.push(Table { without_rowid: false, ..table.clone() });
        }
        plain.into_iter().map(move |table| {
            let mut schema = schema.clone();
            schema.tables[at] = table;
            schema
        })
    });
    let triggers = without(&schema.triggers);
    let quieter = triggers.map(|triggers| Schema { triggers, ..schema.clone() });
    fewer.chain(plainer).chain(quieter)
}

fn smaller_queries(query: &Query) -> Vec<Query> {
    let with = |select: Select, total: bool| Query { select, total, ..query.clone() };
    let mut queries: Vec<Query> = Vec::new();
    if query.live != (0, usize::MAX) {
        queries.push(Query { live: (0, usize::MAX), ..query.clone() });
    }
    for select in smaller_selects(&query.select) {
        // With another order, and with other groups, the rest of the order may not be total.
        let limited = select.limit.is_some();
        let kept = select.order == query.select.order
            && select.cores.len() == query.select.cores.len()
            && select.cores[0].1.group == query.select.cores[0].1.group
            && select.cores[0].1.distinct == query.select.cores[0].1.distinct
            && select.cores[0].1.items.len() == query.select.cores[0].1.items.len();
        if kept || !limited {
            queries.push(with(select, kept && query.total));
        }
    }
    queries
}

fn smaller_selects(select: &Select) -> Vec<Select> {
    let mut selects = Vec::new();
    let mut push = |change: &dyn Fn(&mut Select)| {
        let mut smaller = select.clone();
        change(&mut smaller);
        selects.push(smaller);
    };
    for at in 0..select.cores.len() {
        if select.cores.len() > 1 {
            push(&|select| {
                select.cores.remove(at);
                select.cores[0].0 = "";
            });
        }
    }
    if select.limit.is_some() {
        push(&|select| (select.limit, select.offset) = (None, None));
        push(&|select| select.offset = None);
    }
    for at in 0..select.with.len() {
        push(&|select| drop(select.with.remove(at)));
    }
    if !select.order.is_empty() {
        push(&|select| select.order.clear());
    }
    for order in without(&select.order) {
        push(&|select| select.order.clone_from(&order));
    }
    let width = select.cores[0].1.items.len();
    if select.cores.len() > 1 && width > 1 {
        for at in 0..width {
            push(&|select| {
                for (_, core) in &mut select.cores {
                    core.items.remove(at);
                }
            });
        }
    }
    for (at, (_, core)) in select.cores.iter().enumerate() {
        for core in smaller_cores(core, select.cores.len() == 1) {
            push(&|select| select.cores[at].1 = core.clone());
        }
    }
    for (at, (_, body)) in select.with.iter().enumerate() {
        for body in smaller_selects(body).into_iter().filter(keeps_rows) {
            push(&|select| select.with[at].1 = body.clone());
        }
    }
    selects
}

/// Whether the rows of a query that is read from are determined.
fn keeps_rows(select: &Select) -> bool {
    select.limit.is_none()
}

fn smaller_cores(core: &Core, alone: bool) -> Vec<Core> {
    let mut cores = Vec::new();
    let mut push = |change: &dyn Fn(&mut Core)| {
        let mut smaller = core.clone();
        change(&mut smaller);
        cores.push(smaller);
    };
    if core.distinct {
        push(&|core| core.distinct = false);
    }
    for conditions in without(&core.conditions) {
        push(&|core| core.conditions.clone_from(&conditions));
    }
    for having in without(&core.having) {
        push(&|core| core.having.clone_from(&having));
    }
    for group in without(&core.group) {
        push(&|core| core.group.clone_from(&group));
    }
    if alone && core.items.len() > 1 {
        for items in without(&core.items) {
            push(&|core| core.items.clone_from(&items));
        }
    }
    for (at, from) in core.from.iter().enumerate() {
        if core.from.len() > 1 {
            push(&|core| {
                core.from.remove(at);
                core.from[0].constraint.clear();
                core.from[0].using = None;
            });
        }
        for constraint in without(&from.constraint) {
            push(&|core| core.from[at].constraint.clone_from(&constraint));
        }
        if let FromSource::Select(select) = &from.source {
            for select in smaller_selects(select).into_iter().filter(keeps_rows) {
                push(&|core| core.from[at].source = FromSource::Select(Box::new(select.clone())));
            }
        }
    }
    cores
}
