//! From choices on a tape to schemas, rows and queries.
//!
//! Domains are small, so that equal values, nulls and keys that meet are common.

use penstock::{ColumnType, Direction, Value};

use super::model::{Column, Model, Row, TableModel};
use super::query::{Body, Cond, Hop, Op, Right, Start, Sub, TestQuery};
use super::tape::Tape;

/// How often what is generated, in percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    pub(crate) filter: usize,
    pub(crate) exists: usize,
    pub(crate) related: usize,
    pub(crate) junction: usize,
    /// Limit, offset and start, each.
    pub(crate) page: usize,
    pub(crate) order: usize,
}

/// The profiles by number.
pub(crate) const PROFILES: [Profile; 5] = [
    Profile { filter: 60, exists: 30, related: 45, junction: 35, page: 30, order: 50 },
    Profile { filter: 40, exists: 15, related: 30, junction: 30, page: 65, order: 80 },
    Profile { filter: 95, exists: 60, related: 25, junction: 35, page: 20, order: 25 },
    Profile { filter: 35, exists: 20, related: 85, junction: 75, page: 35, order: 45 },
    Profile { filter: 70, exists: 20, related: 40, junction: 20, page: 40, order: 40 },
];

const DEPTH_MAX: usize = 3;

/// A schema of two to four tables; every table has an integer column.
pub(crate) fn schema(tape: &mut Tape<'_>) -> Vec<TableModel> {
    use ColumnType::{Boolean, Integer, Number, Text};
    let tables = 2 + tape.below(3);
    let table = |number: usize| {
        let mut columns = Vec::new();
        let keys = if tape.chance(30) { 2 } else { 1 };
        for key in 0..keys {
            let kind = *tape.pick(&[Integer, Integer, Integer, Text, Boolean, Number]);
            columns.push(Column { name: format!("k{key}"), kind, nullable: false });
        }
        for number in 0..1 + tape.below(5) {
            let kind = if number == 0 { Integer } else { column_type(tape) };
            let nullable = tape.chance(50);
            columns.push(Column { name: format!("c{number}"), kind, nullable });
        }
        // Sometimes the key is not in front.
        let mut key: Vec<usize> = (0..keys).collect();
        if tape.chance(20) {
            columns.reverse();
            key = key.iter().map(|at| columns.len() - 1 - at).collect();
        }
        let unique = if tape.chance(8) { vec![vec![tape.below(columns.len())]] } else { vec![] };
        let unique = unique.into_iter().filter(|unique| {
            !matches!(columns[unique[0]].kind, ColumnType::Json) && !key.contains(&unique[0])
        });
        TableModel { name: format!("t{number}"), unique: unique.collect(), columns, key }
    };
    (0..tables).map(table).collect()
}

fn column_type(tape: &mut Tape<'_>) -> ColumnType {
    use ColumnType::{Blob, Boolean, Integer, Json, Number, Real, Text};
    *tape.pick(&[Integer, Integer, Text, Text, Boolean, Number, Real, Blob, Json])
}

/// A value of a type.
pub(crate) fn value(tape: &mut Tape<'_>, kind: ColumnType, nullable: bool) -> Value {
    if nullable && tape.chance(25) {
        return Value::Null;
    }
    const LARGE: i64 = (1 << 53) + 1;
    match kind {
        ColumnType::Boolean => Value::Bool(tape.below(2) == 1),
        ColumnType::Integer => {
            Value::Int(*tape.pick(&[0, 1, 2, 3, 0, 1, 2, 0, 1, 2, -1, LARGE, i64::MAX]))
        }
        ColumnType::Real => {
            let reals = [0.0, 1.0, 0.5, -0.0, 2.0, -1.5, LARGE as f64, f64::INFINITY];
            if tape.chance(15) { Value::Int(1) } else { Value::Float(*tape.pick(&reals)) }
        }
        ColumnType::Number => match tape.below(10) {
            at @ 0..=3 => Value::Int(at as i64),
            4 => Value::Float(1.0),
            5 => Value::Float(0.5),
            6 => Value::Float(-0.0),
            7 => Value::Int(LARGE),
            8 => Value::Float(LARGE as f64),
            _ => Value::Float(1e21),
        },
        ColumnType::Text => {
            let texts = ["", "a", "b", "A", "ab", "aB", "a%", "a\nb", "é", "É", "\u{ff61}", "😀"];
            Value::from(*tape.pick(&texts))
        }
        ColumnType::Blob => {
            let blobs: [&[u8]; 5] = [&[], &[0], &[0, 1], &[1], &[255]];
            Value::from(tape.pick(&blobs).to_vec())
        }
        ColumnType::Json => Value::Json((*tape.pick(&["1", "[]", r#"{"a":1}"#])).into()),
        ColumnType::Any => match tape.below(4) {
            0 => Value::Int(1),
            1 => Value::Float(0.5),
            2 => Value::from("a"),
            _ => Value::from(vec![1]),
        },
    }
}

/// A whole row of a table. Keys are drawn from more values than other columns.
pub(crate) fn row(tape: &mut Tape<'_>, table: &TableModel) -> Row {
    let value = |(at, column): (usize, &Column)| {
        if column.kind == ColumnType::Integer && table.key.contains(&at) {
            return Value::Int(tape.below(14) as i64);
        }
        value(tape, column.kind, column.nullable)
    };
    table.columns.iter().enumerate().map(value).collect()
}

/// Generates queries over the tables of a model.
pub(crate) struct Generator<'m> {
    pub(crate) model: &'m Model,
    pub(crate) profile: Profile,
    /// Whether to keep to what an AST can say.
    pub(crate) ast: bool,
}

impl Generator<'_> {
    fn tables(&self) -> &[TableModel] {
        &self.model.tables
    }

    pub(crate) fn query(&self, tape: &mut Tape<'_>) -> TestQuery {
        let table = tape.below(self.tables().len());
        let mut body = self.body(tape, table, 0, true);
        body.singular = tape.chance(6);
        TestQuery { table, body, ast: self.ast }
    }

    /// What follows the table of a query or subquery; `pages` allows limit, offset and start.
    fn body(&self, tape: &mut Tape<'_>, table: usize, depth: usize, pages: bool) -> Body {
        let mut body = Body::default();
        let Profile { filter, related, order, .. } = self.profile;
        if tape.chance(filter) {
            let conditions = if tape.chance(25) { 2 } else { 1 };
            body.filters = (0..conditions).map(|_| self.condition(tape, table, 0, depth)).collect();
        }
        if tape.chance(order) {
            body.order = self.order(tape, table);
        }
        if pages {
            self.page(tape, table, &mut body);
        }
        if depth < DEPTH_MAX && tape.chance(related) {
            for number in 0..1 + tape.below(2) {
                let sub = self.sub(tape, table, depth + 1, false);
                body.related.push((format!("r{number}"), sub));
            }
        }
        body
    }

    fn order(&self, tape: &mut Tape<'_>, table: usize) -> Vec<(usize, Direction)> {
        let columns = self.columns(table, |kind| kind != ColumnType::Json);
        let parts = 1 + tape.below(3);
        let part = |_| {
            let direction = if tape.chance(45) { Direction::Desc } else { Direction::Asc };
            (*tape.pick(&columns), direction)
        };
        let parts: Vec<(usize, Direction)> = (0..parts).map(part).collect();
        // An AST may not name a column twice.
        let first = |at: usize| parts[..at].iter().all(|(column, _)| *column != parts[at].0);
        (0..parts.len()).filter(|at| !self.ast || first(*at)).map(|at| parts[at]).collect()
    }

    /// Draws limit, offset and start anew.
    pub(crate) fn page(&self, tape: &mut Tape<'_>, table: usize, body: &mut Body) {
        let percent = self.profile.page;
        body.limit = tape.chance(percent).then(|| *tape.pick(&[2, 1, 3, 2, 1, 4, 5, 6, 0]));
        body.offset = if !self.ast && tape.chance(percent / 2) { tape.below(4) } else { 0 };
        body.start = None;
        if tape.chance(percent / 2) {
            body.start = self.start(tape, table, body);
        }
    }

    /// A cursor in the order of a body: the place of a row, or any place.
    pub(crate) fn start(&self, tape: &mut Tape<'_>, table: usize, body: &Body) -> Option<Start> {
        let schema = &self.tables()[table];
        let rows = &self.model.rows[table];
        let row = match !rows.is_empty() && tape.chance(60) {
            true => tape.pick(rows).clone(),
            false => row(tape, schema),
        };
        let exclusive = !tape.chance(40);
        let partial = tape.chance(12);
        let columns = body.completed(schema);
        if self.ast && columns.iter().any(|(column, _)| !is_json_scalar(&row[*column])) {
            return None;
        }
        let mut values: Vec<(usize, Value)> =
            columns.iter().map(|(column, _)| (*column, row[*column].clone())).collect();
        if partial {
            values.truncate(tape.below(values.len()));
        }
        Some(Start { values, exclusive })
    }

    /// A subquery of a table's rows.
    fn sub(&self, tape: &mut Tape<'_>, parent: usize, depth: usize, exists: bool) -> Sub {
        let hops = match tape.chance(self.profile.junction) {
            true if self.ast && exists => 1,
            true if !self.ast && tape.chance(20) => 3,
            true => 2,
            false => 1,
        };
        let mut sub = Sub { hops: Vec::new(), body: Body::default() };
        let mut near = parent;
        for at in 0..hops {
            let table = tape.below(self.tables().len());
            let on = self.correlation(tape, near, table);
            let filtered = at + 1 < hops && !self.ast && tape.chance(self.profile.filter / 3);
            let filters = filtered.then(|| self.condition(tape, table, 1, depth));
            sub.hops.push(Hop { table, on, filters: filters.into_iter().collect() });
            near = table;
        }
        if exists {
            if tape.chance(self.profile.filter) {
                sub.body.filters.push(self.condition(tape, near, 1, depth));
            }
            sub.body.limit = tape.chance(6).then(|| tape.below(3));
        } else {
            sub.body = self.body(tape, near, depth, hops == 1 || !self.ast);
            sub.body.singular = tape.chance(10) && (!self.ast || sub.body.limit == Some(1));
        }
        sub
    }

    /// One or two pairs of columns that can be compared.
    fn correlation(&self, tape: &mut Tape<'_>, parent: usize, child: usize) -> Vec<(usize, usize)> {
        let (near, far) = (&self.tables()[parent].columns, &self.tables()[child].columns);
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (from, parent) in near.iter().enumerate() {
            for (to, child) in far.iter().enumerate() {
                let json = parent.kind == ColumnType::Json;
                if !json && comparable(parent.kind, child.kind) {
                    pairs.push((from, to));
                }
            }
        }
        let first = *tape.pick(&pairs);
        let mut on = vec![first];
        pairs.retain(|(_, to)| *to != first.1);
        if !pairs.is_empty() && tape.chance(20) {
            on.push(*tape.pick(&pairs));
        }
        on
    }

    /// A condition; `nesting` counts AND, OR and NOT, `depth` subqueries.
    fn condition(&self, tape: &mut Tape<'_>, table: usize, nesting: usize, depth: usize) -> Cond {
        if depth < DEPTH_MAX && tape.chance(self.profile.exists) {
            let sub = Box::new(self.sub(tape, table, depth + 1, true));
            return Cond::Exists { sub, negated: tape.chance(30) };
        }
        if nesting < 3 && tape.chance(40) {
            // Sometimes none at all.
            let parts = *tape.pick(&[2, 2, 2, 3, 1, 0]);
            let parts = (0..parts).map(|_| self.condition(tape, table, nesting + 1, depth));
            let parts: Vec<Cond> = parts.collect();
            return match tape.below(8) {
                0..=4 => Cond::Or(parts),
                5 | 6 => Cond::And(parts),
                _ if self.ast => Cond::Or(parts),
                _ => Cond::Not(Box::new(Cond::And(parts))),
            };
        }
        if !self.ast && nesting < 3 && tape.chance(10) {
            return Cond::Not(Box::new(self.condition(tape, table, nesting + 1, depth)));
        }
        self.comparison(tape, table)
    }

    fn comparison(&self, tape: &mut Tape<'_>, table: usize) -> Cond {
        let columns = self.columns(table, |kind| self.literals(kind));
        let column = *tape.pick(&columns);
        let kind = self.tables()[table].columns[column].kind;
        if self.ast && tape.chance(4) {
            let left = self.literal(tape, kind, true);
            let right = Right::Value(self.literal(tape, kind, true));
            return Cond::Constant {
                left,
                op: *tape.pick(&[Op::Eq, Op::Ne, Op::Lt, Op::Is]),
                right,
            };
        }
        if kind == ColumnType::Text && tape.chance(25) {
            let op = *tape.pick(&[Op::Like, Op::ILike, Op::NotLike, Op::NotILike]);
            let patterns = ["%", "a%", "A%", "%b", "_", "a_b", "É", r"a\%", "", "%B%", "_%_"];
            return Cond::Compare {
                column,
                op,
                right: Right::Value((*tape.pick(&patterns)).into()),
            };
        }
        if tape.chance(15) {
            let values = (0..tape.below(4)).map(|_| self.literal(tape, kind, false)).collect();
            let op = if tape.chance(40) { Op::NotIn } else { Op::In };
            return Cond::Compare { column, op, right: Right::List(values) };
        }
        use Op::{Eq, Ge, Gt, Is, IsNot, Le, Lt, Ne};
        let op = *tape.pick(&[Eq, Eq, Eq, Eq, Ne, Is, IsNot, Lt, Le, Gt, Ge]);
        if !self.ast && tape.chance(20) {
            let others = self.columns(table, |other| comparable(kind, other));
            return Cond::Compare { column, op, right: Right::Column(*tape.pick(&others)) };
        }
        let nullable = matches!(op, Is | IsNot) || tape.chance(5);
        let rows = &self.model.rows[table];
        let value = match !rows.is_empty() && tape.chance(50) {
            true => tape.pick(rows)[column].clone(),
            false => self.literal(tape, kind, nullable),
        };
        let writable = (nullable || !value.is_null()) && (!self.ast || is_json_scalar(&value));
        let value = if writable { value } else { self.literal(tape, kind, false) };
        Cond::Compare { column, op, right: Right::Value(value) }
    }

    /// A literal of a type that the query's form can write down.
    pub(crate) fn literal(&self, tape: &mut Tape<'_>, kind: ColumnType, nullable: bool) -> Value {
        let value = value(tape, kind, nullable);
        if self.ast && !is_json_scalar(&value) { Value::Int(0) } else { value }
    }

    fn literals(&self, kind: ColumnType) -> bool {
        kind != ColumnType::Json && !(self.ast && kind == ColumnType::Blob)
    }

    fn columns(&self, table: usize, accept: impl Fn(ColumnType) -> bool) -> Vec<usize> {
        let columns = self.tables()[table].columns.iter().enumerate();
        columns.filter(|(_, column)| accept(column.kind)).map(|(at, _)| at).collect()
    }

    /// A query of any table that shows another query's rows, and all below them, as related rows.
    pub(crate) fn around(&self, tape: &mut Tape<'_>, inner: &TestQuery) -> TestQuery {
        let table = tape.below(self.tables().len());
        let on = self.correlation(tape, table, inner.table);
        let hop = Hop { table: inner.table, on, filters: Vec::new() };
        let mut body = Body::default();
        let mut inner_body = inner.body.clone();
        inner_body.singular &= !inner.ast || inner_body.limit == Some(1);
        body.related.push(("r0".into(), Sub { hops: vec![hop], body: inner_body }));
        TestQuery { table, body, ast: inner.ast }
    }
}

/// Whether columns of two types can be compared and related.
fn comparable(a: ColumnType, b: ColumnType) -> bool {
    let numeric =
        |kind| matches!(kind, ColumnType::Integer | ColumnType::Real | ColumnType::Number);
    a == b || (numeric(a) && numeric(b))
}

fn is_json_scalar(value: &Value) -> bool {
    match value {
        Value::Blob(_) | Value::Json(_) => false,
        Value::Float(float) => float.is_finite(),
        _ => true,
    }
}
