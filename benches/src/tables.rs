//! The generated data as tables of a database, and the change streams as encoded changes.

use penstock::operators::delta::Batch;
use penstock::operators::key::{Direction, Key, KeyBuffer, encode};
use penstock::operators::source::{
    ApplyError, At, Change, Cursor, ScanId, ScanShape, Source, SourceError, Visitor,
};
use penstock::{
    ColumnType, Database, Error, MemorySource, Row, Schema, SqliteSource, Table, TableId, ValueRef,
};

use crate::data::{
    Comment, Data, Issue, IssueEdit, LabelToggle, added_comment_id, comment_id, issue_id, label_id,
    label_name, user_id,
};

/// The five tables.
///
/// # Errors
/// None: the schema is a constant.
pub fn schema() -> Result<Schema, Error> {
    use ColumnType::{Boolean, Integer, Text};
    Ok(Schema::new([
        Table::new("user")
            .column("id", Text)
            .column("name", Text)
            .column("role", Text)
            .primary_key(["id"]),
        Table::new("issue")
            .column("id", Text)
            .column("title", Text)
            .column("open", Boolean)
            .column("modified", Integer)
            .column("created", Integer)
            .column("ownerId", Text)
            .column("priority", Integer)
            .primary_key(["id"]),
        Table::new("comment")
            .column("id", Text)
            .column("issueId", Text)
            .column("authorId", Text)
            .column("created", Integer)
            .column("body", Text)
            .primary_key(["id"]),
        Table::new("label").column("id", Text).column("name", Text).primary_key(["id"]),
        Table::new("issueLabel")
            .column("issueId", Text)
            .column("labelId", Text)
            .primary_key(["issueId", "labelId"]),
    ])?)
}

/// The number of a table of [`schema`].
///
/// # Errors
/// A name that is not one of the five.
pub fn table(schema: &Schema, name: &str) -> Result<TableId, Error> {
    schema.table_id(name).ok_or_else(|| Error::abort(format!("there is no table \"{name}\"")))
}

fn user_row(user: u32) -> Row {
    let (id, name) = (user_id(user), format!("User {user}"));
    let role = if user.is_multiple_of(10) { "crew" } else { "user" };
    Row::from_refs(&[ValueRef::Text(&id), ValueRef::Text(&name), ValueRef::Text(role)])
}

fn label_row(label: u32) -> Row {
    let (id, name) = (label_id(label), label_name(label));
    Row::from_refs(&[ValueRef::Text(&id), ValueRef::Text(&name)])
}

/// A row of `issue`.
pub fn issue_row(number: u32, issue: &Issue) -> Row {
    Row::from_refs(&[
        ValueRef::Text(&issue_id(number)),
        ValueRef::Text(&issue.title),
        ValueRef::Bool(issue.open),
        ValueRef::Int(issue.modified),
        ValueRef::Int(issue.created),
        ValueRef::Text(&user_id(issue.owner)),
        ValueRef::Int(i64::from(issue.priority)),
    ])
}

fn comment_row(id: &str, comment: &Comment) -> Row {
    Row::from_refs(&[
        ValueRef::Text(id),
        ValueRef::Text(&issue_id(comment.issue)),
        ValueRef::Text(&user_id(comment.author)),
        ValueRef::Int(comment.created),
        ValueRef::Text(&comment.body),
    ])
}

/// A row of `issueLabel`.
pub fn issue_label_row((issue, label): (u32, u32)) -> Row {
    Row::from_refs(&[ValueRef::Text(&issue_id(issue)), ValueRef::Text(&label_id(label))])
}

/// A boolean as it stands in a key.
pub fn encoded(value: bool) -> Key {
    let mut buffer = KeyBuffer::new();
    encode(&mut buffer, ValueRef::Bool(value), Direction::Asc);
    Key::from_slice(&buffer)
}

/// A source filled with the data; packs the rows as it goes.
///
/// # Errors
/// None for generated data.
pub fn load(data: &Data) -> Result<MemorySource, Error> {
    let schema = schema()?;
    let mut source = MemorySource::new(schema.clone());
    let sizes = &data.sizes;
    source.load(table(&schema, "user")?, (0..sizes.users).map(user_row))?;
    source.load(table(&schema, "label")?, (0..sizes.labels).map(label_row))?;
    let issues = (0..).zip(&data.issues).map(|(number, issue)| issue_row(number, issue));
    source.load(table(&schema, "issue")?, issues)?;
    let comments = (0..).zip(&data.comments);
    let comments = comments.map(|(number, comment)| comment_row(&comment_id(number), comment));
    source.load(table(&schema, "comment")?, comments)?;
    let pairs = data.issue_labels.iter().copied().map(issue_label_row);
    source.load(table(&schema, "issueLabel")?, pairs)?;
    Ok(source)
}

/// A database over [`load`].
///
/// # Errors
/// None for generated data.
pub fn database(data: &Data) -> Result<Database, Error> {
    Database::builder().with_source(load(data)?)
}

/// As [`database`], with so many threads that fill the results of queries subscribed to together.
///
/// # Errors
/// None for generated data.
pub fn with_threads(data: &Data, threads: usize) -> Result<Database, Error> {
    Database::builder().threads(threads).with_source(load(data)?)
}

/// A database over a connection to filled tables of SQLite.
///
/// # Errors
/// Tables that cannot be read.
pub fn over(connection: rusqlite::Connection) -> Result<Database, Error> {
    Database::builder().with_source(SqliteSource::from_connection(connection)?)
}

/// A database over [`load`] whose indexes stay when the last query that needs them goes, so that a
/// query can be hydrated again and again with warm indexes.
///
/// # Errors
/// None for generated data.
pub fn database_with_lasting_indexes(data: &Data) -> Result<Database, Error> {
    Database::builder().with_source(LastingIndexes(load(data)?))
}

/// The edits as updates of whole rows.
///
/// # Errors
/// A schema without the five tables.
pub fn edit_changes(
    schema: &Schema,
    data: &Data,
    edits: &[IssueEdit],
) -> Result<Vec<Change>, Error> {
    let table = table(schema, "issue")?;
    let primary = schema.table(table).primary_key_spec();
    let change = |edit: &IssueEdit| {
        let before = &data.issues[edit.issue as usize];
        let issue = Issue { modified: edit.modified, open: edit.open, ..before.clone() };
        let row = issue_row(edit.issue, &issue);
        Change::Update { table, key: primary.key(&row), row }
    };
    Ok(edits.iter().map(change).collect())
}

/// The added comments as inserts.
///
/// # Errors
/// A schema without the five tables.
pub fn comment_changes(schema: &Schema, comments: &[Comment]) -> Result<Vec<Change>, Error> {
    comments.iter().enumerate().map(|(k, comment)| comment_change(schema, k, comment)).collect()
}

/// The k-th added comment as an insert.
///
/// # Errors
/// A schema without the five tables.
pub fn comment_change(schema: &Schema, k: usize, comment: &Comment) -> Result<Change, Error> {
    let row = comment_row(&added_comment_id(k), comment);
    Ok(Change::Insert { table: table(schema, "comment")?, row })
}

/// The label toggles as inserts and deletes.
///
/// # Errors
/// A schema without the five tables.
pub fn toggle_changes(schema: &Schema, toggles: &[LabelToggle]) -> Result<Vec<Change>, Error> {
    let table = table(schema, "issueLabel")?;
    let primary = schema.table(table).primary_key_spec();
    let change = |toggle: &LabelToggle| {
        let row = issue_label_row((toggle.issue, toggle.label));
        let key: Key = primary.key(&row);
        if toggle.added { Change::Insert { table, row } } else { Change::Delete { table, key } }
    };
    Ok(toggles.iter().map(change).collect())
}

/// A source that never drops an index.
struct LastingIndexes(MemorySource);

impl Source for LastingIndexes {
    fn schema(&self) -> &Schema {
        self.0.schema()
    }

    fn prepare(&mut self, shape: &ScanShape) -> Result<ScanId, SourceError> {
        self.0.prepare(shape)
    }

    fn release(&mut self, _: ScanId) {}

    fn get(&self, at: At, table: TableId, key: &[u8]) -> Result<Option<Row>, SourceError> {
        self.0.get(at, table, key)
    }

    fn scan(
        &self,
        at: At,
        scan: ScanId,
        equal: &[u8],
        from: Option<Cursor<'_>>,
        reverse: bool,
        visit: &mut Visitor<'_>,
    ) -> Result<(), SourceError> {
        self.0.scan(at, scan, equal, from, reverse, visit)
    }

    fn begin(&mut self) -> Result<(), SourceError> {
        self.0.begin()
    }

    fn write(&mut self, change: Change) -> Result<(), ApplyError> {
        self.0.write(change)
    }

    fn finish(&mut self) -> Result<Batch, ApplyError> {
        self.0.finish()
    }

    fn commit(&mut self) -> Result<(), SourceError> {
        self.0.commit()
    }

    fn rollback(&mut self) {
        self.0.rollback();
    }

    fn shared(&self) -> Option<&(dyn Source + Sync)> {
        self.0.shared()
    }

    fn memory(&self) -> Vec<(String, usize)> {
        self.0.memory()
    }
}
