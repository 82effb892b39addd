//! The values that a query's parameters stand for.

use std::collections::BTreeMap;

use penstock_operators::value::Value;
use serde_json::{Map, Value as Json};

use super::error::{QueryError, suggestion};
use super::form::Term;
use super::path::Path;
use crate::json::scalar_to_value;

/// The values that a query's parameters stand for, given when it is compiled: values by name for
/// [`param`](super::param), and JSON objects by anchor for the static parameters of an AST.
///
/// ```
/// use penstock::query::Params;
/// use serde_json::json;
///
/// let params = Params::new()
///     .set("owner", 7)
///     .set_list("states", ["open", "new"])
///     .anchor("authData", json!({"sub": "u1"}).as_object().cloned().unwrap_or_default());
/// # let _ = params;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    named: BTreeMap<String, Bound>,
    anchors: BTreeMap<String, Map<String, Json>>,
}

/// What a parameter stands for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bound {
    One(Value),
    List(Vec<Value>),
}

impl Params {
    /// No parameters.
    pub fn new() -> Params {
        Params::default()
    }

    /// Bytes on the heap of what was given by name; objects are not counted.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.named.len() * std::mem::size_of::<(String, Bound)>()
    }

    /// Gives the parameter of a name its value.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<Value>) -> Params {
        self.named.insert(name.into(), Bound::One(value.into()));
        self
    }

    /// Gives the parameter of a name a list of values, for `IN` and `NOT IN`.
    #[must_use]
    pub fn set_list(
        mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = impl Into<Value>>,
    ) -> Params {
        let values = values.into_iter().map(Into::into).collect();
        self.named.insert(name.into(), Bound::List(values));
        self
    }

    /// Gives an anchor of static parameters its object.
    #[must_use]
    pub fn anchor(mut self, anchor: impl Into<String>, object: Map<String, Json>) -> Params {
        self.anchors.insert(anchor.into(), object);
        self
    }

    /// The single value of a name.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        match self.named.get(name)? {
            Bound::One(value) => Some(value),
            Bound::List(_) => None,
        }
    }

    /// What a term stands for, if it is a parameter or a literal; `None` for a column.
    pub(super) fn bind(&self, term: &Term, path: &Path<'_>) -> Result<Option<Bound>, QueryError> {
        match term {
            Term::Column(_) => Ok(None),
            Term::Literal(value) => Ok(Some(Bound::One(value.clone()))),
            Term::List(values) => Ok(Some(Bound::List(values.clone()))),
            Term::Param(name) => self.named.get(name).cloned().map(Some).ok_or_else(|| {
                let known = self.named.keys().map(String::as_str);
                path.error(format!(
                    "parameter \"{name}\" is not supplied; {}",
                    suggestion(name, known, "the parameter set")
                ))
            }),
            Term::Static { anchor, field } => self.bind_static(anchor, field, path).map(Some),
        }
    }

    fn bind_static(
        &self,
        anchor: &str,
        field: &[String],
        path: &Path<'_>,
    ) -> Result<Bound, QueryError> {
        let object = self.anchors.get(anchor).ok_or_else(|| {
            path.error(format!("parameter \"{anchor}\" is not supplied: it anchors a static value"))
        })?;
        let name = || format!("{anchor}.{}", field.join("."));
        let mut found = None;
        let mut within = Some(object);
        for key in field {
            found = within.and_then(|object| object.get(key));
            within = found.and_then(Json::as_object);
        }
        match found {
            // A claim that an object lacks is null, as where the object says so.
            None => Ok(Bound::One(Value::Null)),
            Some(Json::Array(items)) => items
                .iter()
                .map(scalar_to_value)
                .collect::<Option<_>>()
                .map(Bound::List)
                .ok_or_else(|| {
                    path.error(format!("parameter \"{}\" holds a list of non-scalars", name()))
                }),
            Some(json) => scalar_to_value(json).map(Bound::One).ok_or_else(|| {
                path.error(format!("parameter \"{}\" is an object, not a value", name()))
            }),
        }
    }
}
