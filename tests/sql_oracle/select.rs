//! A SELECT in parts, so that it can be made smaller, and its text.

use std::collections::BTreeSet;

use penstock::Value;

/// What stands before and after the number of a parameter in the texts of the parts.
const MARK: char = '\u{1}';

#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) expression: String,
    pub(crate) alias: Option<String>,
}

/// A table, a subquery or a CTE in FROM, with how it is joined to those before.
#[derive(Clone, Debug)]
pub(crate) struct From {
    pub(crate) join: &'static str,
    pub(crate) source: FromSource,
    pub(crate) alias: String,
    /// `ON …` or `USING (…)`.
    pub(crate) constraint: Vec<String>,
    pub(crate) using: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum FromSource {
    Name(String),
    Select(Box<Select>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Core {
    pub(crate) distinct: bool,
    pub(crate) items: Vec<Item>,
    pub(crate) from: Vec<From>,
    pub(crate) conditions: Vec<String>,
    pub(crate) group: Vec<String>,
    pub(crate) having: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Select {
    pub(crate) with: Vec<(String, Select)>,
    /// Each with the operator before it; that of the first is empty.
    pub(crate) cores: Vec<(&'static str, Core)>,
    pub(crate) order: Vec<String>,
    pub(crate) limit: Option<String>,
    pub(crate) offset: Option<String>,
}

/// How parameters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Question,
    Numbered,
    Named,
}

/// A live query of a case.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) select: Select,
    pub(crate) params: Vec<Value>,
    pub(crate) style: Style,
    /// Whether the order is that of all rows, so that the list can be compared as a list.
    pub(crate) total: bool,
    /// What it uses.
    pub(crate) features: BTreeSet<&'static str>,
    /// Before which step it is subscribed, and before which it is let go.
    pub(crate) live: (usize, usize),
}

/// The text of a statement with what its parameters are given.
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) params: Params,
}

pub(crate) enum Params {
    Positional(Vec<Value>),
    Named(Vec<(String, Value)>),
}

/// What stands for a parameter in the parts of a query.
pub(crate) fn parameter(number: usize) -> String {
    format!("{MARK}{number}{MARK}")
}

fn joined(parts: &[String], separator: &str) -> String {
    parts.join(separator)
}

impl Core {
    fn text(&self) -> String {
        let items: Vec<String> = self
            .items
            .iter()
            .map(|item| match &item.alias {
                Some(alias) => format!("{} AS {alias}", item.expression),
                None => item.expression.clone(),
            })
            .collect();
        let distinct = if self.distinct { "DISTINCT " } else { "" };
        let mut text = format!("SELECT {distinct}{}", joined(&items, ", "));
        for (at, from) in self.from.iter().enumerate() {
            let join = if at == 0 { " FROM " } else { from.join };
            let source = match &from.source {
                FromSource::Name(name) if *name == from.alias => name.clone(),
                FromSource::Name(name) => format!("{name} AS {}", from.alias),
                FromSource::Select(select) => format!("({}) AS {}", select.text(), from.alias),
            };
            text += &format!("{join}{source}");
            if let Some(using) = &from.using {
                text += &format!(" USING ({using})");
            } else if !from.constraint.is_empty() {
                text += &format!(" ON {}", joined(&from.constraint, " AND "));
            }
        }
        for (word, parts, separator) in [
            (" WHERE ", &self.conditions, " AND "),
            (" GROUP BY ", &self.group, ", "),
            (" HAVING ", &self.having, " AND "),
        ] {
            if !parts.is_empty() {
                text += &format!("{word}{}", joined(parts, separator));
            }
        }
        text
    }
}

impl Select {
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (at, (name, select)) in self.with.iter().enumerate() {
            let before = if at == 0 { "WITH " } else { ", " };
            text += &format!("{before}{name} AS ({})", select.text());
        }
        if !self.with.is_empty() {
            text.push(' ');
        }
        for (operator, core) in &self.cores {
            text += &format!("{operator}{}", core.text());
        }
        if !self.order.is_empty() {
            text += &format!(" ORDER BY {}", joined(&self.order, ", "));
        }
        for (word, part) in [(" LIMIT ", &self.limit), (" OFFSET ", &self.offset)] {
            if let Some(part) = part {
                text += &format!("{word}{part}");
            }
        }
        text
    }
}

impl Query {
    /// The statement, with parameters written in the query's style.
    pub(crate) fn statement(&self) -> Statement {
        let text = self.select.text();
        let mut sql = String::new();
        let mut used: Vec<usize> = Vec::new();
        let mut order: Vec<usize> = Vec::new();
        for (at, piece) in text.split(MARK).enumerate() {
            if at % 2 == 0 {
                sql += piece;
                continue;
            }
            let number: usize = piece.parse().expect("the number of a parameter");
            let known = used.iter().position(|used| *used == number);
            let place = known.unwrap_or_else(|| {
                used.push(number);
                used.len() - 1
            });
            order.push(number);
            match self.style {
                Style::Question => sql.push('?'),
                Style::Numbered => sql += &format!("?{}", place + 1),
                Style::Named => sql += &format!("{}p{number}", [':', '$', '@'][number % 3]),
            }
        }
        let value = |number: &usize| self.params[*number].clone();
        let params = match self.style {
            Style::Question => Params::Positional(order.iter().map(value).collect()),
            Style::Numbered => Params::Positional(used.iter().map(value).collect()),
            Style::Named => {
                let name = |number: usize| format!("{}p{number}", [':', '$', '@'][number % 3]);
                let named = used.iter().map(|number| (name(*number), value(number)));
                Params::Named(named.collect())
            }
        };
        Statement { sql, params }
    }
}
