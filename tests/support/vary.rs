//! Queries that are like other queries: what lets the engine share.

use super::generate::Generator;
use super::model::TableModel;
use super::query::{Body, Cond, Right, Sub, TestQuery};
use super::tape::Tape;

/// A new query, or one like one of those that are live.
pub(crate) fn next_query(
    tape: &mut Tape<'_>,
    generator: &mut Generator<'_>,
    live: &[TestQuery],
) -> TestQuery {
    let how = if live.is_empty() { 0 } else { tape.below(8) };
    if how < 4 {
        generator.ast = tape.chance(25);
        return generator.query(tape);
    }
    let mut query = tape.pick(live).clone();
    generator.ast = query.ast;
    match how {
        // The same query again.
        4 => {}
        5 => other_constants(tape, generator, query.table, &mut query.body),
        6 => {
            let table = query.table;
            generator.page(tape, table, &mut query.body);
            for (_, sub) in &mut query.body.related {
                if sub.hops.len() == 1 && !sub.body.singular {
                    generator.page(tape, sub.table(), &mut sub.body);
                }
            }
        }
        _ => query = part_or_whole(tape, generator, query),
    }
    query
}

/// One of the related subqueries as a query of its own, or the query as a related subquery.
fn part_or_whole(tape: &mut Tape<'_>, generator: &Generator<'_>, query: TestQuery) -> TestQuery {
    if !query.body.related.is_empty() && tape.chance(50) {
        let (_, sub) = tape.pick(&query.body.related);
        return TestQuery { table: sub.table(), body: sub.body.clone(), ast: query.ast };
    }
    generator.around(tape, &query)
}

/// Draws some of the literals of a body anew.
fn other_constants(tape: &mut Tape<'_>, generator: &Generator<'_>, table: usize, body: &mut Body) {
    let tables = std::rc::Rc::clone(&generator.model.tables);
    for condition in &mut body.filters {
        other_constant(tape, generator, &tables, table, condition);
    }
    for (_, sub) in &mut body.related {
        other_constants_below(tape, generator, sub);
    }
}

fn other_constants_below(tape: &mut Tape<'_>, generator: &Generator<'_>, sub: &mut Sub) {
    let tables = std::rc::Rc::clone(&generator.model.tables);
    for hop in &mut sub.hops {
        for condition in &mut hop.filters {
            other_constant(tape, generator, &tables, hop.table, condition);
        }
    }
    let table = sub.table();
    other_constants(tape, generator, table, &mut sub.body);
}

fn other_constant(
    tape: &mut Tape<'_>,
    generator: &Generator<'_>,
    tables: &[TableModel],
    table: usize,
    condition: &mut Cond,
) {
    use super::query::Op::{ILike, Like, NotILike, NotLike};
    match condition {
        Cond::And(all) | Cond::Or(all) => {
            all.iter_mut().for_each(|each| other_constant(tape, generator, tables, table, each));
        }
        Cond::Not(inner) => other_constant(tape, generator, tables, table, inner),
        Cond::Exists { sub, .. } => other_constants_below(tape, generator, sub),
        Cond::Compare { column, op, right: Right::Value(value) }
            if !value.is_null() && !matches!(op, Like | NotLike | ILike | NotILike) =>
        {
            if tape.chance(60) {
                *value = generator.literal(tape, tables[table].columns[*column].kind, false);
            }
        }
        Cond::Compare { .. } | Cond::Constant { .. } => {}
    }
}
