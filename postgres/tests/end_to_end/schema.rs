//! Tables as a workload makes and knows them.

use crate::kinds::{Class, KINDS, Kind, named};
use crate::rng::Rng;

const TABLE_NAMES: &[&str] = &["item", "Order", "größe", "with space", "quo\"te", "select", "t"];
const COLUMN_NAMES: &[&str] = &["c", "Col", "straße", "a b", "q\"q", "from", "x"];

/// A name as SQL has it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// A position in [`KINDS`].
    kind: usize,
    pub(crate) not_null: bool,
    /// The one by which tables are joined; it is not dropped.
    pub(crate) joins: bool,
    /// Computed by the server from the column that joins, and so not in the replica.
    pub(crate) generated: bool,
}

impl Column {
    pub(crate) fn kind(&self) -> &'static Kind {
        &KINDS[self.kind]
    }

    pub(crate) fn quoted(&self) -> String {
        quoted(&self.name)
    }

    /// A literal, or null where that is allowed.
    pub(crate) fn literal(&self, rng: &mut Rng) -> String {
        if self.joins {
            return rng.range(1, 5).to_string();
        }
        match !self.not_null && rng.chance(20) {
            true => "null".to_owned(),
            false => (self.kind().literal)(rng),
        }
    }

    pub(crate) fn set_kind(&mut self, name: &str) {
        self.kind = named(name);
    }
}

/// By what updates and deletes tell rows apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    Default,
    Full,
    /// A unique index, and no primary key.
    Index,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) schema: &'static str,
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// How many of the columns are the key; they come first.
    pub(crate) key_columns: usize,
    pub(crate) identity: Identity,
    pub(crate) partitioned: bool,
}

impl Table {
    pub(crate) fn sql(&self) -> String {
        format!("{}.{}", quoted(self.schema), quoted(&self.name))
    }

    /// What the replica calls it.
    pub(crate) fn in_replica(&self) -> String {
        match self.schema {
            "public" => self.name.clone(),
            schema => format!("{schema}.{}", self.name),
        }
    }

    pub(crate) fn key(&self) -> &[Column] {
        &self.columns[..self.key_columns]
    }

    /// The columns that a statement may write.
    pub(crate) fn written(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.generated)
    }

    pub(crate) fn joining(&self) -> &Column {
        self.columns.iter().find(|column| column.joins).expect("every table has one that joins")
    }

    /// The statements that make it.
    pub(crate) fn create(&self) -> String {
        let columns = self.columns.iter().map(|column| {
            let not_null = if column.not_null { " not null" } else { "" };
            let generated = match column.generated {
                true => format!(" generated always as ({} * 2) stored", self.joining().quoted()),
                false => String::new(),
            };
            format!("{} {}{not_null}{generated}", column.quoted(), column.kind().name)
        });
        let mut parts: Vec<String> = columns.collect();
        let key: Vec<String> = self.key().iter().map(Column::quoted).collect();
        let (name, key) = (self.sql(), key.join(", "));
        if self.identity != Identity::Index {
            parts.push(format!("primary key ({key})"));
        }
        let partition = match self.partitioned {
            true => format!(" partition by hash ({})", self.key()[0].quoted()),
            false => String::new(),
        };
        let mut sql = format!("create table {name}({}){partition}", parts.join(", "));
        if self.partitioned {
            for part in 0..2 {
                let of =
                    format!("{}.{}", quoted(self.schema), quoted(&format!("{}~{part}", self.name)));
                sql += &format!(
                    "; create table {of} partition of {name} for values with (modulus 2, remainder {part})"
                );
            }
        }
        match self.identity {
            Identity::Default => {}
            Identity::Full => sql += &format!("; alter table {name} replica identity full"),
            Identity::Index => {
                let index = quoted(&format!("{} by key", self.name));
                sql += &format!("; create unique index {index} on {name}({key})");
                sql += &format!("; alter table {name} replica identity using index {index}");
            }
        }
        sql
    }
}

/// All tables of a workload, and names that are not used yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) tables: Vec<Table>,
    names: usize,
    /// Whether tables may be partitioned.
    pub(crate) partitions: bool,
    /// Whether an identity of all columns has those that are generated.
    pub(crate) generated_in_identity: bool,
    /// Whether tables may be dropped: without reports of DDL that is never noticed.
    pub(crate) drops: bool,
    /// From where on the kinds have not been used, so that all are soon.
    next_kind: usize,
}

impl Model {
    /// An empty one, whose columns begin with some kind.
    pub(crate) fn new(partitions: bool, drops: bool, first_kind: usize) -> Model {
        Model { partitions, drops, next_kind: first_kind, ..Model::default() }
    }

    pub(crate) fn new_name(&mut self, of: &[&str], rng: &mut Rng) -> String {
        self.names += 1;
        format!("{}{}", rng.pick(of), self.names)
    }

    pub(crate) fn new_table_name(&mut self, rng: &mut Rng) -> String {
        self.new_name(TABLE_NAMES, rng)
    }

    /// A column of any kind.
    pub(crate) fn new_column(&mut self, rng: &mut Rng) -> Column {
        self.next_kind += 1;
        let kind = self.next_kind % KINDS.len();
        Column {
            name: self.new_name(COLUMN_NAMES, rng),
            kind,
            not_null: rng.chance(15),
            joins: false,
            generated: false,
        }
    }

    fn new_key_column(&mut self, rng: &mut Rng, only_small: bool) -> Column {
        let fits = |kind: &Kind| {
            kind.key.is_some()
                && (!only_small || [Class::Boolean, Class::Small].contains(&kind.class))
        };
        let fitting: Vec<usize> = (0..KINDS.len()).filter(|at| fits(&KINDS[*at])).collect();
        let kind = match rng.chance(40) {
            true => named("int4"),
            false => *rng.pick(&fitting),
        };
        let name = self.new_name(&["id", "Key", "nr"], rng);
        Column { name, kind, not_null: true, joins: false, generated: false }
    }

    /// A table of some columns, not added yet.
    pub(crate) fn new_table(&mut self, rng: &mut Rng) -> Table {
        let key_columns = 1 + rng.below(6) / 4;
        let mut columns = vec![self.new_key_column(rng, false)];
        if columns[0].kind().name == "bool" || columns[0].kind().name == "mood" || key_columns > 1 {
            columns.push(self.new_key_column(rng, true));
        }
        let key_columns = columns.len();
        let name = self.new_name(&["grp"], rng);
        let kind = named("int4");
        columns.push(Column { name, kind, not_null: false, joins: true, generated: false });
        for _ in 0..rng.range(3, 9) {
            columns.push(self.new_column(rng));
        }
        let partitioned = self.partitions && rng.chance(20);
        if rng.chance(25) {
            let name = self.new_name(&["made"], rng);
            columns.push(Column { name, kind, not_null: false, joins: false, generated: true });
        }
        // From 18 on the server refuses updates where a published identity has generated columns.
        let may_be_full = !(self.generated_in_identity && columns.iter().any(|it| it.generated));
        let identity = match rng.below(10) {
            _ if partitioned => Identity::Default,
            0..5 => Identity::Default,
            5..8 if may_be_full => Identity::Full,
            5..8 => Identity::Default,
            _ => Identity::Index,
        };
        let schema = if rng.chance(25) { "other" } else { "public" };
        let name = self.new_table_name(rng);
        Table { schema, name, columns, key_columns, identity, partitioned }
    }
}
