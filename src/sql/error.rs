//! Errors with a place in the text.

use sqlparser::tokenizer::{Location, Span};

use super::place::Located;
use crate::query::QueryError;

/// A place in the text of a statement: line and column, from 1; line 0 is nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

/// What reading, binding and planning give.
pub(super) type Outcome<T> = Result<T, QueryError>;

impl Place {
    /// Where a node of the syntax tree begins.
    pub(super) fn of(node: &impl Located) -> Place {
        node.place()
    }

    pub(super) fn start(span: Span) -> Place {
        Place::from(span.start)
    }

    /// This place, or another where this is nowhere.
    pub(super) fn or(self, other: Place) -> Place {
        if self.line == 0 { other } else { self }
    }

    /// An error at the place.
    pub(super) fn error(self, problem: impl Into<String>) -> QueryError {
        let path = match self.line {
            0 => String::new(),
            line => format!("line {line}, column {}", self.column),
        };
        QueryError { path, problem: problem.into() }
    }

    /// An error at the place, as the outcome that it is.
    pub(super) fn refuse<T>(self, problem: impl Into<String>) -> Outcome<T> {
        Err(self.error(problem))
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Place {
        Place { line: location.line, column: location.column }
    }
}
