//! Conditions made at random, in the SQL of the replica and in that of the server.

use crate::form::Form;
use crate::kinds::Class;
use crate::literals::{TEXTS, quoted};
use crate::queries::{Scope, compared};
use crate::rng::Rng;
use crate::schema::Column;

/// A piece of SQL for both sides.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Both {
    pub(crate) replica: String,
    pub(crate) server: String,
}

impl Both {
    pub(crate) fn new(replica: impl Into<String>, server: impl Into<String>) -> Both {
        Both { replica: replica.into(), server: server.into() }
    }

    pub(crate) fn same(sql: impl Into<String>) -> Both {
        let sql = sql.into();
        Both::new(sql.clone(), sql)
    }

    pub(crate) fn map(&self, f: impl Fn(&str) -> String) -> Both {
        Both::new(f(&self.replica), f(&self.server))
    }

    pub(crate) fn map2(a: &Both, b: &Both, f: impl Fn(&str, &str) -> String) -> Both {
        Both::new(f(&a.replica, &b.replica), f(&a.server, &b.server))
    }

    pub(crate) fn map3(
        a: &Both,
        b: &Both,
        c: &Both,
        f: impl Fn(&str, &str, &str) -> String,
    ) -> Both {
        Both::new(f(&a.replica, &b.replica, &c.replica), f(&a.server, &b.server, &c.server))
    }

    pub(crate) fn and(&self, other: &Both) -> Both {
        Both::map2(self, other, |a, b| format!("{a} AND ({b})"))
    }
}

/// A condition over the columns of one table.
pub(crate) fn condition(rng: &mut Rng, of: Scope<'_>, depth: usize) -> Both {
    if depth > 0 && rng.chance(40) {
        let (a, b) = (condition(rng, of, depth - 1), condition(rng, of, depth - 1));
        return match rng.below(5) {
            0 => a.map(|a| format!("NOT ({a})")),
            1 | 2 => Both::map2(&a, &b, |a, b| format!("({a}) OR ({b})")),
            _ => Both::map2(&a, &b, |a, b| format!("({a}) AND ({b})")),
        };
    }
    simple(rng, of)
}

fn simple(rng: &mut Rng, of: Scope<'_>) -> Both {
    let written: Vec<&Column> = of.table.written().collect();
    let column = *rng.pick(&written);
    let value = of.value(column);
    let is_text = column.kind().class == Class::Text;
    match rng.below(10) {
        0 => {
            let not = if rng.chance(50) { " NOT" } else { "" };
            return present(of, column).map(|value| format!("{value} IS{not} NULL"));
        }
        _ if column.kind().class == Class::Opaque => {}
        1 => {
            let list: Vec<Both> = (0..3).map(|_| operand(rng, column.kind().class)).collect();
            let list = |side: fn(&Both) -> &String| {
                list.iter().map(|both| side(both).clone()).collect::<Vec<_>>().join(", ")
            };
            let list = Both::new(list(|both| &both.replica), list(|both| &both.server));
            let not = if rng.chance(30) { "NOT " } else { "" };
            return Both::map2(&value, &list, |value, list| format!("{value} {not}IN ({list})"));
        }
        2 if is_text => {
            let pattern = *rng.pick(&["'%a%'", "'k1%'", "'_b%'", "'%ü%'", "'%'", "'K_'"]);
            // SQLite's LIKE passes over the case of ASCII letters.
            return Both::new(
                format!("{} LIKE {pattern}", value.replica),
                format!("{} ILIKE {pattern}", value.server),
            );
        }
        3 if column.kind().class != Class::Boolean => {
            let (from, to) = (operand(rng, column.kind().class), operand(rng, column.kind().class));
            return Both::map3(&value, &from, &to, |value, from, to| {
                format!("{value} BETWEEN {from} AND {to}")
            });
        }
        4 => {
            let not = if rng.chance(50) { " NOT" } else { "" };
            return compared(rng, of, column, &format!("IS{not} DISTINCT FROM"));
        }
        _ => {
            let operator = *rng.pick(&["=", "<>", "<", "<=", ">", ">="]);
            return compared(rng, of, column, operator);
        }
    }
    let joining = of.table.joining();
    compared(rng, of, joining, "<=")
}

/// What is null on both sides at the same time.
fn present(of: Scope<'_>, column: &Column) -> Both {
    let value = of.value(column);
    match column.kind().form == Form::Number {
        true => {
            let name = of.column(column);
            let server = format!(
                "(case when {name} in ('NaN', 'Infinity', '-Infinity') then null else {name} end)"
            );
            Both::new(value.replica, server)
        }
        false => value.map(|value| format!("({value})")),
    }
}

/// A constant that columns of a class are compared with.
pub(crate) fn operand(rng: &mut Rng, class: Class) -> Both {
    match class {
        Class::Integer | Class::Small => Both::same(rng.range(-5, 50).to_string()),
        Class::Boolean => Both::same(rng.chance(50).to_string()),
        Class::Double => {
            let number = rng.pick(&["0.0", "0.25", "12.5", "-3.75", "20.99", "100.0", "1e30"]);
            Both::new(*number, format!("({number})::float8"))
        }
        Class::Moment => {
            let all =
                ["0.0", "1767225600000.0", "1768435200000.0", "1770084306000.0", "43200000.0"];
            let number = rng.pick(&all);
            Both::new(*number, format!("({number})::float8"))
        }
        Class::Bytes => {
            let bytes = rng.pick(&["", "00", "0500", "1000", "ff00fe"]);
            Both::new(format!("x'{bytes}'"), format!("'\\x{bytes}'::bytea"))
        }
        Class::Text | Class::Opaque => {
            let text = match rng.chance(50) {
                true => format!("k{}", rng.range(1, 40)),
                false => (*rng.pick(TEXTS)).to_owned(),
            };
            let replica = format!("'{}'", text.replace('\'', "''"));
            Both::new(replica, format!("{}::text", quoted(&text)))
        }
    }
}
