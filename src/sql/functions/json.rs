//! Calls of JSON functions within each other.
//!
//! SQLite marks the JSON that a function makes, so that as an argument of another one it is not
//! taken for text: `json_array(json_array(1))` is `[[1]]`. Values have no such mark, so calls that
//! are arguments of calls are evaluated by SQLite as one.

use penstock_operators::expr::{Expr, Function, HostFunction};

use super::host::hosted;

fn is_json(host: &HostFunction) -> bool {
    // Calls within calls may begin with parentheses of operators.
    let name = host.name().trim_start_matches('(');
    name.starts_with("json") || name.starts_with("? ->")
}

/// See [`compose`](super::compose).
pub(super) fn compose(function: Function, arguments: Vec<Expr>) -> (Function, Vec<Expr>) {
    let made = |argument: &Expr| match argument {
        Expr::Call { function: Function::Host(inner), .. } => is_json(inner),
        _ => false,
    };
    let Function::Host(outer) = &function else { return (function, arguments) };
    if !is_json(outer) || !arguments.iter().any(made) {
        return (function, arguments);
    }
    let mut sql = String::new();
    let mut flat = Vec::new();
    // No name of a function has a question mark, so each stands for an argument.
    let mut pieces = outer.name().split('?');
    sql.push_str(pieces.next().unwrap_or_default());
    for (argument, piece) in arguments.into_iter().zip(pieces) {
        match argument {
            Expr::Call { function: Function::Host(inner), arguments } if is_json(&inner) => {
                sql.push_str(inner.name());
                flat.extend(arguments);
            }
            other => {
                sql.push('?');
                flat.push(other);
            }
        }
        sql.push_str(piece);
    }
    (Function::Host(hosted("json", sql)), flat)
}
