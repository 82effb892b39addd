//! How much room a delivery takes among those that wait for the consumer.

use penstock::Value;

use super::{Delivery, WAITING_MAX};
use crate::event::{Cell, Change, OldRow, Step};

/// One, and one more for every kilobyte of values; no more than there is room for in all.
pub(super) fn weight(delivery: &Delivery) -> u32 {
    let Delivery::Step(Step::Changes(changes)) = delivery else { return 1 };
    let bytes: usize = changes.iter().map(bytes).sum();
    u32::try_from(1 + bytes / 1024).unwrap_or(WAITING_MAX).min(WAITING_MAX)
}

fn bytes(change: &Change) -> usize {
    match change {
        Change::Insert { new, .. } => cells(new),
        Change::Update { old, new, .. } => old.as_ref().map_or(0, old_row) + cells(new),
        Change::Delete { old, .. } => old_row(old),
        Change::Message(message) => message.content.len(),
        Change::Truncate { .. } | Change::Schema(_) => 0,
    }
}

fn cells(cells: &[Cell]) -> usize {
    let values = cells.iter().map(|cell| match cell {
        Cell::Value(value) => size(value),
        Cell::Unchanged => 0,
    });
    values.sum()
}

fn old_row(old: &OldRow) -> usize {
    let (OldRow::Key(values) | OldRow::Full(values)) = old;
    values.iter().map(size).sum()
}

fn size(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Text(text) | Value::Json(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
            _ => 0,
        }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lsn::Lsn;
    use crate::table::{Identity, Relation, TableName};

    #[test]
    fn large_values_take_more_room() {
        let delivery = |bytes: usize| {
            let new = vec![Cell::Value(Value::from("x".repeat(bytes)))];
            let name = TableName::new("public", "t");
            let (id, identity, columns) = (1, Identity::Default, Vec::new());
            let relation = Arc::new(Relation { id, name, identity, columns });
            Delivery::Step(Step::Changes(vec![Change::Insert { relation, new }]))
        };
        assert_eq!(weight(&Delivery::Position(Lsn(1))), 1);
        assert_eq!(weight(&delivery(10)), 1);
        assert_eq!(weight(&delivery(3000)), 3);
        assert_eq!(weight(&delivery(10_000_000)), WAITING_MAX);
    }
}
