//! Expressions: from the syntax tree to [`Expr`]s over slots, by SQLite's rules of names,
//! affinities and collations.

use std::collections::BTreeMap;

use penstock_operators::expr::{Affinity, Collation, Expr, MatchKind};
use penstock_operators::predicate::CompareOp;
use penstock_operators::value::{ColumnType, Value};
use sqlparser::ast;

use super::Context;
use super::aggregate::AggregateUse;
use super::apply::Apply;
use super::bound::{Bound, all, case, compare, converted, integer, is, is_null, not, null};
use super::error::{Outcome, Place};
use super::place::Located;
use super::scope::{Env, same};
use super::slot::for_each_slot;

mod function;
mod literal;
mod operator;

pub(super) use literal::collation;
pub(super) use operator::ordinal;

/// The SELECT list by alias, for the clauses that may use it.
pub(super) type Aliases<'a> = [(String, &'a ast::Expr)];

/// What binding the expressions of one SELECT gives besides the expressions.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The subqueries whose results its slots are.
    pub(super) applies: Vec<Apply>,
    /// How many slots of subqueries have been given out.
    pub(super) provided: usize,
    /// The aggregates whose values its slots are.
    pub(super) aggregates: Vec<AggregateUse>,
    /// Where each column of FROM was first used.
    pub(super) places: BTreeMap<usize, Place>,
}

/// Binds expressions of one clause of a SELECT.
pub(super) struct Binder<'b> {
    pub(super) context: Context<'b>,
    pub(super) env: Env<'b>,
    pub(super) pending: &'b mut Pending,
    /// The clause, as in "aggregates are not allowed in WHERE"; `None` where they are.
    pub(super) no_aggregates: Option<&'static str>,
    pub(super) aliases: &'b Aliases<'b>,
    /// Where the clause is, for nodes without a place of their own.
    pub(super) at: Place,
}

impl Binder<'_> {
    pub(super) fn place(&self, node: &impl Located) -> Place {
        Place::of(node).or(self.at)
    }

    pub(super) fn bind(&mut self, expr: &ast::Expr) -> Outcome<Bound> {
        let place = self.place(expr);
        match expr {
            ast::Expr::Identifier(name) => self.name(std::slice::from_ref(name), place),
            ast::Expr::CompoundIdentifier(parts) => self.name(parts, place),
            ast::Expr::Value(value) => self.literal(&value.value, place),
            ast::Expr::Nested(inner) => self.bind(inner),
            ast::Expr::BinaryOp { left, op, right } => self.binary(left, op, right, place),
            ast::Expr::UnaryOp { op, expr } => self.unary(*op, expr, place),
            ast::Expr::IsNull(operand) => Ok(self.null_test(operand, false)?),
            ast::Expr::IsNotNull(operand) => Ok(self.null_test(operand, true)?),
            ast::Expr::IsTrue(operand) => self.truth_test(operand, true, false),
            ast::Expr::IsNotTrue(operand) => self.truth_test(operand, true, true),
            ast::Expr::IsFalse(operand) => self.truth_test(operand, false, false),
            ast::Expr::IsNotFalse(operand) => self.truth_test(operand, false, true),
            ast::Expr::IsNotDistinctFrom(left, right) => self.is(left, right, false),
            ast::Expr::IsDistinctFrom(left, right) => self.is(left, right, true),
            ast::Expr::Between { expr, negated, low, high } => {
                let operand = self.bind(expr)?;
                let low = compare(CompareOp::Ge, &operand, &self.bind(low)?);
                let high = compare(CompareOp::Le, &operand, &self.bind(high)?);
                let nullable = low.traits.nullable || high.traits.nullable;
                let within = all(vec![low.expr, high.expr]);
                Ok(Bound::truth(if *negated { not(within) } else { within }, nullable))
            }
            ast::Expr::InList { expr, list, negated } => self.in_list(expr, list, *negated, place),
            ast::Expr::InSubquery { expr, subquery, negated } => {
                self.in_subquery(expr, subquery, *negated, place)
            }
            ast::Expr::Exists { subquery, negated } => self.exists(subquery, *negated, place),
            ast::Expr::Subquery(subquery) => self.scalar(subquery, place),
            ast::Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                let escape = escape_char.as_deref();
                self.pattern(MatchKind::Like, expr, pattern, escape, *negated)
            }
            ast::Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            ast::Expr::Cast { kind: ast::CastKind::Cast, expr, data_type, format: None } => {
                self.cast(expr, data_type)
            }
            ast::Expr::Collate { expr, collation: name } => {
                let mut bound = self.bind(expr)?;
                bound.traits.collation = Some(collation(name, place)?);
                bound.traits.explicit = true;
                Ok(bound)
            }
            ast::Expr::Function(function) => self.function(function, place),
            ast::Expr::Substring { expr, substring_from, substring_for, .. } => {
                let mut arguments = vec![&**expr];
                arguments.extend(substring_from.as_deref());
                arguments.extend(substring_for.as_deref());
                self.scalar_function("substr", &arguments, place)
            }
            ast::Expr::Trim { expr, trim_where: None, trim_what: None, trim_characters } => {
                let mut arguments = vec![&**expr];
                arguments.extend(trim_characters.iter().flatten());
                self.scalar_function("trim", &arguments, place)
            }
            ast::Expr::Ceil { expr, field: ast::CeilFloorKind::DateTimeField(field) }
                if *field == ast::DateTimeField::NoDateTime =>
            {
                self.scalar_function("ceil", &[expr], place)
            }
            ast::Expr::Floor { expr, field: ast::CeilFloorKind::DateTimeField(field) }
                if *field == ast::DateTimeField::NoDateTime =>
            {
                self.scalar_function("floor", &[expr], place)
            }
            other => self.refused(other, place),
        }
    }

    fn name(&mut self, parts: &[ast::Ident], place: Place) -> Outcome<Bound> {
        let (table, name) = match parts {
            [name] => (None, name),
            [table, name] => (Some(table), name),
            [schema, table, name] if same(&schema.value, "main") => (Some(table), name),
            _ => return place.refuse("a column is written name, table.name or main.table.name"),
        };
        let table = table.map(|table| table.value.as_str());
        if let Some(found) = self.env.column(table, &name.value, place)? {
            for_each_slot(&found.expr, &mut |slot| {
                self.pending.places.entry(slot).or_insert(place);
            });
            return Ok(found);
        }
        let aliases = self.aliases;
        let alias = aliases.iter().find(|(alias, _)| table.is_none() && same(alias, &name.value));
        match alias {
            Some((_, meant)) => {
                let mut within = self.without_aliases();
                within.bind(meant)
            }
            None => Err(self.env.unknown(parts, place)),
        }
    }

    /// The same binder for an expression of the SELECT list, which knows no aliases.
    fn without_aliases(&mut self) -> Binder<'_> {
        Binder {
            context: self.context,
            env: self.env,
            pending: self.pending,
            no_aggregates: self.no_aggregates,
            aliases: &[],
            at: self.at,
        }
    }

    /// The truth of a condition that may be any expression.
    pub(super) fn condition(&mut self, expr: &ast::Expr) -> Outcome<Expr> {
        Ok(self.bind(expr)?.expr)
    }

    fn null_test(&mut self, operand: &ast::Expr, negated: bool) -> Outcome<Bound> {
        Ok(Bound::truth(is_null(self.bind(operand)?.expr, negated), false))
    }

    /// `IS` in any of its spellings. Of `TRUE` and `FALSE` it is a test of truth, as in SQLite.
    fn is(&mut self, left: &ast::Expr, right: &ast::Expr, negated: bool) -> Outcome<Bound> {
        let mut plain = right;
        while let ast::Expr::Nested(inner) | ast::Expr::Collate { expr: inner, .. } = plain {
            plain = inner;
        }
        if let ast::Expr::Value(value) = plain
            && let ast::Value::Boolean(truth) = value.value
        {
            return self.truth_test(left, truth, negated);
        }
        Ok(is(&self.bind(left)?, &self.bind(right)?, negated))
    }

    fn truth_test(&mut self, operand: &ast::Expr, truth: bool, negated: bool) -> Outcome<Bound> {
        let operand = self.bind(operand)?.expr;
        let condition = if truth { operand } else { not(operand) };
        let yes = i64::from(!negated);
        Ok(Bound::truth(case(condition, integer(yes), integer(1 - yes)), false))
    }

    fn in_list(
        &mut self,
        operand: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        place: Place,
    ) -> Outcome<Bound> {
        crate::query::list_length(list.len()).map_err(|problem| place.error(problem))?;
        let operand = self.bind(operand)?;
        let affinity = super::bound::comparison_affinity(operand.traits.affinity, None);
        let mut nullable = operand.traits.nullable;
        let mut members = Vec::with_capacity(list.len());
        for member in list {
            let mut member = self.bind(member)?;
            nullable |= member.traits.nullable;
            member.traits.affinity = None;
            members.push(converted(&member, affinity));
        }
        let collation = operand.traits.collation();
        let operand = Box::new(operand.expr);
        let expr = Expr::In { operand, list: members, negated, collation };
        Ok(Bound::truth(expr, nullable))
    }

    fn pattern(
        &mut self,
        kind: MatchKind,
        operand: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
        negated: bool,
    ) -> Outcome<Bound> {
        let operand = Box::new(self.bind(operand)?.expr);
        let pattern = Box::new(self.bind(pattern)?.expr);
        let escape = match escape {
            Some(escape) => Some(Box::new(self.escape(escape)?)),
            None => None,
        };
        Ok(Bound::truth(Expr::Match { kind, operand, pattern, escape, negated }, true))
    }

    fn escape(&mut self, escape: &ast::Expr) -> Outcome<Expr> {
        let place = self.place(escape);
        let bound = self.bind(escape)?.expr;
        if let Expr::Literal(value) = &bound
            && !value.is_null()
            && value.as_str().is_none_or(|text| text.chars().count() != 1)
        {
            return place.refuse("ESCAPE needs a text of one character");
        }
        Ok(bound)
    }

    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
    ) -> Outcome<Bound> {
        let operand = operand.map(|operand| self.bind(operand)).transpose()?;
        let mut types = Vec::new();
        let mut nullable = otherwise.is_none();
        let mut whens = Vec::with_capacity(conditions.len());
        for when in conditions {
            let condition = self.bind(&when.condition)?;
            let condition = match &operand {
                Some(operand) => compare(CompareOp::Eq, operand, &condition),
                None => condition,
            };
            let value = self.bind(&when.result)?;
            types.push(value.traits.column_type);
            nullable |= value.traits.nullable;
            whens.push((condition.expr, value.expr));
        }
        let otherwise = otherwise.map(|otherwise| self.bind(otherwise)).transpose()?;
        if let Some(value) = &otherwise {
            types.push(value.traits.column_type);
            nullable |= value.traits.nullable;
        }
        let otherwise = otherwise.map(|value| Box::new(value.expr));
        Ok(Bound::new(Expr::Case { whens, otherwise }, common_type(types), nullable))
    }

    fn cast(&mut self, operand: &ast::Expr, data_type: &ast::DataType) -> Outcome<Bound> {
        let operand = self.bind(operand)?;
        let to = super::affinity::of_type(&data_type.to_string());
        let column_type = match to {
            Affinity::Integer => ColumnType::Integer,
            Affinity::Text => ColumnType::Text,
            Affinity::Real => ColumnType::Real,
            Affinity::Blob | Affinity::Numeric => ColumnType::Any,
        };
        let mut bound = Bound::new(
            Expr::Cast { operand: Box::new(operand.expr), to },
            column_type,
            operand.traits.nullable,
        );
        bound.traits.affinity = Some(to);
        bound.traits.collation = operand.traits.collation;
        bound.traits.explicit = operand.traits.explicit;
        Ok(bound)
    }
}

/// The type that values of these types have in common as operands.
pub(super) fn common_type(types: impl IntoIterator<Item = ColumnType>) -> ColumnType {
    let mut types = types.into_iter().map(|column_type| match column_type {
        ColumnType::Boolean => ColumnType::Integer,
        ColumnType::Json => ColumnType::Text,
        other => other,
    });
    let Some(first) = types.next() else { return ColumnType::Any };
    if types.all(|other| other == first) { first } else { ColumnType::Any }
}

/// A literal null as a bound expression.
pub(super) fn bound_null() -> Bound {
    Bound::new(null(), ColumnType::Any, true)
}

/// The collation that a function's arguments are compared by: of the first that has one.
pub(super) fn argument_collation(arguments: &[Bound]) -> Collation {
    let stated = arguments.iter().find(|argument| argument.traits.explicit);
    let first = stated.or_else(|| arguments.iter().find(|a| a.traits.collation.is_some()));
    first.map_or(Collation::Binary, |argument| argument.traits.collation())
}

/// The value of a literal expression.
pub(super) fn literal_of(expr: &Expr) -> Option<&Value> {
    match expr {
        Expr::Literal(value) => Some(value),
        _ => None,
    }
}
