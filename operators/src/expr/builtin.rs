//! The functions that the dataflow brings.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::datum::Datum;
use super::eval::same;
use super::pattern::{ended, first_char};
use super::text::{self, Side};
use super::{Builtin, Collation, Expr};
use crate::row::Row;

/// The value of a function for a row. A missing argument is null.
pub(super) fn call<'a>(
    builtin: Builtin,
    collation: Collation,
    arguments: &'a [Expr],
    row: &'a Row,
) -> Datum<'a> {
    let argument = |at: usize| arguments.get(at).map_or(Datum::Null, |each| each.datum(row));
    let all = || arguments.iter().map(|each| each.datum(row));
    match builtin {
        Builtin::Coalesce | Builtin::IfNull => {
            all().find(|value| !value.is_null()).unwrap_or(Datum::Null)
        }
        Builtin::Iif => iif(arguments, row),
        Builtin::NullIf => {
            let value = argument(0);
            if same(&value, &argument(1), collation) { Datum::Null } else { value }
        }
        Builtin::Min => extreme(all(), |value, best| {
            // Of equal values the last.
            value.compare(best, collation).is_none_or(Ordering::is_le)
        }),
        Builtin::Max => extreme(all(), |value, best| {
            // Of equal values the first.
            value.compare(best, collation).is_none_or(Ordering::is_gt)
        }),
        Builtin::TypeOf => Datum::Text(Cow::Borrowed(match argument(0) {
            Datum::Null => b"null",
            Datum::Int(_) => b"integer",
            Datum::Float(_) => b"real",
            Datum::Text(_) => b"text",
            Datum::Blob(_) => b"blob",
        })),
        Builtin::Abs => match argument(0) {
            Datum::Null => Datum::Null,
            Datum::Int(value) => value.checked_abs().map_or(Datum::Null, Datum::Int),
            other => {
                let value = other.to_double();
                Datum::Float(if value < 0.0 { -value } else { value })
            }
        },
        Builtin::Sign => match argument(0).numeric_text() {
            number @ (Datum::Int(_) | Datum::Float(_)) => {
                let value = number.to_double();
                Datum::Int(i64::from(value > 0.0) - i64::from(value < 0.0))
            }
            _ => Datum::Null,
        },
        Builtin::Length => match argument(0) {
            Datum::Text(text) => size(text::characters(ended(&text)).count()),
            other => bytes(&other),
        },
        Builtin::OctetLength => bytes(&argument(0)),
        Builtin::Lower => map(argument(0), |text| text.make_ascii_lowercase()),
        Builtin::Upper => map(argument(0), |text| text.make_ascii_uppercase()),
        Builtin::Substr => {
            let count = arguments.get(2).map(|count| count.datum(row));
            text::substr(argument(0), &argument(1), count)
        }
        Builtin::Trim | Builtin::LeftTrim | Builtin::RightTrim => {
            let set = arguments.get(1).map(|set| set.datum(row));
            let side = match builtin {
                Builtin::LeftTrim => Side::Left,
                Builtin::RightTrim => Side::Right,
                _ => Side::Both,
            };
            trim(argument(0), set, side)
        }
        Builtin::Replace => replace(argument(0), &argument(1), &argument(2)),
        Builtin::Instr => instr(&argument(0), &argument(1)),
        Builtin::Hex => Datum::text(text::hex(&argument(0).to_text().unwrap_or_default())),
        Builtin::Unicode => match argument(0).to_text() {
            Some(text) if !ended(&text).is_empty() => Datum::Int(first_char(&text).into()),
            _ => Datum::Null,
        },
        Builtin::Char => {
            let mut out = Vec::with_capacity(arguments.len());
            all().for_each(|code| text::push_char(&mut out, code.to_integer()));
            Datum::text(out)
        }
        Builtin::Concat => join(&[], all()),
        Builtin::ConcatWs => match argument(0).to_text() {
            Some(separator) => join(&separator, all().skip(1)),
            None => Datum::Null,
        },
    }
}

/// Conditions and values in turn, then the value otherwise.
fn iif<'a>(arguments: &'a [Expr], row: &'a Row) -> Datum<'a> {
    for pair in arguments.chunks(2) {
        match pair {
            [condition, value] if condition.holds(row) => return value.datum(row),
            [otherwise] => return otherwise.datum(row),
            _ => {}
        }
    }
    Datum::Null
}

/// The value that is better than all others; null where one is null.
fn extreme<'a>(
    mut values: impl Iterator<Item = Datum<'a>>,
    better: impl Fn(&Datum<'a>, &Datum<'a>) -> bool,
) -> Datum<'a> {
    let Some(mut best) = values.next() else { return Datum::Null };
    for value in values {
        if best.is_null() || value.is_null() {
            return Datum::Null;
        }
        if better(&value, &best) {
            best = value;
        }
    }
    best
}

fn size<'a>(count: usize) -> Datum<'a> {
    i64::try_from(count).map_or(Datum::Null, Datum::Int)
}

fn bytes<'a>(value: &Datum<'_>) -> Datum<'a> {
    value.to_text().map_or(Datum::Null, |text| size(text.len()))
}

fn map<'a>(value: Datum<'a>, change: impl Fn(&mut [u8])) -> Datum<'a> {
    let Some(text) = value.into_text() else { return Datum::Null };
    let mut text = text.into_owned();
    change(&mut text);
    Datum::text(text)
}

fn trim<'a>(value: Datum<'a>, set: Option<Datum<'_>>, side: Side) -> Datum<'a> {
    let Some(text) = value.into_text() else { return Datum::Null };
    let range = match set {
        None => text::trim(&text, b" ", side),
        Some(set) => match set.to_text() {
            Some(set) => text::trim(&text, &set, side),
            None => return Datum::Null,
        },
    };
    Datum::Text(text::slice(text, range))
}

fn replace<'a>(value: Datum<'a>, from: &Datum<'_>, to: &Datum<'_>) -> Datum<'a> {
    let (Some(text), Some(from)) = (value.into_text(), from.to_text()) else { return Datum::Null };
    if ended(&from).is_empty() {
        return Datum::Text(text);
    }
    let Some(to) = to.to_text() else { return Datum::Null };
    Datum::text(text::replace(&text, &from, &to))
}

fn instr<'a>(value: &Datum<'_>, needle: &Datum<'_>) -> Datum<'a> {
    let in_bytes = value.is_blob() && needle.is_blob();
    match (value.to_text(), needle.to_text()) {
        (Some(text), Some(needle)) => size(text::find(&text, &needle, in_bytes)),
        _ => Datum::Null,
    }
}

fn join<'a>(separator: &[u8], values: impl Iterator<Item = Datum<'a>>) -> Datum<'a> {
    let mut out = Vec::new();
    let mut any = false;
    for value in values {
        let Some(text) = value.to_text() else { continue };
        if any {
            out.extend_from_slice(separator);
        }
        out.extend_from_slice(&text);
        any = true;
    }
    Datum::text(out)
}
