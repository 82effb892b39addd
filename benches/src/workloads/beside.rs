//! Over SQLite: the same writes and reads by SQLite alone, in the same run and in turns with ours,
//! so that what the machine does meanwhile falls on both alike.

use std::hint::black_box;

use penstock::operators::source::Change;
use penstock::{Database, Error};

use crate::cpu::{CpuTimer, Laps};
use crate::report::{MICROS, Outcome, RATIO};
use crate::sqlite::{Plain, Statement};

/// Transactions between turns. SQLite moves its log into the file every thousand pages, at a cost of
/// milliseconds; a prime number keeps that from falling on the same kind of turn again and again.
const TURN: usize = 23;
/// At most so many transactions are each followed by a query,
const REQUERIES: usize = 100;
/// and no more after so many microseconds.
const REQUERY_MICROS: f64 = 1e6;

/// Asks SQLite for the result again.
pub(super) type Requery<'a> = &'a dyn Fn(&Plain) -> Result<(), Error>;

/// The time of some changes.
#[derive(Clone, Copy, Default)]
struct Tally {
    micros: f64,
    changes: usize,
}

impl Tally {
    fn add(&mut self, timer: CpuTimer, changes: usize) {
        self.micros += timer.micros();
        self.changes += changes;
    }

    fn mean(self) -> f64 {
        self.micros / self.changes.max(1) as f64
    }
}

/// Applies the transactions to the database and to SQLite alone. Ours are whole rows in one turn
/// and statements of SQL in the next; SQLite's are autocommitted in one turn and between BEGIN and
/// COMMIT in the next. The last ones to SQLite are each followed by the query.
pub(super) fn push(
    db: &Database,
    plain: &Plain,
    transactions: Vec<Vec<Change>>,
    outcome: &mut Outcome,
    requery: Option<Requery<'_>>,
    mut take: impl FnMut(),
) -> Result<(), Error> {
    let statements = statements(&transactions)?;
    let count = transactions.len();
    let per_transaction = transactions.iter().map(Vec::len).sum::<usize>() as f64 / count as f64;
    let alone = if requery.is_some() { count - (count / 2).min(REQUERIES) } else { count };
    let [mut applied, mut executed, mut auto, mut explicit] = [Tally::default(); 4];
    let mut laps = Laps::start(count);
    let mut transactions = transactions.into_iter();
    for (turn, statements) in statements[..].chunks(TURN).enumerate() {
        let changes = statements.iter().map(Vec::len).sum();
        let turn_of_ours = transactions.by_ref().take(TURN);
        if turn % 2 == 0 {
            laps.resume();
            let timer = CpuTimer::start();
            for transaction in turn_of_ours {
                black_box(db.apply(transaction)?);
                take();
                laps.lap();
            }
            applied.add(timer, changes);
        } else {
            turn_of_ours.for_each(drop);
            let timer = CpuTimer::start();
            for transaction in statements {
                execute(db, transaction)?;
                take();
            }
            executed.add(timer, changes);
        }
        let begin = turn % 2 == 1;
        let here = alone.saturating_sub(turn * TURN).min(statements.len());
        let timer = CpuTimer::start();
        for transaction in &statements[..here] {
            plain.write(transaction, begin)?;
        }
        let tally = if begin { &mut explicit } else { &mut auto };
        tally.add(timer, statements[..here].iter().map(Vec::len).sum());
    }
    let [p50, p99] = laps.percentiles([0.5, 0.99]);
    outcome.push("push_cpu", applied.mean(), MICROS);
    outcome.push("push_sql_cpu", executed.mean(), MICROS);
    outcome.push("push_p50", p50 / per_transaction, MICROS);
    outcome.push("push_p99", p99 / per_transaction, MICROS);
    outcome.push("raw_cpu", auto.mean(), MICROS);
    outcome.push("raw_begin_cpu", explicit.mean(), MICROS);
    outcome.push("push_vs_raw", applied.mean() / auto.mean(), RATIO);
    outcome.push("push_sql_vs_raw", executed.mean() / auto.mean(), RATIO);
    match requery {
        Some(requery) => again(plain, &statements[alone..], requery, outcome),
        None => Ok(()),
    }
}

/// Writes the rest, followed each by the query as long as there is time.
fn again(
    plain: &Plain,
    rest: &[Vec<Statement>],
    requery: Requery<'_>,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let mut tally = Tally::default();
    for transaction in rest {
        let timer = CpuTimer::start();
        plain.write(transaction, false)?;
        if tally.micros < REQUERY_MICROS {
            requery(plain)?;
            tally.add(timer, transaction.len());
        }
    }
    outcome.push("requery_cpu", tally.mean(), MICROS);
    Ok(())
}

fn execute(db: &Database, statements: &[Statement]) -> Result<(), Error> {
    db.transaction(|tx| {
        statements.iter().try_for_each(|statement| {
            tx.execute(statement.sql, statement.values.iter().cloned()).map(drop)
        })
    })
}

fn statements(transactions: &[Vec<Change>]) -> Result<Vec<Vec<Statement>>, Error> {
    let of = |transaction: &Vec<Change>| transaction.iter().map(Statement::of).collect();
    transactions.iter().map(of).collect()
}
