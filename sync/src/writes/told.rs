//! What a client is told of a mutation that the database refuses.
//!
//! It is told what kind of rule was broken, since it can do something about that, but not the names and
//! values that databases put into their texts: those are in the log.

use penstock::{ApplyError, Error, TableRule};

use crate::fault::concealed;

const UNIQUE: &str = "another row has the same key, or the same values where they must be unique";
const REFERENCE: &str = "a reference would lead to no row";
const MISSING: &str = "a column that must have a value has none";
const CHECK: &str = "a value is not one that the table allows";

/// What a client is told. With `all`, it may know every name and value: then what is wrong with the data is
/// told as it is. What is wrong with the database is never.
pub(super) fn told(error: &Error, all: bool) -> String {
    if let Error::Apply(ApplyError::Refused { rule, .. }) = error
        && let Some(words) = in_its_words(rule)
    {
        return words.to_owned();
    }
    let (kind, text) = match error {
        Error::Apply(ApplyError::UniqueViolation { .. } | ApplyError::DuplicateKey { .. }) => {
            (Some(UNIQUE), error.to_string())
        }
        Error::Apply(ApplyError::Refused { .. }) => (Some(CHECK), error.to_string()),
        Error::BadRow { .. } | Error::Apply(ApplyError::BadRow { .. }) => {
            (Some("the row does not fit its table"), error.to_string())
        }
        Error::Source(error) => (of_sqlite(&error.reason), error.reason.clone()),
        _ => (None, String::new()),
    };
    match kind {
        Some(_) if all => text,
        kind => concealed(kind.unwrap_or("the database refuses it"), error),
    }
}

/// What the application says by a rule to whoever breaks it: the message of a trigger, or the name of a
/// CHECK constraint that is written for people, as it has spaces.
fn in_its_words(rule: &TableRule) -> Option<&str> {
    match rule {
        TableRule::Trigger { message } => Some(message),
        TableRule::Check { subject, is_named } => {
            (*is_named && subject.contains(' ')).then_some(subject)
        }
        _ => None,
    }
}

/// The kind of rule that SQLite names in its text, if it is one for data.
fn of_sqlite(text: &str) -> Option<&'static str> {
    let kinds = [
        ("UNIQUE constraint failed", UNIQUE),
        ("FOREIGN KEY constraint failed", REFERENCE),
        ("NOT NULL constraint failed", MISSING),
        ("CHECK constraint failed", CHECK),
    ];
    kinds.iter().find(|(part, _)| text.contains(part)).map(|(_, kind)| *kind)
}

/// What a client is told of an error of Postgres with this SQLSTATE and text, and the constraint that it
/// names. What a trigger of the application raises by itself (P0001) is meant for whoever wrote the
/// mutation, and is told as it is. `all` as for [`told`].
pub(super) fn of_postgres(code: &str, text: &str, constraint: Option<&str>, all: bool) -> String {
    let kind = match code {
        "P0001" => return text.to_owned(),
        "23514" if let Some(name) = constraint.filter(|name| name.contains(' ')) => {
            return name.to_owned();
        }
        "23505" | "23P01" => Some(UNIQUE),
        "23503" => Some(REFERENCE),
        "23502" => Some(MISSING),
        "23514" => Some(CHECK),
        _ if code.starts_with("22") => Some("a value does not fit its column"),
        _ => None,
    };
    match kind {
        Some(_) if all => text.to_owned(),
        kind => {
            let kind = kind.unwrap_or("the database refuses it");
            concealed(kind, &format_args!("{text} (SQLSTATE {code})"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_not_told() {
        let source = |reason: &str| {
            let context = "writing into \"secret\" of /var/secret.db".to_owned();
            Error::Source(penstock::SourceError { context, reason: reason.to_owned() })
        };
        let unique = ApplyError::UniqueViolation {
            table: "secret".into(),
            key: "id = 7".into(),
            other: "id = 8".into(),
            columns: "email = \"ada@secret\"".into(),
        };
        let bad = Error::BadRow { table: "secret".into(), problem: "no value for secret".into() };
        for (error, kind) in [
            (source("UNIQUE constraint failed: secret.email"), UNIQUE),
            (source("NOT NULL constraint failed: secret.email"), MISSING),
            (source("CHECK constraint failed: secret_check"), CHECK),
            (source("FOREIGN KEY constraint failed"), REFERENCE),
            (source("disk I/O error on secret.db"), "the database refuses it"),
            (Error::Apply(unique), UNIQUE),
            (bad, "the row does not fit its table"),
        ] {
            let told = told(&error, false);
            assert!(told.starts_with(kind) && !told.contains("secret"), "{told}");
        }
        for (code, kind) in [
            ("23505", UNIQUE),
            ("23503", REFERENCE),
            ("23514", CHECK),
            ("22P02", "a value"),
            ("42501", "the database"),
        ] {
            let told = of_postgres(code, "it is about secret", Some("secret_check"), false);
            assert!(told.starts_with(kind) && !told.contains("secret"), "{told}");
        }
        assert_eq!(of_postgres("P0001", "not on Sundays", None, false), "not on Sundays");
    }

    #[test]
    fn what_an_application_says_by_a_rule_is_told() {
        let broken = |rule| {
            let (place, problem) = ("table \"secret\"".to_owned(), "it does not hold".to_owned());
            told(&Error::Apply(ApplyError::Refused { place, rule, problem }), false)
        };
        let check = |subject: &str, is_named| {
            broken(TableRule::Check { subject: subject.to_owned(), is_named })
        };
        assert_eq!(check("a title is short", true), "a title is short");
        assert_eq!(broken(TableRule::Trigger { message: "not now".into() }), "not now");
        assert_eq!(
            of_postgres("23514", "secret", Some("a title is short"), false),
            "a title is short"
        );
        for text in [check("secret IS NULL", false), check("secret_check", true)] {
            assert!(text.starts_with(CHECK) && !text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn who_may_know_every_name_is_told_what_does_not_fit() {
        let bad = Error::BadRow { table: "note".into(), problem: "no value for \"id\"".into() };
        assert_eq!(told(&bad, true), bad.to_string());
        assert_eq!(of_postgres("23505", "note_key", None, true), "note_key");
        let context = "writing into /var/app.db".to_owned();
        let failing = penstock::SourceError { context, reason: "disk I/O error".to_owned() };
        for text in
            [told(&Error::Source(failing), true), of_postgres("58030", "/var/pg: no", None, true)]
        {
            assert!(
                text.starts_with("the database refuses it") && !text.contains("/var"),
                "{text}"
            );
        }
    }
}
