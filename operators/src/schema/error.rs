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
    EmptyColumnName { table: String },
    /// A relationship without a name.
    #[error("table \"{table}\": a relationship has an empty name")]
    EmptyRelationshipName { table: String },
    /// Two tables of one name.
    #[error("table \"{table}\" is declared twice")]
    DuplicateTable { table: String },
    /// Two columns of one name.
    #[error("table \"{table}\": column \"{column}\" is declared twice")]
    DuplicateColumn { table: String, column: String },
    /// A table without columns.
    #[error("table \"{table}\" has no columns")]
    NoColumns { table: String },
    /// A table without a primary key, or with one of no columns.
    #[error("table \"{table}\" has no primary key; declare it with primary_key([…])")]
    NoPrimaryKey { table: String },
    /// A primary key of a column that the table does not have.
    #[error(
        "table \"{table}\": primary-key column \"{column}\" is not a column of it; it has: {known}"
    )]
    UnknownPrimaryKeyColumn { table: String, column: String, known: String },
    /// A primary key that names a column twice.
    #[error("table \"{table}\": the primary key names column \"{column}\" twice")]
    DuplicatePrimaryKeyColumn { table: String, column: String },
    /// A primary key of a column that may be null.
    #[error(
        "table \"{table}\": primary-key column \"{column}\" is nullable; declare it with column(…)"
    )]
    NullablePrimaryKeyColumn { table: String, column: String },
    /// A primary key of a json column.
    #[error("table \"{table}\": primary-key column \"{column}\" is json, which cannot be compared")]
    JsonPrimaryKeyColumn { table: String, column: String },
    /// A unique key of no columns.
    #[error("table \"{table}\": a unique key has no columns")]
    EmptyUniqueKey { table: String },
    /// A unique key of a column that the table does not have.
    #[error(
        "table \"{table}\": unique-key column \"{column}\" is not a column of it; it has: {known}"
    )]
    UnknownUniqueColumn { table: String, column: String, known: String },
    /// A unique key that names a column twice.
    #[error("table \"{table}\": a unique key names column \"{column}\" twice")]
    DuplicateUniqueColumn { table: String, column: String },
    /// A unique key of a json column.
    #[error("table \"{table}\": unique-key column \"{column}\" is json, which cannot be compared")]
    JsonUniqueColumn { table: String, column: String },
    /// Two relationships of one name.
    #[error("table \"{table}\": relationship \"{relationship}\" is declared twice")]
    DuplicateRelationship { table: String, relationship: String },
    /// A relationship that is called as a column is.
    #[error("table \"{table}\": relationship \"{relationship}\" has the name of a column")]
    RelationshipIsColumn { table: String, relationship: String },
    /// A relationship that leads nowhere.
    #[error("table \"{table}\": relationship \"{relationship}\" has no hops")]
    NoHops { table: String, relationship: String },
    /// A relationship to a table that is not declared.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" leads to \"{target}\", \
         which is not a table; there are: {known}"
    )]
    UnknownRelatedTable { table: String, relationship: String, target: String, known: String },
    /// A relationship by a column that its table does not have.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" uses column \"{column}\", \
         which is not in table \"{of}\"; it has: {known}"
    )]
    UnknownRelatedColumn {
        table: String,
        relationship: String,
        of: String,
        column: String,
        known: String,
    },
    /// A relationship with different numbers of columns on its two sides.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" relates {from} columns of \
         \"{near}\" to {to} columns of \"{far}\"; the numbers must be equal"
    )]
    MismatchedColumns {
        table: String,
        relationship: String,
        near: String,
        from: usize,
        far: String,
        to: usize,
    },
    /// A hop by no columns.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" relates \"{near}\" to \"{far}\" \
         by no columns"
    )]
    NoRelatedColumns { table: String, relationship: String, near: String, far: String },
    /// A hop that gives one column of the far side two columns to equal.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" names column \"{column}\" \
         of table \"{of}\" twice"
    )]
    RepeatedRelatedColumn { table: String, relationship: String, of: String, column: String },
    /// A relationship by columns whose values can never be equal.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" relates column \"{from}\" of \
         \"{near}\", which is {from_type}, to column \"{to}\" of \"{far}\", which is {to_type}; \
         columns of different types cannot be related"
    )]
    IncomparableTypes {
        table: String,
        relationship: String,
        near: String,
        from: String,
        from_type: ColumnType,
        far: String,
        to: String,
        to_type: ColumnType,
    },
    /// A relationship by a json column.
    #[error(
        "table \"{table}\": relationship \"{relationship}\" uses column \"{column}\" of table \
         \"{of}\", which is json and cannot be compared"
    )]
    JsonCorrelation { table: String, relationship: String, of: String, column: String },
}
