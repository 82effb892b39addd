//! Queries made at random, in the SQL of the replica and in that of the server.
//!
//! The server's text computes what the mapping makes of each value, so that both compare, order and
//! group the same.

use crate::conditions::{Both, condition, operand};
use crate::form::Form;
use crate::kinds::Class;
use crate::rng::Rng;
use crate::schema::{Column, Model, Table, quoted};

/// A query in both languages.
#[derive(Clone, Debug)]
pub(crate) struct TestQuery {
    pub(crate) replica: String,
    pub(crate) server: String,
    pub(crate) forms: Vec<Form>,
    /// Whether the order of its rows is determined; else they are compared as a bag.
    pub(crate) is_ordered: bool,
}

/// A table under another name within a query.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) table: &'a Table,
    pub(crate) alias: &'static str,
}

impl<'a> Scope<'a> {
    pub(crate) fn of(table: &'a Table, alias: &'static str) -> Scope<'a> {
        Scope { table, alias }
    }

    pub(crate) fn from(&self) -> Both {
        let replica = quoted(&self.table.in_replica());
        Both::new(
            format!("{replica} AS {}", self.alias),
            format!("{} AS {}", self.table.sql(), self.alias),
        )
    }

    /// A column as it is.
    pub(crate) fn column(&self, column: &Column) -> String {
        format!("{}.{}", self.alias, column.quoted())
    }

    /// What both sides compare of a column.
    pub(crate) fn value(&self, column: &Column) -> Both {
        let name = self.column(column);
        let value = column.kind().value(&name);
        Both::new(name, value)
    }

    /// Columns that can be compared.
    pub(crate) fn comparable(&self) -> Vec<&'a Column> {
        let written = self.table.written();
        written.filter(|column| column.kind().class != Class::Opaque).collect()
    }
}

/// The parts of a SELECT.
#[derive(Default)]
struct Parts {
    items: Vec<(Both, Form)>,
    from: Both,
    conditions: Vec<Both>,
    group: Vec<Both>,
    having: Option<Both>,
    order: Vec<Both>,
    distinct: bool,
}

/// A query over some of the tables; none where there are none.
pub(crate) fn query(rng: &mut Rng, model: &Model) -> Option<TestQuery> {
    let table = rng.pick(model.tables.get(..).filter(|tables| !tables.is_empty())?);
    let other = rng.pick(&model.tables);
    let (a, b) = (Scope::of(table, "a"), Scope::of(other, "b"));
    let mut parts = Parts { from: a.from(), ..Parts::default() };
    let shape = rng.below(10);
    match shape {
        0..3 => {}
        3 | 4 => join(rng, &mut parts, a, b),
        5 => left_join(rng, &mut parts, a, b),
        6 => exists(rng, &mut parts, a, b),
        7 => return Some(grouped(rng, parts, a, None)),
        8 => return Some(grouped(rng, parts, a, Some(b))),
        _ => return Some(distinct(rng, parts, a)),
    }
    if rng.chance(70) {
        parts.conditions.push(condition(rng, a, 2));
    }
    let joined = (3..6).contains(&shape);
    let ordered = rng.chance(70);
    items(rng, &mut parts, a);
    if joined {
        items(rng, &mut parts, b);
    }
    if rng.chance(20) {
        let (inner, joining) = (Scope::of(other, "s"), joined_columns(a, Scope::of(other, "s")));
        let from = inner.from();
        let count = Both::map2(&from, &joining, |from, on| {
            format!("(SELECT count(*) FROM {from} WHERE {on})")
        });
        parts.items.push((count, Form::Integer));
    }
    if ordered {
        order(rng, &mut parts, a);
        if joined {
            order(rng, &mut parts, b);
        }
    }
    Some(parts.finish(rng, ordered))
}

/// `a.grp = b.grp`.
fn joined_columns(a: Scope<'_>, b: Scope<'_>) -> Both {
    Both::same(format!("{} = {}", b.column(b.table.joining()), a.column(a.table.joining())))
}

fn join(rng: &mut Rng, parts: &mut Parts, a: Scope<'_>, b: Scope<'_>) {
    let (from, on) = (b.from(), joined_columns(a, b));
    parts.from = Both::map3(&parts.from, &from, &on, |a, b, on| format!("{a} JOIN {b} ON {on}"));
    // Else there are many rows.
    parts.conditions.push(condition(rng, b, 1));
}

fn left_join(rng: &mut Rng, parts: &mut Parts, a: Scope<'_>, b: Scope<'_>) {
    let (from, on) = (b.from(), joined_columns(a, b).and(&condition(rng, b, 1)));
    parts.from =
        Both::map3(&parts.from, &from, &on, |a, b, on| format!("{a} LEFT JOIN {b} ON {on}"));
}

fn exists(rng: &mut Rng, parts: &mut Parts, a: Scope<'_>, b: Scope<'_>) {
    let (from, inner) = (b.from(), condition(rng, b, 1));
    let condition = match rng.below(3) {
        0 => {
            let (from_b, on) = (b.column(b.table.joining()), a.column(a.table.joining()));
            Both::map2(&from, &inner, |from, inner| {
                format!("{on} IN (SELECT {from_b} FROM {from} WHERE {inner})")
            })
        }
        which => {
            let not = if which == 1 { "" } else { "NOT " };
            let on = joined_columns(a, b);
            Both::map3(&from, &on, &inner, |from, on, inner| {
                format!("{not}EXISTS (SELECT 1 FROM {from} WHERE {on} AND ({inner}))")
            })
        }
    };
    parts.conditions.push(condition);
}

/// Some columns of a table.
fn items(rng: &mut Rng, parts: &mut Parts, of: Scope<'_>) {
    let columns: Vec<&Column> = of.table.written().collect();
    let count = 1 + rng.below(3);
    for _ in 0..count {
        let column = *rng.pick(&columns);
        let value = of.value(column);
        parts.items.push((value, column.kind().form));
    }
}

/// Orders by some columns, and by the key so that no rows are equal.
fn order(rng: &mut Rng, parts: &mut Parts, of: Scope<'_>) {
    let comparable = of.comparable();
    let mut columns = Vec::new();
    if !comparable.is_empty() && rng.chance(70) {
        columns.push(*rng.pick(&comparable));
    }
    columns.extend(of.table.key());
    for column in columns {
        let term = ordering(rng, &of.value(column), column.kind().class);
        parts.order.push(term);
    }
}

/// A term of ORDER BY; texts go by their bytes.
fn ordering(rng: &mut Rng, value: &Both, class: Class) -> Both {
    let way =
        rng.pick(&["ASC NULLS FIRST", "ASC NULLS LAST", "DESC NULLS FIRST", "DESC NULLS LAST"]);
    let collate = if class == Class::Text { " COLLATE \"C\"" } else { "" };
    Both::new(format!("{} {way}", value.replica), format!("({}){collate} {way}", value.server))
}

fn distinct(rng: &mut Rng, mut parts: Parts, a: Scope<'_>) -> TestQuery {
    parts.distinct = true;
    let comparable = a.comparable();
    for _ in 0..1 + rng.below(2) {
        let column = *rng.pick(&comparable);
        parts.items.push((a.value(column), column.kind().form));
    }
    if rng.chance(50) {
        parts.conditions.push(condition(rng, a, 1));
    }
    parts.finish(rng, false)
}

fn grouped(rng: &mut Rng, mut parts: Parts, a: Scope<'_>, b: Option<Scope<'_>>) -> TestQuery {
    if let Some(b) = b {
        join(rng, &mut parts, a, b);
    }
    if rng.chance(50) {
        parts.conditions.push(condition(rng, a, 1));
    }
    let comparable = a.comparable();
    for _ in 0..rng.below(3) {
        let column = *rng.pick(&comparable);
        let value = a.value(column);
        if parts.group.iter().any(|known| known.replica == value.replica) {
            continue;
        }
        parts.items.push((value.clone(), column.kind().form));
        let term = ordering(rng, &value, column.kind().class);
        parts.order.push(term);
        parts.group.push(value);
    }
    for _ in 0..1 + rng.below(3) {
        let item = {
            let of = if rng.chance(50) { b.unwrap_or(a) } else { a };
            aggregate(rng, of)
        };
        parts.items.push(item);
    }
    if rng.chance(30) {
        parts.having = Some(Both::same(format!("count(*) > {}", rng.below(4))));
    }
    parts.finish(rng, true)
}

fn aggregate(rng: &mut Rng, of: Scope<'_>) -> (Both, Form) {
    let comparable = of.comparable();
    let column = *rng.pick(&comparable);
    let (value, kind) = (of.value(column), column.kind());
    let call = |name: &str| value.map(|value| format!("{name}({value})"));
    match (rng.below(6), kind.class) {
        (0, _) => (call("count"), Form::Integer),
        (1, _) => (value.map(|value| format!("count(DISTINCT {value})")), Form::Integer),
        (2, Class::Small) => (call("sum"), Form::Integer),
        (3, Class::Small) => {
            let server = format!("avg(({})::float8)", value.server);
            (Both::new(format!("avg({})", value.replica), server), Form::Real)
        }
        (2, Class::Text) => {
            let (term, replica) = (format!("({}) COLLATE \"C\"", value.server), value.replica);
            let list =
                |value: &str, term: &str| format!("string_agg({value}, '|' ORDER BY {term})");
            (Both::new(list(&replica, &replica), list(&value.server, &term)), Form::Text)
        }
        (3, _) => {
            let filter = condition(rng, of, 1);
            (filter.map(|filter| format!("count(*) FILTER (WHERE {filter})")), Form::Integer)
        }
        (4 | 5, Class::Integer | Class::Small | Class::Double | Class::Moment | Class::Text) => {
            let name = *rng.pick(&["min", "max"]);
            let collate = if kind.class == Class::Text { " COLLATE \"C\"" } else { "" };
            let server = format!("{name}(({}){collate})", value.server);
            (Both::new(format!("{name}({})", value.replica), server), kind.form)
        }
        _ => (Both::same("count(*)"), Form::Integer),
    }
}

impl Parts {
    fn finish(self, rng: &mut Rng, ordered: bool) -> TestQuery {
        let all = |of: &[Both], between: &str| {
            let parts = |side: fn(&Both) -> &String| {
                of.iter().map(|both| side(both).clone()).collect::<Vec<_>>().join(between)
            };
            Both::new(parts(|both| &both.replica), parts(|both| &both.server))
        };
        let item = |(at, (value, form)): (usize, &(Both, Form))| {
            Both::new(format!("{} AS c{at}", value.replica), form.sql(&value.server))
        };
        let items: Vec<Both> = self.items.iter().enumerate().map(item).collect();
        let distinct = if self.distinct { "DISTINCT " } else { "" };
        let mut sql = all(&items, ", ").map(|items| format!("SELECT {distinct}{items}"));
        let mut add = |word: &str, part: &Both| {
            sql = Both::map2(&sql, part, |sql, part| format!("{sql} {word} {part}"));
        };
        add("FROM", &self.from);
        if !self.conditions.is_empty() {
            let conditions: Vec<Both> =
                self.conditions.iter().map(|it| it.map(|it| format!("({it})"))).collect();
            add("WHERE", &all(&conditions, " AND "));
        }
        if !self.group.is_empty() {
            add("GROUP BY", &all(&self.group, ", "));
        }
        if let Some(having) = &self.having {
            add("HAVING", having);
        }
        let is_ordered = ordered && !self.order.is_empty();
        if is_ordered {
            add("ORDER BY", &all(&self.order, ", "));
            if rng.chance(50) {
                let limit = format!("{} OFFSET {}", rng.range(1, 12), rng.below(4));
                add("LIMIT", &Both::same(limit));
            }
        }
        let forms = self.items.iter().map(|(_, form)| *form).collect();
        TestQuery { replica: sql.replica, server: sql.server, forms, is_ordered }
    }
}

/// A comparison of a column with a constant, used by conditions too.
pub(crate) fn compared(rng: &mut Rng, of: Scope<'_>, column: &Column, operator: &str) -> Both {
    let constant = operand(rng, column.kind().class);
    Both::map2(&of.value(column), &constant, |value, constant| {
        format!("{value} {operator} {constant}")
    })
}
