//! The scalar functions of SQL by name: those of the dataflow, those that SQLite evaluates, and
//! those that a live query cannot have.

use penstock_operators::expr::{Builtin, Expr, Function};
use penstock_operators::value::Value;

mod dates;
mod host;
mod json;

/// The functions of the dataflow: name, least and most arguments.
const BUILTINS: [(&str, Builtin, usize, usize); 26] = [
    ("abs", Builtin::Abs, 1, 1),
    ("char", Builtin::Char, 0, usize::MAX),
    ("coalesce", Builtin::Coalesce, 2, usize::MAX),
    ("concat", Builtin::Concat, 1, usize::MAX),
    ("concat_ws", Builtin::ConcatWs, 2, usize::MAX),
    ("hex", Builtin::Hex, 1, 1),
    ("if", Builtin::Iif, 2, usize::MAX),
    ("ifnull", Builtin::IfNull, 2, 2),
    ("iif", Builtin::Iif, 2, usize::MAX),
    ("instr", Builtin::Instr, 2, 2),
    ("length", Builtin::Length, 1, 1),
    ("lower", Builtin::Lower, 1, 1),
    ("ltrim", Builtin::LeftTrim, 1, 2),
    ("max", Builtin::Max, 2, usize::MAX),
    ("min", Builtin::Min, 2, usize::MAX),
    ("nullif", Builtin::NullIf, 2, 2),
    ("octet_length", Builtin::OctetLength, 1, 1),
    ("replace", Builtin::Replace, 3, 3),
    ("rtrim", Builtin::RightTrim, 1, 2),
    ("sign", Builtin::Sign, 1, 1),
    ("substr", Builtin::Substr, 2, 3),
    ("substring", Builtin::Substr, 2, 3),
    ("trim", Builtin::Trim, 1, 2),
    ("typeof", Builtin::TypeOf, 1, 1),
    ("unicode", Builtin::Unicode, 1, 1),
    ("upper", Builtin::Upper, 1, 1),
];

/// The functions that SQLite evaluates, where the library has them. They depend on nothing but
/// their arguments, but for the times that `dates` keeps away.
const HOSTED: [&str; 75] = [
    "->",
    "->>",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "ceil",
    "ceiling",
    "cos",
    "cosh",
    "date",
    "datetime",
    "degrees",
    "exp",
    "floor",
    "format",
    "glob",
    "json",
    "json_array",
    "json_array_insert",
    "json_array_length",
    "json_error_position",
    "json_extract",
    "json_insert",
    "json_object",
    "json_patch",
    "json_pretty",
    "json_quote",
    "json_remove",
    "json_replace",
    "json_set",
    "json_type",
    "json_valid",
    "jsonb",
    "jsonb_array",
    "jsonb_array_insert",
    "jsonb_extract",
    "jsonb_insert",
    "jsonb_object",
    "jsonb_patch",
    "jsonb_remove",
    "jsonb_replace",
    "jsonb_set",
    "julianday",
    "like",
    "ln",
    "log",
    "log10",
    "log2",
    "mod",
    "pi",
    "pow",
    "power",
    "printf",
    "quote",
    "radians",
    "round",
    "sin",
    "sinh",
    "soundex",
    "sqrt",
    "strftime",
    "tan",
    "tanh",
    "time",
    "timediff",
    "trunc",
    "unhex",
    "unistr",
    "unistr_quote",
    "unixepoch",
    "zeroblob",
];

/// Hints for SQLite's planner, whose value is their first argument: name and arguments.
const HINTS: [(&str, usize); 3] = [("likely", 1), ("likelihood", 2), ("unlikely", 1)];

/// A scalar function by its name, in any case of ASCII letters, and the number of its arguments.
/// `None` where SQLite has no such function, or only an aggregate. The cost is that of preparing
/// a statement.
///
/// # Errors
///
/// Why a live query cannot call it so, and what to do instead.
pub(crate) fn function(name: &str, argument_count: usize) -> Option<Result<Function, String>> {
    let name = name.to_ascii_lowercase();
    let name = name.as_str();
    let arity = |least: usize, most: usize| match argument_count {
        count if (least..=most).contains(&count) => Ok(()),
        _ => Err(wrong_count(name, least, most, argument_count)),
    };
    // With one argument these are aggregates.
    if matches!(name, "min" | "max") && argument_count == 1 {
        return None;
    }
    if let Some((_, builtin, least, most)) = BUILTINS.iter().find(|each| each.0 == name) {
        return Some(arity(*least, *most).map(|()| Function::Builtin(*builtin)));
    }
    if let Some((_, count)) = HINTS.iter().find(|each| each.0 == name) {
        return Some(arity(*count, *count).map(|()| host::first_argument(name)));
    }
    if let Some(reason) = refused(name) {
        return Some(Err(reason));
    }
    if !HOSTED.contains(&name) {
        return None;
    }
    if let Some(reason) = dates::refuse_count(name, argument_count) {
        return Some(Err(reason));
    }
    Some(host::function(name, argument_count))
}

/// Why a function cannot be called with these arguments, of which those that are literals are
/// known: they would make its value depend on more than its arguments.
pub(crate) fn refuse_literal(name: &str, literals: &[Option<&Value>]) -> Option<String> {
    dates::refuse_literal(&name.to_ascii_lowercase(), literals)
}

/// A call as one that SQLite evaluates at once with the calls that are its arguments, where that
/// matters: JSON made by a function stays JSON as an argument of another.
pub(crate) fn compose(function: Function, arguments: Vec<Expr>) -> (Function, Vec<Expr>) {
    json::compose(function, arguments)
}

fn wrong_count(name: &str, least: usize, most: usize, found: usize) -> String {
    let expected = match (least, most) {
        (1, 1) => "1 argument".to_owned(),
        (least, most) if least == most => format!("{least} arguments"),
        (least, usize::MAX) => format!("{least} arguments or more"),
        (least, most) => format!("{least} to {most} arguments"),
    };
    format!("{name} takes {expected}, found {found}")
}

/// Why a function that SQLite has is not one of a live query.
fn refused(name: &str) -> Option<String> {
    Some(match name {
        "random" | "randomblob" => format!(
            "{name} gives another value at every call, so no result could be kept equal to a \
             fresh one; pass the value as a parameter"
        ),
        "current_date" | "current_time" | "current_timestamp" => dates::depends_on_the_time(name),
        "changes" | "total_changes" | "last_insert_rowid" => format!(
            "{name} depends on what a connection did last, not on rows; read it where the \
             statement is executed"
        ),
        "sqlite_version"
        | "sqlite_source_id"
        | "sqlite_compileoption_get"
        | "sqlite_compileoption_used" => {
            format!("{name} depends on the SQLite library, not on rows; pass it as a parameter")
        }
        "load_extension" | "sqlite_log" | "sqlite_offset" => {
            format!("{name} is not for queries: it has effects or depends on how rows are stored")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
