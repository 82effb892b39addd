//! The SELECTs that stand beside the workloads, run by SQLite over the generated tables after the
//! generated changes: that they ask for what the workloads ask, and that the statements of SQL make
//! the changes that the workloads make.

use penstock::operators::source::Change;
use penstock::{Error, Schema};
use penstock_benches::data::{Data, Sizes, comment_adds, issue_edits, label_toggles};
use penstock_benches::sqlite::{Plain, Statement, fill, open_memory};
use penstock_benches::tables::{self, comment_changes, edit_changes, toggle_changes};
use penstock_benches::workloads::named;
use penstock_benches::workloads::subjects::{self, Subject};

const INDEXES: [&str; 3] =
    ["issue (open, modified DESC, id)", "comment (issueId, created DESC, id)", "issue (modified)"];

fn schema() -> Schema {
    tables::schema().expect("a constant")
}

fn filled(data: &Data) -> Plain {
    let mut connection = open_memory().expect("a database in memory");
    fill(&mut connection, data, &INDEXES).expect("the tables are filled");
    Plain::new(connection)
}

fn write(plain: &Plain, changes: &[Change]) -> Result<(), Error> {
    let statements: Vec<Statement> =
        changes.iter().map(Statement::of).collect::<Result<_, Error>>()?;
    plain.write(&statements, true)
}

fn expect(plain: &Plain, subject: &Subject, workload: &str) {
    let check = plain.check(subject.select, subject.columns).expect("SQLite takes the SELECT");
    let [known] = named(workload)[..] else { panic!("{workload} is one workload") };
    assert_eq!(Some(check.to_string().as_str()), known.check, "{workload}");
}

#[test]
fn the_tables_and_the_edits() {
    let data = Data::generate(Sizes::scaled(1));
    let plain = filled(&data);
    expect(&plain, &subjects::list(), "W1");
    expect(&plain, &subjects::open(), "W1b");
    expect(&plain, &subjects::tree(), "W2");
    expect(&plain, &subjects::with_label(), "W3");
    expect(&plain, &subjects::with_comments(), "W7");

    let edits = issue_edits(&data, 10_000);
    write(&plain, &edit_changes(&schema(), &data, &edits).expect("edits"))
        .expect("SQLite takes the edits");
    expect(&plain, &subjects::list(), "W4");
    expect(&plain, &subjects::tree(), "W4b");
    expect(&plain, &subjects::open(), "W4d");
    expect(&plain, &subjects::any_of_three(), "W8");
    expect(&plain, &subjects::by_owner(), "W9");
    expect(&plain, &subjects::open_discussion(), "W10");
}

#[test]
fn comments_and_labels() {
    let data = Data::generate(Sizes::scaled(1));
    let plain = filled(&data);
    let in_view = plain.select(subjects::list().select, &[]).expect("the list");
    let in_view: Vec<u32> = in_view
        .iter()
        .filter_map(|row| match &row[0] {
            rusqlite::types::Value::Text(id) => id.get(1..)?.parse().ok(),
            _ => None,
        })
        .collect();
    let adds =
        comment_changes(&schema(), &comment_adds(&data, &in_view, 10_000)).expect("comments");
    write(&plain, &adds).expect("SQLite takes the comments");
    expect(&plain, &subjects::tree(), "W4c");
    expect(&plain, &subjects::open_discussion(), "W10c");
    expect(&plain, &subjects::most_discussed(), "W11");

    let toggles = toggle_changes(&schema(), &label_toggles(&data, 5_000)).expect("toggles");
    write(&plain, &toggles).expect("SQLite takes the toggles");
    expect(&plain, &subjects::any_of_three(), "W8b");
}
