//! Values as text: dates, lengths, prices and what a row is called.

use penstock::{Entry, RowView, ValueRef};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A text or a number of a row; `—` where it is null.
pub(crate) fn value(column: &str, value: ValueRef<'_>) -> String {
    match (column, value) {
        (_, ValueRef::Null) => "—".to_owned(),
        (_, ValueRef::Text(text)) => text.to_owned(),
        ("invoiceDate", ValueRef::Int(ms)) => date(ms),
        ("milliseconds", ValueRef::Int(ms)) => length(ms),
        ("unitPrice" | "total", price) => format!("{:.2}", price.as_f64().unwrap_or(f64::NAN)),
        (_, other) => other.to_string(),
    }
}

/// A column of a row in a result.
pub(crate) fn cell(entry: &Entry, column: &str) -> String {
    entry.get(column).map_or_else(|| "?".to_owned(), |found| value(column, found))
}

/// A column of the only row of a relationship.
pub(crate) fn cell_of(entry: &Entry, relationship: &str, column: &str) -> String {
    match entry.one(relationship) {
        Ok(Some(related)) => cell(&related, column),
        Ok(None) => "—".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// The rows of a relationship in one line.
pub(crate) fn list(entry: &Entry, relationship: &str, item: fn(&Entry) -> String) -> String {
    let rows = entry.related(relationship).into_iter().flatten();
    let items: Vec<String> = rows.map(|entry| item(&entry)).collect();
    if items.is_empty() { "—".to_owned() } else { items.join(" · ") }
}

/// What a person would call a row.
pub(crate) fn name(row: &RowView) -> String {
    let text = |column: &str| match row.get(column) {
        Some(found) => value(column, found),
        None => "?".to_owned(),
    };
    match row.table().name() {
        "album" => text("title"),
        "customer" | "employee" => format!("{} {}", text("firstName"), text("lastName")),
        "invoice" => {
            format!("invoice {} of {}, {}", text("invoiceId"), text("invoiceDate"), text("total"))
        }
        "invoiceLine" => format!("line {} at {}", text("invoiceLineId"), text("unitPrice")),
        "track" => format!("{} ({})", text("name"), text("milliseconds")),
        _ => match row.get("name") {
            Some(_) => text("name"),
            None => row.describe_key(),
        },
    }
}

/// Minutes and seconds.
fn length(ms: i64) -> String {
    let seconds = ms / 1000;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// The day of a moment in milliseconds since 1970, by the civil calendar in UTC.
pub(crate) fn date(ms: i64) -> String {
    // Days are counted from 1 March of year 0, so that a leap day is the last of its year.
    let days = ms.div_euclid(DAY_MS) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The day after a moment.
pub(crate) fn next_day(ms: i64) -> i64 {
    ms + DAY_MS
}

/// A text of at most so many characters, the last being `…` where some are left out.
pub(crate) fn shortened(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(characters_max.saturating_sub(1)).collect();
    kept.trim_end().to_owned() + "…"
}
