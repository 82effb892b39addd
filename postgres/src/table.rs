//! Tables and columns as the server describes them.

use std::fmt;

/// The name of a table within a database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The schema (namespace), `public` for most.
    pub schema: String,
    /// The table.
    pub table: String,
}

impl TableName {
    /// A table of a schema.
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> TableName {
        TableName { schema: schema.into(), table: table.into() }
    }

    /// What the table is called in the replica: its own name in `public`, `schema.table` elsewhere.
    pub fn in_replica(&self) -> String {
        match self.schema.as_str() {
            "public" => self.table.clone(),
            schema => format!("{schema}.{}", self.table),
        }
    }
}

/// `schema.table`, without quotes.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// Which columns of an old row the server sends with updates and deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Those of the primary key (`d`).
    Default,
    /// None (`n`): updates and deletes cannot be followed.
    Nothing,
    /// All (`f`).
    Full,
    /// Those of a unique index (`i`).
    Index,
}

impl Identity {
    /// The letter that stands for it, in the stream and in `pg_class.relreplident`.
    pub(crate) fn letter(self) -> u8 {
        match self {
            Identity::Default => b'd',
            Identity::Nothing => b'n',
            Identity::Full => b'f',
            Identity::Index => b'i',
        }
    }

    /// What a letter stands for.
    pub(crate) fn of_letter(letter: u8) -> Option<Identity> {
        let all = [Identity::Default, Identity::Nothing, Identity::Full, Identity::Index];
        all.into_iter().find(|identity| identity.letter() == letter)
    }

    /// What the letter that a text begins with stands for; nothing, if for none.
    pub(crate) fn of_text(text: &str) -> Identity {
        let letter = text.bytes().next();
        letter.and_then(Identity::of_letter).unwrap_or(Identity::Nothing)
    }
}

/// A table as it is described in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The server's object id of the table; it survives renames.
    pub id: u32,
    /// The name.
    pub name: TableName,
    /// What is sent of old rows.
    pub identity: Identity,
    /// The published columns in their order.
    pub columns: Vec<Column>,
}

/// A column of a [`Relation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name.
    pub name: String,
    /// Whether the column is part of the replica identity.
    pub key: bool,
    /// The object id of the type.
    pub type_id: u32,
    /// The type's modifier (length, precision), or -1.
    pub modifier: i32,
}
