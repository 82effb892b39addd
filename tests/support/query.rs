//! The queries of the tests, by table and column number, and what the engine is given for them.

use std::fmt;

use penstock::query::{Filter, and, col, exists, not, not_exists, or};
use penstock::{Direction, Query, Related, Value};

use super::model::TableModel;

/// What [`Query`] and [`Related`] both have, on a variable of either type.
macro_rules! shared {
    ($target:ident, $body:expr, $table:expr, $tables:expr) => {{
        let (body, table, tables): (&Body, &TableModel, &[TableModel]) =
            ($body, &$tables[$table], $tables);
        for condition in &body.filters {
            $target = $target.filter(filter(condition, table, tables));
        }
        for (column, direction) in &body.order {
            $target = $target.order_by(&table.columns[*column].name, *direction);
        }
        if let Some(limit) = body.limit {
            $target = $target.limit(limit);
        }
        if body.offset > 0 {
            $target = $target.offset(body.offset);
        }
        if let Some(start) = &body.start {
            let cursor = table.input(start.values.clone());
            $target = match start.exclusive {
                true => $target.start_after(cursor),
                false => $target.start_at(cursor),
            };
        }
        for (name, sub) in &body.related {
            $target = $target.related(name, related(sub, table, tables));
        }
    }};
}
#[derive(Clone, Debug)]
pub(crate) struct TestQuery {
    pub(crate) table: usize,
    pub(crate) body: Body,
    /// Whether the engine gets it as AST JSON; then it keeps to what an AST can say.
    pub(crate) ast: bool,
}

/// What a query and a subquery have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    /// All must hold.
    pub(crate) filters: Vec<Cond>,
    pub(crate) order: Vec<(usize, Direction)>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
    pub(crate) start: Option<Start>,
    pub(crate) related: Vec<(String, Sub)>,
    /// The first row or none instead of a list.
    pub(crate) singular: bool,
}

/// A cursor. Columns of the order that it leaves out count as null.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) values: Vec<(usize, Value)>,
    pub(crate) exclusive: bool,
}

/// A subquery: at least one hop. The conditions on the last one's rows are those of the body.
#[derive(Clone, Debug)]
pub(crate) struct Sub {
    pub(crate) hops: Vec<Hop>,
    pub(crate) body: Body,
}

#[derive(Clone, Debug)]
pub(crate) struct Hop {
    pub(crate) table: usize,
    /// Pairs of a column before the hop and one of `table`.
    pub(crate) on: Vec<(usize, usize)>,
    /// Conditions on rows that further hops start from.
    pub(crate) filters: Vec<Cond>,
}

#[derive(Clone, Debug)]
pub(crate) enum Cond {
    Compare {
        column: usize,
        op: Op,
        right: Right,
    },
    /// A literal on the left, which only an AST can say.
    Constant {
        left: Value,
        op: Op,
        right: Right,
    },
    And(Vec<Cond>),
    Or(Vec<Cond>),
    Not(Box<Cond>),
    Exists {
        sub: Box<Sub>,
        negated: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Right {
    Value(Value),
    Column(usize),
    List(Vec<Value>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Is,
    IsNot,
    Like,
    NotLike,
    ILike,
    NotILike,
    In,
    NotIn,
}

impl Op {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Op::Eq => "=",
            Op::Ne => "!=",
            Op::Lt => "<",
            Op::Le => "<=",
            Op::Gt => ">",
            Op::Ge => ">=",
            Op::Is => "IS",
            Op::IsNot => "IS NOT",
            Op::Like => "LIKE",
            Op::NotLike => "NOT LIKE",
            Op::ILike => "ILIKE",
            Op::NotILike => "NOT ILIKE",
            Op::In => "IN",
            Op::NotIn => "NOT IN",
        }
    }
}

impl Sub {
    /// The table of the rows at the end.
    pub(crate) fn table(&self) -> usize {
        self.hops[self.hops.len() - 1].table
    }
}

impl Body {
    /// The limit with what being singular adds to it.
    pub(crate) fn effective_limit(&self) -> Option<usize> {
        if self.singular { Some(self.limit.unwrap_or(1).min(1)) } else { self.limit }
    }

    /// The order completed by the primary key.
    pub(crate) fn completed(&self, table: &TableModel) -> Vec<(usize, Direction)> {
        let mut order = self.order.clone();
        for column in &table.key {
            if order.iter().all(|(ordered, _)| ordered != column) {
                order.push((*column, Direction::Asc));
            }
        }
        order
    }
}

impl TestQuery {
    /// The query as the engine's builder makes it.
    pub(crate) fn build(&self, tables: &[TableModel]) -> Query {
        let mut query = Query::table(&tables[self.table].name);
        shared!(query, &self.body, self.table, tables);
        if self.body.singular { query.one() } else { query }
    }
}

fn related(sub: &Sub, parent: &TableModel, tables: &[TableModel]) -> Related {
    let mut near = parent;
    let mut related: Option<Related> = None;
    for hop in &sub.hops {
        let table = &tables[hop.table];
        let mut target = match related {
            None => Related::many(&table.name),
            Some(related) => related.then(&table.name),
        };
        for (parent, child) in &hop.on {
            target = target.on(&near.columns[*parent].name, &table.columns[*child].name);
        }
        for condition in &hop.filters {
            target = target.filter(filter(condition, table, tables));
        }
        related = Some(target);
        near = table;
    }
    let mut related = related.unwrap_or_else(|| Related::many(&parent.name));
    shared!(related, &sub.body, sub.table(), tables);
    if sub.body.singular { related.first() } else { related }
}

fn filter(condition: &Cond, table: &TableModel, tables: &[TableModel]) -> Filter {
    let all = |conditions: &[Cond]| -> Vec<Filter> {
        conditions.iter().map(|condition| filter(condition, table, tables)).collect()
    };
    match condition {
        Cond::And(conditions) => and(all(conditions)),
        Cond::Or(conditions) => or(all(conditions)),
        Cond::Not(inner) => not(filter(inner, table, tables)),
        Cond::Exists { sub, negated: false } => exists(related(sub, table, tables)),
        Cond::Exists { sub, negated: true } => not_exists(related(sub, table, tables)),
        Cond::Constant { .. } => unreachable!("only queries that are read from an AST have these"),
        Cond::Compare { column, op, right } => {
            let left = col(&table.columns[*column].name);
            let operand = || match right {
                Right::Value(value) => value.clone().into(),
                Right::Column(column) => col(&table.columns[*column].name).into(),
                Right::List(_) => unreachable!("lists are for IN"),
            };
            let list = || match right {
                Right::List(values) => values.clone(),
                _ => unreachable!("IN has a list"),
            };
            let operand = || -> penstock::query::Operand { operand() };
            match op {
                Op::Eq => left.eq(operand()),
                Op::Ne => left.ne(operand()),
                Op::Lt => left.lt(operand()),
                Op::Le => left.le(operand()),
                Op::Gt => left.gt(operand()),
                Op::Ge => left.ge(operand()),
                Op::Is => left.is(operand()),
                Op::IsNot => left.is_not(operand()),
                Op::Like => left.like(operand()),
                Op::NotLike => left.not_like(operand()),
                Op::ILike => left.ilike(operand()),
                Op::NotILike => left.not_ilike(operand()),
                Op::In => left.in_(list()),
                Op::NotIn => left.not_in(list()),
            }
        }
    }
}

/// A query with the names of its tables and columns, for failures.
pub(crate) struct Named<'a>(pub(crate) &'a TestQuery, pub(crate) &'a [TableModel]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Named(query, tables) = self;
        write!(f, "{}", tables[query.table].name)?;
        write_body(f, &query.body, query.table, tables)?;
        f.write_str(if query.ast { " (as AST)" } else { "" })
    }
}

fn write_body(
    f: &mut fmt::Formatter<'_>,
    body: &Body,
    table: usize,
    tables: &[TableModel],
) -> fmt::Result {
    let name = |column: usize| &tables[table].columns[column].name;
    for condition in &body.filters {
        f.write_str(" where ")?;
        write_condition(f, condition, table, tables)?;
    }
    for (column, direction) in &body.order {
        write!(f, " order {} {direction:?}", name(*column))?;
    }
    if let Some(start) = &body.start {
        write!(f, " start {}", if start.exclusive { "after" } else { "at" })?;
        for (column, value) in &start.values {
            write!(f, " {}:{value}", name(*column))?;
        }
    }
    if body.offset > 0 {
        write!(f, " offset {}", body.offset)?;
    }
    if let Some(limit) = body.limit {
        write!(f, " limit {limit}")?;
    }
    if body.singular {
        f.write_str(" first")?;
    }
    for (alias, sub) in &body.related {
        write!(f, " related {alias}: (")?;
        write_sub(f, sub, table, tables)?;
        f.write_str(")")?;
    }
    Ok(())
}

fn write_sub(
    f: &mut fmt::Formatter<'_>,
    sub: &Sub,
    parent: usize,
    tables: &[TableModel],
) -> fmt::Result {
    let mut near = parent;
    for hop in &sub.hops {
        write!(f, "-> {}", tables[hop.table].name)?;
        for (parent, child) in &hop.on {
            let (from, to) = (&tables[near].columns[*parent], &tables[hop.table].columns[*child]);
            write!(f, " on {}={}", from.name, to.name)?;
        }
        for condition in &hop.filters {
            f.write_str(" where ")?;
            write_condition(f, condition, hop.table, tables)?;
        }
        near = hop.table;
    }
    write_body(f, &sub.body, near, tables)
}

fn write_condition(
    f: &mut fmt::Formatter<'_>,
    condition: &Cond,
    table: usize,
    tables: &[TableModel],
) -> fmt::Result {
    let name = |column: usize| &tables[table].columns[column].name;
    let write_right = |f: &mut fmt::Formatter<'_>, op: &Op, right: &Right| match right {
        Right::Value(value) => write!(f, " {} {value}", op.name()),
        Right::Column(column) => write!(f, " {} {}", op.name(), name(*column)),
        Right::List(values) => write!(f, " {} {values:?}", op.name()),
    };
    let write_all = |f: &mut fmt::Formatter<'_>, what: &str, conditions: &[Cond]| {
        write!(f, "{what}(")?;
        for (at, condition) in conditions.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            write_condition(f, condition, table, tables)?;
        }
        f.write_str(")")
    };
    match condition {
        Cond::Compare { column, op, right } => {
            write!(f, "{}", name(*column))?;
            write_right(f, op, right)
        }
        Cond::Constant { left, op, right } => {
            write!(f, "{left}")?;
            write_right(f, op, right)
        }
        Cond::And(conditions) => write_all(f, "and", conditions),
        Cond::Or(conditions) => write_all(f, "or", conditions),
        Cond::Not(inner) => write_all(f, "not", std::slice::from_ref(inner)),
        Cond::Exists { sub, negated } => {
            f.write_str(if *negated { "not exists(" } else { "exists(" })?;
            write_sub(f, sub, table, tables)?;
            f.write_str(")")
        }
    }
}
