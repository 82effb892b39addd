//! Which reads no index of the file serves.

use penstock_operators::expr::Collation;
use penstock_operators::key::Direction;
use penstock_operators::source::{ScanShape, SourceError};
use rusqlite::config::DbConfig;

use super::schema::OWN_PREFIX;
use super::table::{TableInfo, quoted};
use super::{SqliteSource, State};

impl SqliteSource {
    /// For each prepared read that no index of the file gives in order, the statement that would
    /// create one that does, in the order in which they were prepared, without repeats. Such a read
    /// goes through the whole table, or sorts what it finds, each time that it is made.
    pub fn missing_indexes(&self) -> Vec<String> {
        let mut missing: Vec<String> = Vec::new();
        for prepared in self.scans.iter().flatten().filter(|prepared| !prepared.served) {
            if let Ok(info) = self.info(prepared.shape.table) {
                let statement = create_index(info, &prepared.shape);
                if !missing.contains(&statement) {
                    missing.push(statement);
                }
            }
        }
        missing
    }

    /// Whether an index gives the rows of a shape in order, as SQLite plans it.
    pub(super) fn is_served(
        &self,
        info: &TableInfo,
        shape: &ScanShape,
    ) -> Result<bool, SourceError> {
        let equal: Vec<String> = shape
            .equal
            .iter()
            .enumerate()
            .map(|(at, column)| info.equals(*column, at + 1))
            .collect();
        let order: Vec<String> = shape
            .order
            .iter()
            .filter(|(column, _)| !shape.equal.contains(column))
            .map(|part| order_part(info, part))
            .collect();
        let mut sql = format!("EXPLAIN QUERY PLAN {}", info.select);
        if !equal.is_empty() {
            sql.push_str(&format!(" WHERE {}", equal.join(" AND ")));
        }
        if !order.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", order.join(",")));
        }
        let explain = || {
            let mut statement = self.connection.prepare(&sql)?;
            let mut rows = statement.raw_query();
            let mut served = true;
            while let Some(row) = rows.next()? {
                let detail: String = row.get(3)?;
                let scans = detail.starts_with("SCAN") && !shape.equal.is_empty();
                served &= !scans && !detail.contains("TEMP B-TREE");
            }
            Ok(served)
        };
        explain().map_err(|error| self.reader().failure(info, &error))
    }

    /// Creates an index for a shape. Where that fails, reads do without.
    pub(super) fn create_index(&mut self, info: &TableInfo, shape: &ScanShape) -> bool {
        let may_write = matches!(self.state, State::Idle | State::Reading);
        let created = may_write && self.execute_strictly(&create_index(info, shape)).is_ok();
        let version = created.then(|| self.schema_version().ok()).flatten();
        version.into_iter().for_each(|version| self.stand_by_schema(version));
        version.is_some()
    }

    /// Runs DDL of ours. Names in double quotes are names: where no column has one, SQLite would take
    /// it for a text, and an index over that stands in the way of later changes of the table.
    fn execute_strictly(&self, sql: &str) -> rusqlite::Result<()> {
        let setting = DbConfig::SQLITE_DBCONFIG_DQS_DDL;
        let before = self.connection.db_config(setting)?;
        self.connection.set_db_config(setting, false)?;
        let outcome = self.connection.execute_batch(sql);
        self.connection.set_db_config(setting, before)?;
        outcome
    }
}

/// A column of an order, as an index has it.
fn order_part(info: &TableInfo, (column, direction): &(usize, Direction)) -> String {
    let collate = match info.columns[*column].collation {
        Collation::Binary => "",
        _ => " COLLATE BINARY",
    };
    let direction = if *direction == Direction::Desc { " DESC" } else { "" };
    format!("{}{collate}{direction}", info.column(*column))
}

/// The statement that creates an index by which a shape is read in order.
fn create_index(info: &TableInfo, shape: &ScanShape) -> String {
    let mut parts: Vec<(usize, Direction)> =
        shape.equal.iter().map(|column| (*column, Direction::Asc)).collect();
    parts.extend(shape.order.iter().filter(|(column, _)| !shape.equal.contains(column)));
    let names: Vec<String> = parts
        .iter()
        .map(|(column, direction)| {
            let end = if *direction == Direction::Desc { "_desc" } else { "" };
            format!("{}{end}", info.columns[*column].name)
        })
        .collect();
    let name = quoted(&format!("{OWN_PREFIX}{}_{}", info.name, names.join("_")));
    let parts: Vec<String> = parts.iter().map(|part| order_part(info, part)).collect();
    let table = quoted(&info.name);
    format!("CREATE INDEX IF NOT EXISTS {name} ON {table}({})", parts.join(", "))
}
