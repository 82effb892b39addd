//! The table of the workloads of scale: each family is a curve, from few to many of one thing. They
//! run when they are named.

use super::list::{PLAIN, target};
use super::{
    Figure, Run, Workload, deep, fan_out, long, shapes, templates, threads, together, wide,
};
use crate::scratch::shapes as scratch;
use crate::scratch::{Scratch, State};

const QUERIES: &str = "As W5q10000, with so many live queries: from 1000 on several subscribers share \
    the result of an owner, and every edit is seen by all of them.";
const ISSUES: &str = "So many live queries of as many issues, the comments of one by created desc, \
    id; limit 10; under 10 000 added comments, half of them to issues in view. No two results are \
    the same as long as there are as many issues (with --scale 10 a million). It is the page that \
    an application shows of one issue: no result is made up to be different.";
const COLUMNS: &str = "So many live queries, each of which reads other columns of a table of 20 000 rows \
    and forty columns (two filters, an order; limit 10), under 10 000 edits of a column that ten \
    of them read, in rows that the others do not show. levels_reached, here and below, is how many \
    levels a change reached: a count of the engine, not a time.";
const TABLES: &str = "As Tc10000, but all queries except those ten are over 99 other tables.";
const RANGES: &str = "So many live queries that differ in the literals of ranges, priority >= n AND \
    modified >= x AND modified < y, by modified desc, id; the intervals cover the time twice, \
    however many they are. Under 10 000 edits that give an issue another time of the same span: \
    each leaves two of the intervals and enters two.";
const OPEN_ENDED: &str = "So many live queries modified > x, by modified, id; limit 10; under the edits \
    of Tr. A row passes the filters of half of them and comes into the windows of few.";
const LISTS: &str = "So many live queries id IN (five issues), by modified desc, id; limit 10; under \
    10 000 edits, half of them of the issues in view.";
const EQUALITIES: &str = "W5c once more, in so many: they differ in a constant of equality, which is \
    lifted, so that all are bindings of one shape.";
const APART: &str = "A tree of six levels with three rows in each list (1092 rows in view), each level a \
    table, 55 986 rows in all; under 10 000 new titles for rows in view at the depth that the \
    name says (0: the top), and push_move_cpu: 2000 rows of that depth, in view or not, that \
    become the first of their list with all that is below.";
const TOGETHER: &str = "As D5, but all six levels are one table that refers to itself.";
const LIST: &str = "W1 live under as many edits as there are issues, so many of them per transaction; \
    figures per edit.";
const TREE: &str = "As X1000 with W2 live.";
const LONG: &str = "So many mixed transactions over data of constant size: edits of one and of ten issues, \
    comments, issues and labels that are added and go again; six live queries that stay, one that \
    reads every thousand transactions, and sixteen that come and go, a new one every hundred, in \
    shapes seen and not seen before. heap_at_* is what the allocator has given out after that \
    percentage of the transactions, resident_at_* what the operating system counts; *_growth \
    the last quarter of these over the second. A transaction includes making it.";

const THREADS: &str = "The most that two threads could gain, by the clock: two databases that share nothing, one \
    after the other (*_serial_wall) and at the same time (*_threads_wall). 2000 queries of W5c \
    hydrated (pages), W7 hydrated (tree), a transaction of 10 000 edits with W1b live (wide).";

const TOGETHER_WAYS: &str = "1000 queries of one kind subscribed to, by the clock: one after the other (*_single_wall), together by \
    one thread and by two; the gains are those of two threads together over one after the other (*_gain), \
    the same with the results read (*_gain_when_read), and of two threads over one \
    (*_gain_of_threads). W5c (pages), W5 (lists), and W5 with W2's related rows (trees).";

const FLAT: &[Figure] = &[target("heap_growth", 1.02), target("resident_growth", 1.02)];

const fn scale(
    name: &'static str,
    about: &'static str,
    run: Run,
    scratch: Option<Scratch>,
) -> Workload {
    Workload { name, about, run, scratch, memory_only: true, ..PLAIN }
}

const fn queries<const N: usize>(name: &'static str) -> Workload {
    Workload {
        bytes: Some(fan_out::owners_bytes::<N>),
        ..scale(
            name,
            QUERIES,
            fan_out::owners::<N>,
            Some(|data| State::edited(data, 1_000).of_owners(N)),
        )
    }
}

const fn issues<const N: usize>(name: &'static str) -> Workload {
    Workload {
        bytes: Some(fan_out::issues_bytes::<N>),
        ..scale(name, ISSUES, fan_out::issues::<N>, Some(|data| scratch::discussions(data, N)))
    }
}

const fn columns<const N: usize>(name: &'static str) -> Workload {
    scale(name, COLUMNS, templates::columns::<N>, None)
}

const fn tables<const N: usize>(name: &'static str) -> Workload {
    scale(name, TABLES, templates::tables::<N>, None)
}

const fn ranges<const N: usize>(name: &'static str) -> Workload {
    scale(name, RANGES, shapes::ranges::<N>, Some(|data| scratch::calendar(data, N)))
}

const fn open_ended<const N: usize>(name: &'static str) -> Workload {
    scale(name, OPEN_ENDED, shapes::open_ended::<N>, Some(|data| scratch::after(data, N)))
}

const fn lists<const N: usize>(name: &'static str) -> Workload {
    scale(name, LISTS, shapes::lists_of::<N>, Some(|data| scratch::pinned(data, N)))
}

const fn equalities<const N: usize>(name: &'static str) -> Workload {
    scale(name, EQUALITIES, shapes::equalities::<N>, Some(|data| scratch::discussions(data, N)))
}

const fn apart<const LEVEL: usize>(name: &'static str) -> Workload {
    scale(name, APART, deep::apart::<LEVEL>, None)
}

const fn together<const LEVEL: usize>(name: &'static str) -> Workload {
    scale(name, TOGETHER, deep::together::<LEVEL>, None)
}

const fn list<const WIDTH: usize>(name: &'static str) -> Workload {
    let scratch: Scratch = |data| State::edited(data, wide::edit_count(data)).list(100);
    scale(name, LIST, wide::list::<WIDTH>, Some(scratch))
}

const fn tree<const WIDTH: usize>(name: &'static str) -> Workload {
    let scratch: Scratch = |data| State::edited(data, wide::edit_count(data)).tree();
    scale(name, TREE, wide::tree::<WIDTH>, Some(scratch))
}

const fn long<const TRANSACTIONS: usize>(name: &'static str) -> Workload {
    Workload { counted: true, memory: FLAT, ..scale(name, LONG, long::run::<TRANSACTIONS>, None) }
}

/// The workloads of scale, family by family.
pub const SCALE: &[Workload] = &[
    queries::<100_000>("W5q100000"),
    queries::<1_000_000>("W5q1000000"),
    issues::<10>("W5cq10"),
    issues::<100>("W5cq100"),
    issues::<1_000>("W5cq1000"),
    issues::<10_000>("W5cq10000"),
    issues::<100_000>("W5cq100000"),
    issues::<1_000_000>("W5cq1000000"),
    columns::<10>("Tc10"),
    columns::<100>("Tc100"),
    columns::<1_000>("Tc1000"),
    columns::<10_000>("Tc10000"),
    tables::<10>("Tt10"),
    tables::<100>("Tt100"),
    tables::<1_000>("Tt1000"),
    tables::<10_000>("Tt10000"),
    ranges::<10>("Tr10"),
    ranges::<100>("Tr100"),
    ranges::<1_000>("Tr1000"),
    ranges::<10_000>("Tr10000"),
    open_ended::<10>("To10"),
    open_ended::<100>("To100"),
    open_ended::<1_000>("To1000"),
    open_ended::<10_000>("To10000"),
    lists::<10>("Ti10"),
    lists::<100>("Ti100"),
    lists::<1_000>("Ti1000"),
    lists::<10_000>("Ti10000"),
    equalities::<10>("Te10"),
    equalities::<100>("Te100"),
    equalities::<1_000>("Te1000"),
    equalities::<10_000>("Te10000"),
    apart::<0>("D0"),
    apart::<1>("D1"),
    apart::<2>("D2"),
    apart::<3>("D3"),
    apart::<4>("D4"),
    apart::<5>("D5"),
    together::<0>("Ds0"),
    together::<1>("Ds1"),
    together::<2>("Ds2"),
    together::<3>("Ds3"),
    together::<4>("Ds4"),
    together::<5>("Ds5"),
    list::<1>("X1"),
    list::<10>("X10"),
    list::<100>("X100"),
    list::<1_000>("X1000"),
    list::<10_000>("X10000"),
    list::<100_000>("X100000"),
    tree::<1>("Xt1"),
    tree::<10>("Xt10"),
    tree::<100>("Xt100"),
    tree::<1_000>("Xt1000"),
    tree::<10_000>("Xt10000"),
    tree::<100_000>("Xt100000"),
    scale("P2", THREADS, threads::apart, Some(threads::expected)),
    scale("P3", TOGETHER_WAYS, together::ways, Some(together::expected)),
    long::<1_000>("L1000"),
    long::<1_000_000>("L1000000"),
    long::<10_000_000>("L10000000"),
];
