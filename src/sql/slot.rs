//! Slots: what the columns of an expression stand for while a SELECT is being planned.
//!
//! An [`Expr`] is bound before it is known where its values will be. Until then its columns are
//! slots: the columns of the tables in FROM in the order written, then by ranges the results of
//! subqueries, the results of aggregates, and the slots of the SELECT around.

use penstock_operators::expr::Expr;

/// The first slot of a result of a subquery.
const SUBQUERY: usize = 1 << 26;
/// The first slot of a result of an aggregate.
const AGGREGATE: usize = 1 << 27;
/// The first slot of the SELECT around.
const OUTER: usize = 1 << 28;

/// What a slot stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// A column of FROM.
    From(usize),
    /// A column that a subquery provides.
    Subquery(usize),
    /// The value of an aggregate.
    Aggregate(usize),
    /// A slot of the SELECT around.
    Outer(usize),
}

impl Slot {
    pub(super) fn of(number: usize) -> Slot {
        match number {
            OUTER.. => Slot::Outer(number - OUTER),
            AGGREGATE.. => Slot::Aggregate(number - AGGREGATE),
            SUBQUERY.. => Slot::Subquery(number - SUBQUERY),
            _ => Slot::From(number),
        }
    }

    pub(super) fn number(self) -> usize {
        match self {
            Slot::From(number) => number,
            Slot::Subquery(number) => SUBQUERY + number,
            Slot::Aggregate(number) => AGGREGATE + number,
            Slot::Outer(number) => OUTER + number,
        }
    }
}

/// Which kinds of slots an expression has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// Columns of FROM, results of subqueries or aggregates.
    pub(super) inner: bool,
    /// Slots of the SELECT around.
    pub(super) outer: bool,
    /// Results of subqueries.
    pub(super) subquery: bool,
    /// Results of aggregates.
    pub(super) aggregate: bool,
}

impl Uses {
    pub(super) fn of(expr: &Expr) -> Uses {
        let mut uses = Uses::default();
        for_each_slot(expr, &mut |slot| match Slot::of(slot) {
            Slot::From(_) => uses.inner = true,
            Slot::Subquery(_) => (uses.inner, uses.subquery) = (true, true),
            Slot::Aggregate(_) => (uses.inner, uses.aggregate) = (true, true),
            Slot::Outer(_) => uses.outer = true,
        });
        uses
    }

    /// Whether it is the same for every row.
    pub(super) fn is_constant(self) -> bool {
        !self.inner && !self.outer
    }
}

/// Calls with the number of every slot of an expression.
pub(super) fn for_each_slot(expr: &Expr, visit: &mut dyn FnMut(usize)) {
    if let Expr::Column(slot) = expr {
        visit(*slot);
    }
    expr.for_each_operand(&mut |operand| for_each_slot(operand, visit));
}

/// The expression with every slot exchanged.
pub(super) fn map_slots(expr: &Expr, map: &mut dyn FnMut(usize) -> usize) -> Expr {
    rewrite(expr, &mut |part| match part {
        Expr::Column(slot) => Some(Expr::Column(map(*slot))),
        _ => None,
    })
}

/// The expression with the outermost parts that `replace` knows replaced.
pub(super) fn rewrite(expr: &Expr, replace: &mut dyn FnMut(&Expr) -> Option<Expr>) -> Expr {
    if let Some(replaced) = replace(expr) {
        return replaced;
    }
    map_operands(expr, &mut |operand| rewrite(operand, replace))
}

fn map_operands(expr: &Expr, map: &mut dyn FnMut(&Expr) -> Expr) -> Expr {
    let mut boxed = |operand: &Expr| Box::new(map(operand));
    match expr {
        Expr::Column(_) | Expr::Literal(_) => expr.clone(),
        Expr::Unary { op, operand } => Expr::Unary { op: *op, operand: boxed(operand) },
        Expr::Not(operand) => Expr::Not(boxed(operand)),
        Expr::Cast { operand, to } => Expr::Cast { operand: boxed(operand), to: *to },
        Expr::Affinity { operand, affinity } => {
            Expr::Affinity { operand: boxed(operand), affinity: *affinity }
        }
        Expr::Fold { operand, collation } => {
            Expr::Fold { operand: boxed(operand), collation: *collation }
        }
        Expr::Binary { op, left, right } => {
            Expr::Binary { op: *op, left: boxed(left), right: boxed(right) }
        }
        Expr::Compare { op, left, right, collation } => {
            Expr::Compare { op: *op, left: boxed(left), right: boxed(right), collation: *collation }
        }
        Expr::Is { left, right, negated, collation } => Expr::Is {
            left: boxed(left),
            right: boxed(right),
            negated: *negated,
            collation: *collation,
        },
        Expr::And(parts) => Expr::And(parts.iter().map(map).collect()),
        Expr::Or(parts) => Expr::Or(parts.iter().map(map).collect()),
        Expr::Call { function, arguments } => Expr::Call {
            function: function.clone(),
            arguments: arguments.iter().map(map).collect(),
        },
        Expr::In { operand, list, negated, collation } => Expr::In {
            operand: boxed(operand),
            list: list.iter().map(map).collect(),
            negated: *negated,
            collation: *collation,
        },
        Expr::Match { kind, operand, pattern, escape, negated } => Expr::Match {
            kind: *kind,
            operand: boxed(operand),
            pattern: boxed(pattern),
            escape: escape.as_ref().map(|escape| boxed(escape)),
            negated: *negated,
        },
        Expr::Case { whens, otherwise } => Expr::Case {
            whens: whens.iter().map(|(when, then)| (*boxed(when), *boxed(then))).collect(),
            otherwise: otherwise.as_ref().map(|otherwise| boxed(otherwise)),
        },
    }
}
