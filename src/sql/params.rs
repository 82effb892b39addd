//! The values of a statement's parameters.

use std::collections::BTreeMap;

use penstock_operators::value::Value;

use super::error::{Outcome, Place};
use super::text::Text;
use crate::query::Params;

/// The values of the parameters of a statement: by position for `?`, `?1` and `$1`, by name for
/// `:name`, `@name` and `$name`.
///
/// Made from `()`, from arrays and vectors of values or of `(name, value)` pairs, from tuples of
/// values of several types, or by its methods. Names may be given with or without their sign.
///
/// ```
/// use penstock::SqlParams;
///
/// let by_position = SqlParams::from((7, "open"));
/// let by_name = SqlParams::from([(":owner", 7), (":limit", 50)]);
/// assert_eq!(SqlParams::new().push(7).push("open"), by_position);
/// assert_eq!(SqlParams::new().set("owner", 7).set("limit", 50), by_name);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SqlParams {
    positional: Vec<Value>,
    named: BTreeMap<String, Value>,
}

impl SqlParams {
    /// Bytes on the heap, without those of texts, which the one who gave them may share.
    pub(crate) fn bytes(&self) -> usize {
        self.positional.capacity() * std::mem::size_of::<Value>()
            + self.named.len() * std::mem::size_of::<(String, Value)>()
    }

    /// No values.
    pub fn new() -> SqlParams {
        SqlParams::default()
    }

    /// Gives the next parameter by position its value.
    #[must_use]
    pub fn push(mut self, value: impl Into<Value>) -> SqlParams {
        self.positional.push(value.into());
        self
    }

    /// Gives the parameter of a name its value.
    #[must_use]
    pub fn set(mut self, name: impl AsRef<str>, value: impl Into<Value>) -> SqlParams {
        self.named.insert(bare(name.as_ref()).to_owned(), value.into());
        self
    }

    fn add(self, (name, value): (Option<String>, Value)) -> SqlParams {
        match name {
            Some(name) => self.set(name, value),
            None => self.push(value),
        }
    }
}

/// A name without its sign.
fn bare(name: &str) -> &str {
    name.strip_prefix([':', '@', '$']).unwrap_or(name)
}

/// What one element of a list of [`SqlParams`] may be: a value, or a pair of a name and a value.
pub trait SqlParam {
    /// The name, if there is one, and the value.
    fn into_param(self) -> (Option<String>, Value);
}

macro_rules! values {
    ($($type:ty),*) => {$(
        impl SqlParam for $type {
            fn into_param(self) -> (Option<String>, Value) {
                (None, self.into())
            }
        }
    )*};
}

values!(Value, bool, i64, i32, i16, i8, u32, u16, u8, f64, f32, &str, String, Vec<u8>);

impl<T: Into<Value>> SqlParam for Option<T> {
    fn into_param(self) -> (Option<String>, Value) {
        (None, self.into())
    }
}

impl<N: AsRef<str>, V: Into<Value>> SqlParam for (N, V) {
    fn into_param(self) -> (Option<String>, Value) {
        (Some(self.0.as_ref().to_owned()), self.1.into())
    }
}

impl From<()> for SqlParams {
    fn from((): ()) -> SqlParams {
        SqlParams::new()
    }
}

impl<T: SqlParam, const N: usize> From<[T; N]> for SqlParams {
    fn from(values: [T; N]) -> SqlParams {
        values.into_iter().map(SqlParam::into_param).fold(SqlParams::new(), SqlParams::add)
    }
}

impl<T: SqlParam> From<Vec<T>> for SqlParams {
    fn from(values: Vec<T>) -> SqlParams {
        values.into_iter().map(SqlParam::into_param).fold(SqlParams::new(), SqlParams::add)
    }
}

impl From<&[Value]> for SqlParams {
    fn from(values: &[Value]) -> SqlParams {
        SqlParams { positional: values.to_vec(), named: BTreeMap::new() }
    }
}

macro_rules! tuples {
    ($($($name:ident)*;)*) => {$(
        impl<$($name: Into<Value>),*> From<($($name,)*)> for SqlParams {
            #[allow(non_snake_case)]
            fn from(($($name,)*): ($($name,)*)) -> SqlParams {
                SqlParams::new()$(.push($name))*
            }
        }
    )*};
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}

/// The values of a statement's parameters by their places.
#[derive(Debug)]
pub(super) struct Bindings(BTreeMap<Place, Value>);

impl Bindings {
    /// Finds the value of each parameter of a text. Names that `params` lacks are looked for in
    /// `outer`.
    pub(super) fn new(text: &Text, params: &SqlParams, outer: &Params) -> Outcome<Bindings> {
        let mut values = BTreeMap::new();
        let (mut highest, mut used) = (0, Vec::new());
        for param in text.parameters() {
            let place = param.place;
            let name = bare(&param.name);
            let number = match param.name.strip_prefix(['?', '$']) {
                Some("") => Some(highest + 1),
                Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                    match digits.parse::<usize>() {
                        Ok(number) if number > 0 => Some(number),
                        _ => return place.refuse(format!("{} is no parameter", param.name)),
                    }
                }
                _ => None,
            };
            let value = if let Some(number) = number {
                highest = highest.max(number);
                params.positional.get(number - 1).cloned().ok_or_else(|| {
                    place.error(format!(
                        "parameter {} has no value; {} given",
                        if param.name == "?" { format!("?{number}") } else { param.name.clone() },
                        count(params.positional.len())
                    ))
                })?
            } else {
                used.push(name.to_owned());
                let value = params.named.get(name).or_else(|| outer.value(name));
                value.cloned().ok_or_else(|| {
                    let known: Vec<&str> = params.named.keys().map(String::as_str).collect();
                    let known = match known.len() {
                        0 => "no values by name were given".to_owned(),
                        _ => format!("given are: {}", known.join(", ")),
                    };
                    place.error(format!("parameter {} has no value; {known}", param.name))
                })?
            };
            if matches!(value, Value::Float(float) if float.is_nan()) {
                return place.refuse(format!("parameter {} is NaN; give null instead", param.name));
            }
            values.insert(place, value);
        }
        if params.positional.len() > highest {
            return Place::default().refuse(format!(
                "{} given by position, but the statement has {highest} such parameters",
                count(params.positional.len())
            ));
        }
        if let Some(extra) = params.named.keys().find(|name| !used.contains(name)) {
            return Place::default()
                .refuse(format!("the statement has no parameter \"{extra}\", which was given"));
        }
        Ok(Bindings(values))
    }

    /// The value of the parameter at a place.
    pub(super) fn at(&self, place: Place, name: &str) -> Outcome<Value> {
        let value = self.0.get(&place).cloned();
        value.ok_or_else(|| place.error(format!("parameter {name} is not allowed here")))
    }
}

fn count(values: usize) -> String {
    match values {
        0 => "no values were".into(),
        1 => "1 value was".into(),
        _ => format!("{values} values were"),
    }
}
