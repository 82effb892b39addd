//! Random schemas: as SQL for SQLite, and as a schema of tables in memory.

use penstock::operators::expr::{Affinity, Collation};
use penstock::operators::schema::Column as Declaration;
use penstock::{ColumnType, Schema as MemorySchema, Table as MemoryTable};

use super::kinds::Kinds;
use super::random::Random;

/// A declared type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    Integer,
    Real,
    Text,
    Boolean,
    Numeric,
    Typeless,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) declared: Declared,
    pub(crate) nocase: bool,
    pub(crate) not_null: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) key: Vec<usize>,
    pub(crate) without_rowid: bool,
    pub(crate) unique: Vec<Vec<usize>>,
    pub(crate) indexes: Vec<Vec<usize>>,
    /// A column that refers to the key of a table, with what follows the REFERENCES clause.
    pub(crate) foreign: Option<(usize, String, &'static str)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Schema {
    pub(crate) tables: Vec<Table>,
    pub(crate) triggers: Vec<String>,
    /// Whether columns hold only values of their type, as those of tables in memory must.
    pub(crate) strict: bool,
}

/// Texts of which columns hold some.
const TEXTS: [&str; 14] =
    ["a", "A", "b", "B", "ab", "aB", "", "b ", "1", "10", "2.5", "-1", "a%b", "é"];

impl Column {
    /// What kinds of values it may hold.
    pub(crate) fn kinds(&self, strict: bool) -> Kinds {
        let text = if strict { Kinds::NONE } else { Kinds::TEXT };
        let kinds = match self.declared {
            Declared::Integer if strict => Kinds::INT,
            Declared::Integer => Kinds::INT | Kinds::FRACTION | text,
            Declared::Real => Kinds::REAL | text,
            Declared::Text => Kinds::TEXT,
            Declared::Boolean => Kinds::INT | text,
            Declared::Numeric => Kinds::INT | Kinds::FRACTION | text,
            Declared::Typeless => Kinds::INT | Kinds::FRACTION | Kinds::TEXT | Kinds::BLOB,
        };
        if self.nocase { kinds | Kinds::NOCASE } else { kinds }
    }

    /// A value, as SQL.
    pub(crate) fn value(&self, random: &mut Random, strict: bool) -> String {
        if !self.not_null && random.chance(18) {
            return "NULL".to_owned();
        }
        let loose = !strict && random.chance(12);
        // Numbers other than 0 and 1 among booleans sort after them.
        let declared = match self.declared {
            Declared::Boolean if loose => return random.pick(&["'a'", "'A'", "''"]).to_string(),
            _ if loose => Declared::Typeless,
            declared => declared,
        };
        match declared {
            Declared::Integer => integer(random),
            // A real is one of few binary fractions, so that sums do not depend on the order.
            Declared::Real => real(random),
            Declared::Text => text(random),
            Declared::Boolean => random.below(2).to_string(),
            Declared::Numeric if random.chance(60) => integer(random),
            Declared::Numeric => fraction(random),
            Declared::Typeless => match random.below(8) {
                0..=2 => integer(random),
                3 => fraction(random),
                4 if self.declared == Declared::Typeless => {
                    random.pick(&["x'61'", "x''", "x'4142'"]).to_string()
                }
                _ => text(random),
            },
        }
    }

    fn ddl(&self) -> String {
        let declared = match self.declared {
            Declared::Integer => " INTEGER",
            Declared::Real => " REAL",
            Declared::Text => " TEXT",
            Declared::Boolean => " BOOLEAN",
            Declared::Numeric => " NUMERIC",
            Declared::Typeless => "",
        };
        let collate = if self.nocase { " COLLATE NOCASE" } else { "" };
        let null = if self.not_null { " NOT NULL" } else { "" };
        format!("{}{declared}{collate}{null}", self.name)
    }

    fn declaration(&self) -> Declaration {
        let (column_type, affinity) = match self.declared {
            Declared::Integer => (ColumnType::Integer, Affinity::Integer),
            Declared::Real => (ColumnType::Real, Affinity::Real),
            Declared::Text => (ColumnType::Text, Affinity::Text),
            Declared::Boolean => (ColumnType::Boolean, Affinity::Numeric),
            Declared::Numeric => (ColumnType::Any, Affinity::Numeric),
            Declared::Typeless => (ColumnType::Any, Affinity::Blob),
        };
        let collation = if self.nocase { Collation::NoCase } else { Collation::Binary };
        let (name, nullable) = (self.name.clone(), !self.not_null);
        Declaration { name, column_type, nullable, affinity, collation }
    }
}

pub(crate) fn integer(random: &mut Random) -> String {
    let small = random.below(9) as i64 - 2;
    if random.chance(4) { (small * 1000).to_string() } else { small.to_string() }
}

pub(crate) fn real(random: &mut Random) -> String {
    random.pick(&["0.5", "1.0", "2.0", "-1.5", "2.5", "0.25", "10.0", "-3.0"]).to_string()
}

pub(crate) fn fraction(random: &mut Random) -> String {
    random.pick(&["0.5", "1.5", "-0.5", "2.25"]).to_string()
}

pub(crate) fn text(random: &mut Random) -> String {
    format!("'{}'", random.pick(&TEXTS))
}

impl Table {
    /// The names of the key's columns.
    pub(crate) fn key_names(&self) -> impl Iterator<Item = &str> {
        self.key.iter().map(|column| self.columns[*column].name.as_str())
    }

    fn names(&self, columns: &[usize]) -> String {
        let names: Vec<&str> = columns.iter().map(|at| self.columns[*at].name.as_str()).collect();
        names.join(", ")
    }

    fn ddl(&self) -> Vec<String> {
        let rowid = self.key == [0] && self.columns[0].declared == Declared::Integer;
        let mut lines: Vec<String> = self.columns.iter().map(Column::ddl).collect();
        if rowid && !self.without_rowid {
            lines[0] = format!("{} INTEGER PRIMARY KEY", self.columns[0].name);
        } else {
            lines.push(format!("PRIMARY KEY ({})", self.names(&self.key)));
        }
        if let Some((column, table, action)) = &self.foreign {
            let name = &self.columns[*column].name;
            lines.push(format!("FOREIGN KEY ({name}) REFERENCES {table}{action}"));
        }
        let options = if self.without_rowid { " WITHOUT ROWID" } else { "" };
        let mut ddl = vec![format!("CREATE TABLE {} ({}){options}", self.name, lines.join(", "))];
        for (unique, indexes) in [("UNIQUE ", &self.unique), ("", &self.indexes)] {
            for index in indexes {
                let (name, columns) = (&self.name, self.names(index));
                let number = ddl.len();
                ddl.push(format!("CREATE {unique}INDEX {name}_{number} ON {name}({columns})"));
            }
        }
        ddl
    }

    fn memory(&self) -> MemoryTable {
        let table = MemoryTable::new(self.name.clone());
        let table = self
            .columns
            .iter()
            .fold(table, |table, column| table.with_declared(column.declaration()));
        table.primary_key(self.key_names().map(str::to_owned).collect::<Vec<_>>())
    }
}

impl Schema {
    pub(crate) fn ddl(&self) -> Vec<String> {
        let mut ddl: Vec<String> = self.tables.iter().flat_map(Table::ddl).collect();
        ddl.extend(self.triggers.iter().cloned());
        ddl
    }

    pub(crate) fn memory(&self) -> MemorySchema {
        MemorySchema::new(self.tables.iter().map(Table::memory)).expect("a valid schema")
    }

    pub(crate) fn table(&self, name: &str) -> &Table {
        self.tables.iter().find(|table| table.name == name).expect("a table of the schema")
    }
}

/// A random schema.
pub(crate) fn schema(random: &mut Random, strict: bool) -> Schema {
    let mut tables: Vec<Table> = Vec::new();
    let count = random.range(2, 4);
    for name in ["t", "u", "v", "w"].into_iter().take(count) {
        let table = table(random, name, strict, &tables);
        tables.push(table);
    }
    let mut triggers = Vec::new();
    if !strict && random.chance(12) {
        let (from, to) = (&tables[0], &tables[1]);
        let event = random.pick(&["INSERT", "DELETE", "UPDATE"]);
        let column = random.pick(&to.columns[to.key.len()..]);
        let (set, value) = (&column.name, column.value(random, true));
        let body = match random.below(2) {
            0 => format!("UPDATE {} SET {set} = {value} WHERE {set} IS NOT {value}", to.name),
            _ => format!("DELETE FROM {} WHERE {set} IS {value}", to.name),
        };
        triggers.push(format!(
            "CREATE TRIGGER after_{} AFTER {event} ON {} BEGIN {body}; END",
            from.name, from.name
        ));
    }
    Schema { tables, triggers, strict }
}

fn table(random: &mut Random, name: &str, strict: bool, before: &[Table]) -> Table {
    let column =
        |name: String, declared, nocase, not_null| Column { name, declared, nocase, not_null };
    let mut columns = Vec::new();
    let key = match random.below(10) {
        0..=5 => {
            columns.push(column("id".to_owned(), Declared::Integer, false, false));
            vec![0]
        }
        6 | 7 => {
            let nocase = random.chance(30);
            columns.push(column("k".to_owned(), Declared::Text, nocase, true));
            vec![0]
        }
        _ => {
            let second = *random.pick(&[Declared::Integer, Declared::Text]);
            columns.push(column("id".to_owned(), Declared::Integer, false, true));
            columns.push(column("k".to_owned(), second, false, true));
            vec![0, 1]
        }
    };
    let without_rowid = random.chance(25);
    // The key of a WITHOUT ROWID table and that of a table in memory takes no null.
    columns[0].not_null |= without_rowid || strict;
    for at in 0..random.range(2, 4) {
        let declared = match random.below(12) {
            0..=3 => Declared::Integer,
            4..=6 => Declared::Text,
            7 => Declared::Real,
            8 => Declared::Boolean,
            9 => Declared::Numeric,
            _ => Declared::Typeless,
        };
        let nocase = declared == Declared::Text && random.chance(25);
        let name = ["a", "b", "c", "d"][at].to_owned();
        columns.push(column(name, declared, nocase, random.chance(15)));
    }
    let free: Vec<usize> = (key.len()..columns.len()).collect();
    let mut unique = Vec::new();
    let mut indexes = Vec::new();
    if !strict && random.chance(15) {
        unique.push(vec![*random.pick(&free), *random.pick(&free)]);
        unique[0].dedup();
    }
    if random.chance(50) {
        indexes.push(vec![*random.pick(&free)]);
    }
    let mut foreign = None;
    let parents: Vec<&Table> =
        before.iter().filter(|table| table.key == [0] && table.columns[0].name == "id").collect();
    if !strict && !parents.is_empty() && random.chance(20) {
        let action = random.pick(&[
            " ON DELETE CASCADE ON UPDATE CASCADE",
            " ON DELETE SET NULL",
            "",
            " DEFERRABLE INITIALLY DEFERRED",
        ]);
        let column = *random.pick(&free);
        foreign = Some((column, random.pick(&parents).name.clone(), *action));
    }
    Table { name: name.to_owned(), columns, key, without_rowid, unique, indexes, foreign }
}
