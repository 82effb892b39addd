//! Comparing a result with an expectation: numbers by value, objects in any order of their keys.

use std::fmt;

use serde_json::Value as Json;

/// The first place at which two pieces of JSON differ, in the order of the expected one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// The way to the place, as in `[3].labels[0].name`; empty for the whole.
    pub(crate) path: String,
    /// What is expected there, as text; `nothing` where there should be nothing.
    pub(crate) expected: String,
    /// What was found there.
    pub(crate) found: String,
}

/// How much of a value an error text shows, in characters.
const SHOWN_CHARACTERS: usize = 200;

impl Difference {
    fn new(path: &str, expected: Option<&Json>, found: Option<&Json>) -> Difference {
        Difference { path: path.to_owned(), expected: shown(expected), found: shown(found) }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the whole result" } else { &self.path };
        write!(f, "{path}: expected {}, found {}", self.expected, self.found)
    }
}

fn shown(json: Option<&Json>) -> String {
    let text = json.map_or_else(|| "nothing".to_owned(), Json::to_string);
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The first difference, if any.
pub(crate) fn first_difference(expected: &Json, found: &Json) -> Option<Difference> {
    difference_at(&mut String::new(), expected, found)
}

fn difference_at(path: &mut String, expected: &Json, found: &Json) -> Option<Difference> {
    let length = path.len();
    let mut below = |step: String, expected: Option<&Json>, found: Option<&Json>| {
        path.push_str(&step);
        let difference = match (expected, found) {
            (Some(expected), Some(found)) => difference_at(path, expected, found),
            _ => Some(Difference::new(path, expected, found)),
        };
        path.truncate(length);
        difference
    };
    match (expected, found) {
        (Json::Array(expected), Json::Array(found)) => (0..expected.len().max(found.len()))
            .find_map(|at| below(format!("[{at}]"), expected.get(at), found.get(at))),
        (Json::Object(expected), Json::Object(found)) => expected
            .iter()
            .find_map(|(name, value)| below(format!(".{name}"), Some(value), found.get(name)))
            .or_else(|| {
                let extra = found.iter().find(|(name, _)| !expected.contains_key(*name));
                extra.and_then(|(name, value)| below(format!(".{name}"), None, Some(value)))
            }),
        (Json::Number(a), Json::Number(b)) if same_number(a, b) => None,
        (expected, found) if expected == found => None,
        _ => Some(Difference::new(path, Some(expected), Some(found))),
    }
}

/// Whether two numbers have the same value, however they are written. Integers are compared
/// exactly, everything else as doubles, which is what the cases' numbers are.
fn same_number(a: &serde_json::Number, b: &serde_json::Number) -> bool {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a == b,
        _ => a.as_f64() == b.as_f64(),
    }
}
