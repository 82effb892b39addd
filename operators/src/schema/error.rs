//! What can be wrong with declarations.

use crate::value::ColumnType;

/// Why declarations do not make a schema. Texts name the table, and the column or relationship.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the names in the text of each variant")]
pub enum SchemaError {
    /// A table without a name.
    #[error("a table has an empty name")]
    EmptyTableName,
    /// A column without a name.
    #[error("table \"{table}\": a column has an empty name")]
    EmptyColumnName { table: Box<str> },
    /// A relationship without a name.
    #[error("table \"{table}\": a relationship has an empty name")]
    EmptyRelationshipName { table: Box<str> },
    /// Two tables of one name.
    #[error("table \"{table}\" is declared twice")]
    DuplicateTable { table: Box<str> },
    /// Two columns of one name.
    #[error("table \"{table}\": column \"{column}\" is declared twice")]
    DuplicateColumn { table: Box<str>, column: Box<str> },
    /// A table without columns.
    #[error("table \"{table}\" has no columns")]
    NoColumns { table: Box<str> },
    /// A table without a primary key, or with one of no columns.
    #[error("table \"{table}\" has no primary key; declare it with primary_key([…])")]
    NoPrimaryKey { table: Box<str> },
    /// A primary key of a column that the table does not have.
    #[error(
        "table \"{table}\": primary-key column \"{column}\" is not a column of it; it has: {known}"
    )]
    UnknownPrimaryKeyColumn { table: Box<str>, column: Box<str>, known: Box<str> },
    /// A primary key that names a column twice.
    #[error("table \"{table}\": the primary key names column \"{column}\" twice")]
    DuplicatePrimaryKeyColumn { table: Box<str>, column: Box<str> },
    /// A primary key of a column that may be null.
    #[error(
        "table \"{table}\": primary-key column \"{column}\" is nullable; declare it with column(…)"
    )]
    NullablePrimaryKeyColumn { table: Box<str>, column: Box<str> },
    /// A primary key of a json column.
    #[error("table \"{table}\": primary-key column \"{column}\" is json, which cannot be compared")]
    JsonPrimaryKeyColumn { table: Box<str>, column: Box<str> },
    /// A unique key of no columns.
    #[error("table \"{table}\": a unique key has no columns")]
    EmptyUniqueKey { table: Box<str> },
    /// A unique key of a column that the table does not have.
    #[error(
        "table \"{table}\": unique-key column \"{column}\" is not a column of it; it has: {known}"
    )]
    UnknownUniqueColumn { table: Box<str>, column: Box<str>, known: Box<str> },
    /// A unique key that names a column twice.
    #[error("table \"{table}\": a unique key names column \"{column}\" twice")]
    DuplicateUniqueColumn { table: Box<str>, column: Box<str> },
    /// A unique key of a json column.
    #[error("table \"{table}\": unique-key column \"{column}\" is json, which cannot be compared")]
    JsonUniqueColumn { table: Box<str>, column: Box<str> },
    /// Two relationships of one name.
    #[error("table \"{table}\": relationship \"{relationship}\" is declared twice")]
    DuplicateRelationship { table: Box<str>, relationship: Box<str> },
    /// A relationship that is called as a column is.
    #[error("table \"{table}\": relationship \"{relationship}\" has the name of a column")]
    RelationshipIsColumn { table: Box<str>, relationship: Box<str> },
    /// A relationship that leads nowhere.
    #[error("table \"{table}\": relationship \"{relationship}\" has no hops")]
    NoHops { table: Box<str>, relationship: Box<str> },
    /// A relationship to a table that is not declared.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" leads to \"{target}\", \
         which is not a table; there are: {known}"
    )]
    UnknownRelatedTable {
        table: Box<str>,
        relationship: Box<str>,
        target: Box<str>,
        known: Box<str>,
    },
    /// A relationship by a column that its table does not have.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" uses column \"{column}\", \
         which is not in table \"{of}\"; it has: {known}"
    )]
    UnknownRelatedColumn {
        table: Box<str>,
        relationship: Box<str>,
        of: Box<str>,
        column: Box<str>,
        known: Box<str>,
    },
    /// A relationship with different numbers of columns on its two sides.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" relates {from} columns of \
         \"{near}\" to {to} columns of \"{far}\"; the numbers must be equal"
    )]
    MismatchedColumns {
        table: Box<str>,
        relationship: Box<str>,
        near: Box<str>,
        from: usize,
        far: Box<str>,
        to: usize,
    },
    /// A hop by no columns.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" relates \"{near}\" to \"{far}\" \
         by no columns"
    )]
    NoRelatedColumns { table: Box<str>, relationship: Box<str>, near: Box<str>, far: Box<str> },
    /// A hop that gives one column of the far side two columns to equal.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" names column \"{column}\" \
         of table \"{of}\" twice"
    )]
    RepeatedRelatedColumn {
        table: Box<str>,
        relationship: Box<str>,
        of: Box<str>,
        column: Box<str>,
    },
    /// A relationship by columns whose values can never be equal.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" relates column \"{from}\" of \
         \"{near}\", which is {from_type}, to column \"{to}\" of \"{far}\", which is {to_type}; \
         columns of different types cannot be related"
    )]
    IncomparableTypes {
        table: Box<str>,
        relationship: Box<str>,
        near: Box<str>,
        from: Box<str>,
        from_type: ColumnType,
        far: Box<str>,
        to: Box<str>,
        to_type: ColumnType,
    },
    /// A relationship by a json column.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" uses column \"{column}\" of table \
         \"{of}\", which is json and cannot be compared"
    )]
    JsonCorrelation { table: Box<str>, relationship: Box<str>, of: Box<str>, column: Box<str> },
}
