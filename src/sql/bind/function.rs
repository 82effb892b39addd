//! Calls of scalar functions, and which calls are aggregates.

use penstock_operators::expr::{Builtin, Collation, Expr, Function};
use penstock_operators::value::{ColumnType, Value};
use sqlparser::ast;

use super::super::aggregate::is_aggregate;
use super::super::bound::Bound;
use super::super::error::{Outcome, Place};
use super::super::functions;
use super::super::scope::same;
use super::{Binder, argument_collation, common_type, literal_of};

impl Binder<'_> {
    pub(super) fn function(&mut self, call: &ast::Function, place: Place) -> Outcome<Bound> {
        let name = match call.name.0.as_slice() {
            [ast::ObjectNamePart::Identifier(name)] => name.value.to_ascii_lowercase(),
            _ => return place.refuse(format!("{} is not a function", call.name)),
        };
        if call.over.is_some() {
            return place.refuse(
                "window functions (OVER) are not supported in live queries; use GROUP BY, or \
                 ORDER BY … LIMIT",
            );
        }
        if !call.within_group.is_empty() || call.null_treatment.is_some() {
            return place.refuse(format!(
                "WITHIN GROUP and the treatment of nulls are not supported; write {name}(…)"
            ));
        }
        let list = match &call.args {
            ast::FunctionArguments::List(list) => list,
            ast::FunctionArguments::Subquery(_) if same(&name, "array") || same(&name, "one") => {
                let form = name.to_ascii_uppercase();
                return place.refuse(format!(
                    "{form}(SELECT …) can only be an item of a SELECT list, as in \
                     {form}(SELECT …) AS name"
                ));
            }
            ast::FunctionArguments::Subquery(_) => {
                return place.refuse(format!(
                    "a subquery as an argument needs parentheses of its own: {name}((SELECT …))"
                ));
            }
            ast::FunctionArguments::None => {
                return place.refuse(format!(
                    "{name} depends on the time, so its value would change without a write; pass \
                     the time as a parameter"
                ));
            }
        };
        if is_aggregate(&name, list.args.len()) {
            return self.aggregate(&name, call, list, place);
        }
        if let Some(filter) = &call.filter {
            let place = self.place(&**filter).or(place);
            return place.refuse(format!("FILTER is for aggregates; {name} is none"));
        }
        if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
            return place.refuse(format!(
                "DISTINCT and ORDER BY within the arguments are for aggregates; {name} is none"
            ));
        }
        let mut arguments = Vec::with_capacity(list.args.len());
        for argument in &list.args {
            match argument {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => arguments.push(expr),
                _ => {
                    return place
                        .refuse(format!("{name} takes plain arguments; * is for count(*)"));
                }
            }
        }
        self.scalar_function(&name, &arguments, place)
    }

    /// A call of a scalar function.
    pub(super) fn scalar_function(
        &mut self,
        name: &str,
        arguments: &[&ast::Expr],
        place: Place,
    ) -> Outcome<Bound> {
        let function = match functions::function(name, arguments.len()) {
            Some(Ok(function)) => function,
            Some(Err(problem)) => return place.refuse(problem),
            None => return place.refuse(format!("there is no function {name}")),
        };
        let arguments =
            arguments.iter().map(|argument| self.bind(argument)).collect::<Outcome<Vec<_>>>()?;
        let literals: Vec<Option<&Value>> =
            arguments.iter().map(|argument| literal_of(&argument.expr)).collect();
        if let Some(problem) = functions::refuse_literal(name, &literals) {
            return place.refuse(problem);
        }
        let stated = arguments.iter().find(|argument| argument.traits.explicit);
        let stated = stated.map(|argument| argument.traits.collation);
        let mut bound = call(function, arguments);
        if let Some(collation) = stated {
            (bound.traits.collation, bound.traits.explicit) = (collation, true);
        }
        Ok(bound)
    }
}

fn call(function: Function, arguments: Vec<Bound>) -> Bound {
    let collation = argument_collation(&arguments);
    let any_null = arguments.iter().any(|argument| argument.traits.nullable);
    let all_null = arguments.iter().all(|argument| argument.traits.nullable);
    let types = arguments.iter().map(|argument| argument.traits.column_type).collect::<Vec<_>>();
    let (column_type, nullable) = match &function {
        Function::Builtin(Builtin::Min | Builtin::Max) => (common_type(types), any_null),
        Function::Builtin(Builtin::Coalesce | Builtin::IfNull) => (common_type(types), all_null),
        Function::Builtin(Builtin::NullIf) => (common_type([types[0]]), true),
        Function::Builtin(Builtin::Iif) => {
            let nullable = arguments.iter().skip(1).any(|argument| argument.traits.nullable);
            (common_type(types.into_iter().skip(1)), nullable || arguments.len().is_multiple_of(2))
        }
        Function::Builtin(
            Builtin::Lower
            | Builtin::Upper
            | Builtin::Trim
            | Builtin::LeftTrim
            | Builtin::RightTrim
            | Builtin::Replace,
        ) => (ColumnType::Text, any_null),
        Function::Builtin(Builtin::TypeOf | Builtin::Hex) => (ColumnType::Text, false),
        Function::Builtin(Builtin::Length | Builtin::OctetLength | Builtin::Instr) => {
            (ColumnType::Integer, any_null)
        }
        _ => (ColumnType::Any, true),
    };
    let arguments = arguments.into_iter().map(|argument| argument.expr).collect();
    let function = match function {
        Function::Builtin(builtin @ (Builtin::Min | Builtin::Max | Builtin::NullIf))
            if collation != Collation::Binary =>
        {
            Function::Collated(builtin, collation)
        }
        other => other,
    };
    let (function, arguments) = functions::compose(function, arguments);
    Bound::new(Expr::Call { function, arguments }, column_type, nullable)
}
