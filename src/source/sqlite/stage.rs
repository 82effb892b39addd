//! An ordered read as stages: statements that SQLite can answer by walking an index, and whose
//! rows, one stage after the other, are those of the read in its order.
//!
//! The rows after the position `(a, b, c)` of an order are those with the same first two values
//! and a later third, then those with the same first value and a later second, then those with a
//! later first: three stages, each with an equality on the first columns and a range on the next.
//! Nulls, mixed directions and the booleans, which SQLite keeps among the numbers, add stages.

use penstock_operators::expr::Collation;
use penstock_operators::key::{Direction, KeyBuffer};
use penstock_operators::source::ScanShape;
use penstock_operators::value::Value;

use super::table::{ColumnInfo, TableInfo};
use super::value::{Comparable, Kind, comparable, encoded};

/// What a stage asks of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    IsNull,
    NotNull,
    Equal,
    Above,
    Below,
    KeyEqual,
    KeyAbove,
    KeyBelow,
    IsFalse,
    IsTrue,
    Negative,
    Fraction,
    BeyondTrue,
}

/// A parameter of a stage.
#[derive(Clone, Debug)]
pub(super) enum Parameter {
    Value(Value),
    Key(KeyBuffer),
}

/// One test of a stage, with its parameter if it has one.
#[derive(Clone, Debug)]
pub(super) struct Term {
    column: usize,
    test: Test,
    parameter: Option<Parameter>,
}

/// One statement of a read.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    terms: Vec<Term>,
    /// The first place of the order by which the stage's rows are sorted; before it all are equal.
    order_from: usize,
    /// Whether the first column of that order is one whose values SQLite orders as keys do, though
    /// its kind would not say so.
    native_lead: bool,
    reverse: bool,
}

/// A read whose stages are made.
pub(super) struct Read<'a> {
    pub(super) info: &'a TableInfo,
    pub(super) shape: &'a ScanShape,
    /// The values of the columns held equal.
    pub(super) equal: &'a [Value],
    pub(super) reverse: bool,
}

impl Read<'_> {
    /// The stages of the rows after a position (and at it, if `inclusive`), or of all.
    pub(super) fn stages(&self, from: Option<(&[Value], bool)>) -> Vec<Stage> {
        let mut fixed = Vec::with_capacity(self.equal.len() + self.shape.order.len());
        for (column, value) in self.shape.equal.iter().zip(self.equal) {
            match self.equals(*column, value) {
                Some(term) => fixed.push(term),
                None => return Vec::new(),
            }
        }
        let Some((position, inclusive)) = from else {
            let mut stages = Vec::new();
            let first = self.shape.order.iter().position(|(column, _)| !self.is_held(*column));
            let first = first.unwrap_or(self.shape.order.len());
            self.spread(&fixed, first, None, &mut stages);
            return stages;
        };
        // From the longest common beginning with the position to the shortest.
        let mut groups: Vec<Vec<Stage>> = Vec::new();
        let mut at_position = inclusive;
        for (place, value) in position.iter().enumerate() {
            let (column, _) = self.shape.order[place];
            if let Some(held) = self.held(column) {
                let order = held.cmp(value);
                let later = if self.descends(place) { order.is_lt() } else { order.is_gt() };
                if order.is_eq() {
                    continue;
                }
                if later {
                    let mut stages = Vec::new();
                    self.spread(&fixed, place + 1, None, &mut stages);
                    groups.push(stages);
                }
                at_position = false;
                break;
            }
            let mut stages = Vec::new();
            self.spread(&fixed, place, Some(value), &mut stages);
            groups.push(stages);
            match self.equals(column, value) {
                Some(term) => fixed.push(term),
                None => {
                    at_position = false;
                    break;
                }
            }
        }
        if at_position {
            groups.push(vec![self.stage(&fixed, self.shape.order.len())]);
        }
        groups.into_iter().rev().flatten().collect()
    }

    fn held(&self, column: usize) -> Option<&Value> {
        let place = self.shape.equal.iter().position(|equal| *equal == column)?;
        self.equal.get(place)
    }

    fn is_held(&self, column: usize) -> bool {
        self.shape.equal.contains(&column)
    }

    fn descends(&self, place: usize) -> bool {
        (self.shape.order[place].1 == Direction::Desc) != self.reverse
    }

    fn stage(&self, fixed: &[Term], order_from: usize) -> Stage {
        let terms = fixed.to_vec();
        Stage { terms, order_from, native_lead: false, reverse: self.reverse }
    }

    /// That a column equals a value; `None` where no value of it does.
    fn equals(&self, column: usize, value: &Value) -> Option<Term> {
        if value.is_null() {
            return Some(Term { column, test: Test::IsNull, parameter: None });
        }
        let info = &self.info.columns[column];
        let (test, parameter) = match comparable(value.as_ref(), info.kind, info.affinity) {
            Comparable::Native => (Test::Equal, Parameter::Value(value.clone())),
            Comparable::Keyed => (Test::KeyEqual, Parameter::Key(encoded(value.as_ref()))),
            Comparable::BelowAll | Comparable::AboveAll => return None,
        };
        Some(Term { column, test, parameter: Some(parameter) })
    }

    /// The stages of the rows that have the fixed values and, in the column at a place of the
    /// order, a value after the given one.
    fn spread(&self, fixed: &[Term], place: usize, after: Option<&Value>, out: &mut Vec<Stage>) {
        let Some((column, _)) = self.shape.order.get(place) else {
            return out.push(self.stage(fixed, place));
        };
        let info = &self.info.columns[*column];
        let descends = self.descends(place);
        let mut push = |test: Option<Test>, parameter: Option<Parameter>| {
            let ends = matches!(test, Some(Test::IsNull | Test::IsFalse | Test::IsTrue));
            let mut stage = self.stage(fixed, if ends { place + 1 } else { place });
            stage.native_lead = info.kind == Kind::Boolean
                && matches!(test, Some(Test::Negative | Test::Fraction | Test::BeyondTrue));
            stage.terms.extend(test.map(|test| Term { column: *column, test, parameter }));
            out.push(stage);
        };
        if info.kind == Kind::Boolean
            && let Some(segments) = boolean_segments(after, descends)
        {
            segments.into_iter().for_each(|test| push(Some(test), None));
            return;
        }
        let Some(value) = after else { return push(None, None) };
        let not_null_then_null = |push: &mut dyn FnMut(Option<Test>, Option<Parameter>)| {
            push(Some(Test::NotNull), None);
            push(Some(Test::IsNull), None);
        };
        match (comparable(value.as_ref(), info.kind, info.affinity), descends) {
            (Comparable::BelowAll, false) => push(Some(Test::NotNull), None),
            (Comparable::BelowAll, true) if value.is_null() => {}
            (Comparable::BelowAll, true) => push(Some(Test::IsNull), None),
            (Comparable::AboveAll, false) => {}
            (Comparable::AboveAll, true) => not_null_then_null(&mut push),
            (Comparable::Keyed, _) => {
                let test = if descends { Test::KeyBelow } else { Test::KeyAbove };
                push(Some(test), Some(Parameter::Key(encoded(value.as_ref()))));
            }
            (Comparable::Native, false) => {
                push(Some(Test::Above), Some(Parameter::Value(value.clone())));
            }
            (Comparable::Native, true) => {
                push(Some(Test::Below), Some(Parameter::Value(value.clone())));
                push(Some(Test::IsNull), None);
            }
        }
    }
}

/// The parts of a boolean column after a value, in order; `None` where the value lies within one.
fn boolean_segments(after: Option<&Value>, descends: bool) -> Option<Vec<Test>> {
    let mut segments = [
        Test::IsNull,
        Test::IsFalse,
        Test::IsTrue,
        Test::Negative,
        Test::Fraction,
        Test::BeyondTrue,
    ];
    if descends {
        segments.reverse();
    }
    let reached = match after {
        None => return Some(segments.to_vec()),
        Some(Value::Null) => Test::IsNull,
        Some(Value::Bool(false)) => Test::IsFalse,
        Some(Value::Bool(true)) => Test::IsTrue,
        Some(_) => return None,
    };
    let place = segments.iter().position(|segment| *segment == reached)?;
    Some(segments[place + 1..].to_vec())
}

impl Stage {
    /// What tells the statements of a shape's stages apart.
    pub(super) fn signature(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + 3 * self.terms.len());
        bytes.extend([u8::from(self.reverse), u8::from(self.native_lead)]);
        bytes.extend((self.order_from as u16).to_le_bytes());
        for term in &self.terms {
            bytes.extend((term.column as u16).to_le_bytes());
            bytes.push(term.test as u8);
        }
        bytes
    }

    /// The parameters, in order; the last parameter of the statement is the limit.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.terms.iter().filter_map(|term| term.parameter.as_ref())
    }

    /// The statement.
    pub(super) fn sql(&self, info: &TableInfo, shape: &ScanShape) -> String {
        let mut sql = info.select.clone();
        let mut parameters = 0;
        for (at, term) in self.terms.iter().enumerate() {
            sql.push_str(if at == 0 { " WHERE " } else { " AND " });
            parameters += usize::from(term.parameter.is_some());
            sql.push_str(&term.sql(info, parameters));
        }
        let mut separator = " ORDER BY ";
        for (place, (column, direction)) in shape.order.iter().enumerate().skip(self.order_from) {
            if shape.equal.contains(column) {
                continue;
            }
            sql.push_str(separator);
            separator = ",";
            let native = self.native_lead && place == self.order_from;
            sql.push_str(&order_term(info, *column, native));
            if (*direction == Direction::Desc) != self.reverse {
                sql.push_str(" DESC");
            }
        }
        sql.push_str(&format!(" LIMIT ?{}", parameters + 1));
        sql
    }
}

impl Term {
    fn sql(&self, info: &TableInfo, parameter: usize) -> String {
        let name = info.column(self.column);
        let key = || key_of(info, self.column);
        let collate = match info.columns[self.column].collation {
            Collation::Binary => "",
            _ => " COLLATE BINARY",
        };
        match self.test {
            Test::IsNull => format!("{name} IS NULL"),
            Test::NotNull => format!("{name} IS NOT NULL"),
            Test::Equal => info.equals(self.column, parameter),
            Test::Above => format!("{name}>?{parameter}{collate}"),
            Test::Below => format!("{name}<?{parameter}{collate}"),
            Test::KeyEqual => format!("{}=?{parameter}", key()),
            Test::KeyAbove => format!("{}>?{parameter}", key()),
            Test::KeyBelow => format!("{}<?{parameter}", key()),
            Test::IsFalse => format!("{name}=0"),
            Test::IsTrue => format!("{name}=1"),
            Test::Negative => format!("{name}<0"),
            Test::Fraction => format!("{name}>0 AND {name}<1"),
            Test::BeyondTrue => format!("{name}>1{collate}"),
        }
    }
}

/// The encoding of a column's value, as a blob.
fn key_of(info: &TableInfo, column: usize) -> String {
    format!("penstock_key({},{})", info.columns[column].kind.number(), info.column(column))
}

fn order_term(info: &TableInfo, column: usize, native: bool) -> String {
    let ColumnInfo { kind, collation, .. } = &info.columns[column];
    match (kind, collation) {
        (Kind::Boolean | Kind::Json, _) if !native => key_of(info, column),
        (_, Collation::Binary) => info.column(column),
        _ => format!("{} COLLATE BINARY", info.column(column)),
    }
}
