//! Random writes.

use penstock::{Error, Transaction, Value, row};

use super::random::Random;

/// A random statement; it may fail.
pub(crate) fn statement(random: &mut Random) -> String {
    let (id, other) = (random.range(1, 9), random.range(1, 9));
    let small = random.range(0, 8);
    let or = *random.pick(&["", "", "", " OR IGNORE", " OR REPLACE", " OR FAIL"]);
    let name = *random.pick(&["a", "B", "b", "c", "D", "d", "e"]);
    let label = *random.pick(&["x", "y", "X", "ignored"]);
    let points = *random.pick(&["NULL", "0.5", "1", "2.25", "6", "-3", "'much'"]);
    match random.below(18) {
        0 | 1 => format!("INSERT{or} INTO user VALUES({id}, '{name}', {small})"),
        2 | 3 => {
            format!("INSERT{or} INTO issue VALUES({id}, 't{other}', {other}, {}, {points})", id % 2)
        }
        4 => format!(
            "INSERT{or} INTO issue(title, owner, open, points) SELECT 's' || id, id, id % 2, {points} FROM user"
        ),
        5 | 6 => format!(
            "INSERT{or} INTO comment(issue, body) VALUES({other}, 'b{}'), ({id}, 'b2')",
            small % 3
        ),
        7 => format!(
            "INSERT{or} INTO tag VALUES({id}, '{label}', {small}), ({other}, 'y', {points})"
        ),
        8 => format!("UPDATE{or} issue SET points = {points} WHERE id % 3 = {}", id % 3),
        9 => format!("UPDATE{or} issue SET id = {other} WHERE id = {id}"),
        10 => format!(
            "UPDATE{or} user SET name = '{name}', age = {small} WHERE id IN ({id}, {other})"
        ),
        11 => {
            format!("UPDATE{or} tag SET issue = {other}, name = '{label}' WHERE issue = {id}")
        }
        12 => format!("DELETE FROM user WHERE id = {id}"),
        13 => format!("DELETE FROM issue WHERE id IN ({id}, {other})"),
        14 => format!("DELETE FROM comment WHERE id % 4 = {}", id % 4),
        15 => format!(
            "INSERT INTO user VALUES({id}, '{name}', {small}) ON CONFLICT(id) DO UPDATE SET age = age + 1"
        ),
        16 => format!(
            "UPDATE{or} issue SET open = NOT open, title = 't' || (10 - id) WHERE id > {id}"
        ),
        _ => "DELETE FROM audit".to_owned(),
    }
}

/// One write within a transaction; those that fail are passed over.
pub(crate) fn write(
    tx: &mut Transaction<'_>,
    kind: usize,
    sql: &str,
    id: i64,
) -> Result<(), Error> {
    match kind {
        0 => drop(tx.insert("comment", row! { id: id + 20, issue: id, body: "b2" })),
        1 => drop(tx.update("issue", row! { id: id, points: 6.5, open: id % 2 == 0 })),
        2 => {
            let undone = if id % 2 == 0 { "ROLLBACK TO s;" } else { "" };
            tx.execute_batch("SAVEPOINT s")?;
            drop(tx.execute(sql, [0; 0]));
            drop(tx.upsert("user", row! { id: id, name: format!("u{id}"), age: id }));
            tx.execute_batch(&format!("{undone} RELEASE s"))?;
            drop(tx.delete("tag", row! { issue: id, name: "x" }));
        }
        3 => drop(tx.update_at("tag", row! { issue: id, name: "y" }, row! { name: "x" })),
        _ => drop(tx.execute(sql, [Value::Null; 0])),
    }
    Ok(())
}
