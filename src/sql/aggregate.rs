//! Aggregates: their calls bound, and from rows to groups.

use penstock_operators::expr::{Collation, Expr};
use penstock_operators::key::Direction;
use penstock_operators::relation::plan::AggregateFunction;
use penstock_operators::value::{ColumnType, Value};
use sqlparser::ast;

use super::bind::{Binder, common_type, literal_of};
use super::bound::{Bound, Traits, is_null, plain};
use super::constant;
use super::error::{Outcome, Place};
use super::slot::Slot;

/// A call of an aggregate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AggregateUse {
    /// The function; the order of a `group_concat` is put in later.
    pub(super) function: AggregateFunction,
    pub(super) distinct: bool,
    /// What it takes; absent for `count(*)`.
    pub(super) argument: Option<Expr>,
    pub(super) collation: Collation,
    pub(super) filter: Option<Expr>,
    /// The order of a `group_concat`.
    pub(super) order: Vec<(Expr, Direction)>,
    pub(super) traits: Traits,
}

impl AggregateUse {
    /// Calls with the expressions that it is given.
    pub(super) fn for_each_expr(&self, visit: &mut dyn FnMut(&Expr)) {
        self.argument.iter().chain(&self.filter).for_each(&mut *visit);
        self.order.iter().for_each(|(key, _)| visit(key));
    }

    /// The value where there is nothing to aggregate.
    pub(super) fn of_nothing(&self) -> Value {
        match self.function {
            AggregateFunction::Count => Value::Int(0),
            AggregateFunction::Total => Value::Float(0.0),
            _ => Value::Null,
        }
    }
}

/// Whether a call is one of an aggregate: `min` and `max` of several values are not.
pub(super) fn is_aggregate(name: &str, arguments: usize) -> bool {
    match name {
        "min" | "max" => arguments == 1,
        "count" | "sum" | "avg" | "total" | "group_concat" | "string_agg" => true,
        "json_group_array" | "json_group_object" | "jsonb_group_array" | "jsonb_group_object"
        | "median" | "percentile" | "percentile_cont" | "percentile_disc" => true,
        _ => false,
    }
}

impl Binder<'_> {
    /// A call of an aggregate, as the slot of its value.
    pub(super) fn aggregate(
        &mut self,
        name: &str,
        call: &ast::Function,
        list: &ast::FunctionArgumentList,
        place: Place,
    ) -> Outcome<Bound> {
        if let Some(clause) = self.no_aggregates {
            return place.refuse(format!(
                "the aggregate {name} is not allowed in {clause}{}",
                if clause == "WHERE" { "; use HAVING" } else { "" }
            ));
        }
        let mut arguments = Vec::with_capacity(list.args.len());
        let mut star = false;
        for argument in &list.args {
            match argument {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => arguments.push(expr),
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard) => star = true,
                _ => return place.refuse(format!("{name} takes plain arguments")),
            }
        }
        if arguments.is_empty() {
            star = true;
        }
        if star && (name != "count" || !arguments.is_empty()) {
            return place.refuse(format!("{name} needs an argument; * is for count(*)"));
        }
        let takes = if matches!(name, "group_concat" | "string_agg") { 1..=2 } else { 1..=1 };
        let distinct = list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct);
        if !star && !takes.contains(&arguments.len())
            || name == "string_agg" && arguments.len() != 2
        {
            return place.refuse(format!("{name} does not take {} arguments", arguments.len()));
        }
        if distinct && (star || arguments.len() > 1) {
            return place.refuse("DISTINCT aggregates take exactly one argument");
        }
        // Within an aggregate there is no other.
        let outside = self.no_aggregates.replace("the argument of an aggregate");
        let bound = self.aggregate_parts(name, call, list, &arguments, distinct, place);
        self.no_aggregates = outside;
        let used = bound?;
        let traits = used.traits;
        let at = match self.pending.aggregates.iter().position(|other| *other == used) {
            Some(at) => at,
            None => {
                self.pending.aggregates.push(used);
                self.pending.aggregates.len() - 1
            }
        };
        Ok(Bound::slot(Slot::Aggregate(at), traits))
    }

    fn aggregate_parts(
        &mut self,
        name: &str,
        call: &ast::Function,
        list: &ast::FunctionArgumentList,
        arguments: &[&ast::Expr],
        distinct: bool,
        place: Place,
    ) -> Outcome<AggregateUse> {
        let argument = arguments.first().map(|argument| self.bind(argument)).transpose()?;
        let given = argument.as_ref().map_or(Traits::of(ColumnType::Any, false), |a| a.traits);
        let (function, column_type, nullable) = match name {
            "count" => (AggregateFunction::Count, ColumnType::Integer, false),
            "sum" => (AggregateFunction::Sum, ColumnType::Any, true),
            "total" => (AggregateFunction::Total, ColumnType::Real, false),
            "avg" => (AggregateFunction::Average, ColumnType::Real, true),
            "min" => (AggregateFunction::Min, common_type([given.column_type]), true),
            "max" => (AggregateFunction::Max, common_type([given.column_type]), true),
            "group_concat" | "string_agg" => {
                let separator = self.separator(name, arguments.get(1).copied())?;
                let order = Vec::new();
                (AggregateFunction::GroupConcat { separator, order }, ColumnType::Text, true)
            }
            _ => {
                return place.refuse(format!(
                    "the aggregate {name} is not supported in live queries; use a nested \
                     ARRAY(SELECT …), or compute it from the rows"
                ));
            }
        };
        let order = self.aggregate_order(name, list, &argument, distinct, place)?;
        let filter = match &call.filter {
            Some(filter) => Some(self.condition(filter)?),
            None => None,
        };
        let mut traits = Traits::of(column_type, nullable);
        if matches!(function, AggregateFunction::Min | AggregateFunction::Max) {
            (traits.collation, traits.explicit) =
                (given.collation.filter(|_| given.explicit), given.explicit);
        }
        // JSON is text in SQL, and its order and distinctness are those of text.
        let argument = argument.map(|argument| match argument.traits.column_type {
            ColumnType::Json => plain(argument.expr),
            _ => argument.expr,
        });
        let collation = given.collation();
        Ok(AggregateUse { function, distinct, argument, collation, filter, order, traits })
    }

    fn separator(&mut self, name: &str, argument: Option<&ast::Expr>) -> Outcome<String> {
        let Some(argument) = argument else { return Ok(",".into()) };
        let place = self.place(argument);
        let bound = constant::fold(self.bind(argument)?.expr);
        match literal_of(&bound) {
            Some(Value::Null) => Ok(String::new()),
            Some(Value::Text(text)) => Ok(text.to_string()),
            Some(value) => Ok(value.to_string()),
            None => place.refuse(format!("the separator of {name} has to be a constant")),
        }
    }

    fn aggregate_order(
        &mut self,
        name: &str,
        list: &ast::FunctionArgumentList,
        argument: &Option<Bound>,
        distinct: bool,
        place: Place,
    ) -> Outcome<Vec<(Expr, Direction)>> {
        let mut order = Vec::new();
        for clause in &list.clauses {
            let ast::FunctionArgumentClause::OrderBy(terms) = clause else {
                return place.refuse(format!("{clause} is not of SQLite"));
            };
            for term in terms {
                let place = self.place(term).or(place);
                let bound = self.bind(&term.expr)?;
                if distinct && argument.as_ref().is_none_or(|given| given.expr != bound.expr) {
                    return place
                        .refuse(format!("{name}(DISTINCT …) can only be ordered by its argument"));
                }
                order.extend(sort_keys(bound, &term.options, place)?);
            }
        }
        // Of other aggregates the order of the rows does not matter.
        Ok(if matches!(name, "group_concat" | "string_agg") { order } else { Vec::new() })
    }
}

/// The columns by which rows are sorted by one term: where nulls are placed otherwise than by
/// default, whether it is null goes before.
pub(super) fn sort_keys(
    bound: Bound,
    options: &ast::OrderByOptions,
    place: Place,
) -> Outcome<Vec<(Expr, Direction)>> {
    let direction = match &options.sort {
        None | Some(ast::OrderBySort::Asc) => Direction::Asc,
        Some(ast::OrderBySort::Desc) => Direction::Desc,
        Some(_) => return place.refuse("ORDER BY … USING is not of SQLite; use ASC or DESC"),
    };
    let by_default = direction == Direction::Asc;
    let mut keys = Vec::with_capacity(1);
    match options.nulls_first {
        Some(first) if first != by_default && bound.traits.nullable => {
            let null_direction = if first { Direction::Desc } else { Direction::Asc };
            keys.push((is_null(bound.expr.clone(), false), null_direction));
        }
        _ => {}
    }
    keys.push((bound.key(), direction));
    Ok(keys)
}
