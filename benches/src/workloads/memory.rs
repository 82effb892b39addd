//! Loading, and what tables and views hold.

use penstock::{Database, Error, MemorySource, RowInput, row};

use super::subjects;
use crate::alloc::live_bytes;
use crate::cpu::CpuTimer;
use crate::data::{Data, Sizes, comment_id, issue_id, label_id, label_name, user_id};
use crate::report::{BYTES, Outcome, RATIO};
use crate::setting::{Setting, SourceKind};
use crate::tables::{load, schema, table};

const MICROS_PER_ROW: &str = "µs/row";

/// `load`.
pub(super) fn load_time(setting: &Setting) -> Result<Outcome, Error> {
    match setting.source {
        SourceKind::Memory => load_memory(&setting.data),
        _ => load_sqlite(setting),
    }
}

fn load_memory(data: &Data) -> Result<Outcome, Error> {
    let rows = f64::from(data.sizes.rows());
    let mut outcome = Outcome::default();

    let timer = CpuTimer::start();
    let source = load(data)?;
    outcome.push("load_cpu", timer.micros() / rows, MICROS_PER_ROW);
    expect_all(data, &source)?;
    drop(source);

    let db = Database::in_memory(schema()?)?;
    let timer = CpuTimer::start();
    let loaded = load_named(data, &db)?;
    outcome.push("load_named_cpu", timer.micros() / rows, MICROS_PER_ROW);
    if loaded != data.sizes.rows() as usize {
        return Err(Error::abort(format!("{loaded} rows were loaded")));
    }
    Ok(outcome)
}

/// Through the library into empty tables of SQLite, and by SQLite alone.
fn load_sqlite(setting: &Setting) -> Result<Outcome, Error> {
    let nothing = Sizes { users: 0, issues: 0, comments: 0, labels: 0, issue_labels: 0 };
    let empty = Setting { data: Data::generate(nothing), source: setting.source };
    let mut opened = empty.open(subjects::NO_INDEXES)?;
    let rows = f64::from(setting.data.sizes.rows());
    let timer = CpuTimer::start();
    let loaded = load_named(&setting.data, &opened.db)?;
    let ours = timer.micros();
    if loaded != setting.data.sizes.rows() as usize {
        return Err(Error::abort(format!("{loaded} rows were loaded")));
    }
    let Some(plain) = &mut opened.plain else {
        return Err(Error::abort("there is no SQLite beside"));
    };
    let timer = CpuTimer::start();
    plain.load(&setting.data)?;
    let alone = timer.micros();
    let mut outcome = Outcome::default();
    outcome.push("load_named_cpu", ours / rows, MICROS_PER_ROW);
    outcome.push("raw_cpu", alone / rows, MICROS_PER_ROW);
    outcome.push("load_vs_raw", ours / alone, RATIO);
    Ok(outcome)
}

/// Loads the tables the way an application does; returns how many rows there were.
fn load_named(data: &Data, db: &Database) -> Result<usize, Error> {
    let sizes = &data.sizes;
    let user = |i: u32| -> RowInput {
        let role = if i.is_multiple_of(10) { "crew" } else { "user" };
        row! { id: user_id(i), name: format!("User {i}"), role: role }
    };
    let issues = (0..).zip(&data.issues).map(|(i, issue)| {
        row! {
            id: issue_id(i), title: issue.title.as_str(), open: issue.open,
            modified: issue.modified, created: issue.created, ownerId: user_id(issue.owner),
            priority: issue.priority,
        }
    });
    let comments = (0..).zip(&data.comments).map(|(i, comment)| {
        row! {
            id: comment_id(i), issueId: issue_id(comment.issue),
            authorId: user_id(comment.author), created: comment.created,
            body: comment.body.as_str(),
        }
    });
    let labels = (0..sizes.labels).map(|i| row! { id: label_id(i), name: label_name(i) });
    let pairs = data.issue_labels.iter();
    let pairs =
        pairs.map(|&(issue, label)| row! { issueId: issue_id(issue), labelId: label_id(label) });
    Ok(db.load("user", (0..sizes.users).map(user))?
        + db.load("label", labels)?
        + db.load("issue", issues)?
        + db.load("comment", comments)?
        + db.load("issueLabel", pairs)?)
}

/// Compares the numbers of rows with what was generated.
pub(crate) fn expect_all(data: &Data, source: &MemorySource) -> Result<(), Error> {
    let schema = schema()?;
    let mut rows = 0;
    for name in ["user", "label", "issue", "comment", "issueLabel"] {
        rows += source.row_count(table(&schema, name)?);
    }
    if rows == data.sizes.rows() as usize {
        return Ok(());
    }
    Err(Error::abort(format!("the tables have {rows} rows")))
}

/// W7: bytes per source row (of the memory source) and per view entry.
pub(super) fn w7_bytes(setting: &Setting) -> Result<Outcome, Error> {
    let rows = f64::from(setting.data.sizes.rows());
    let subject = subjects::with_comments();
    let mut outcome = Outcome::default();

    let before = live_bytes();
    let opened = setting.open_with_lasting_indexes(subject.indexes)?;
    let db = &opened.db;
    let measured = (live_bytes() - before) as f64;
    // Leaves the indexes behind, so that they do not count as the view's.
    let source = source_bytes(db)?;
    drop(db.subscribe(subject.query.clone())?);
    if setting.source == SourceKind::Memory {
        let (indexed, all) = (source_bytes(db)?, (live_bytes() - before) as f64);
        outcome.push("bytes_per_source_row", source / rows, BYTES);
        outcome.push("bytes_per_source_row_measured", measured / rows, BYTES);
        outcome.push("bytes_per_source_row_indexed", indexed / rows, BYTES);
        outcome.push("bytes_per_source_row_indexed_measured", all / rows, BYTES);
    }

    let before = live_bytes();
    let subscription = db.subscribe(subject.query.clone())?;
    let state = (live_bytes() - before) as f64;
    let usage = db.memory_usage()?;
    let counted = (usage.queries + usage.subscriptions) as f64;
    let before = live_bytes();
    let tree = subscription.rows();
    let copy = (live_bytes() - before) as f64;
    let check = subject.check(&tree);
    let entries = check.rows() as f64;
    outcome.push("bytes_per_view_entry", counted / entries, BYTES);
    outcome.push("bytes_per_view_entry_measured", state / entries, BYTES);
    outcome.push("bytes_per_tree_entry_measured", copy / entries, BYTES);
    outcome.check = Some(check);
    Ok(outcome)
}

fn source_bytes(db: &Database) -> Result<f64, Error> {
    Ok(db.memory_usage()?.source.iter().map(|(_, bytes)| *bytes as f64).sum())
}
