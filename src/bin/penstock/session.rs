//! Opening files and subscribing.

use std::collections::BTreeMap;
use std::path::Path;

use penstock::source::SqliteOptions;
use penstock::{Database, SqlParams, Subscription, Value};

use crate::command::Query;
use crate::failure::Failure;
use crate::param::Param;

/// Opens a file that exists; a watcher that made one would wait for ever.
///
/// # Errors
/// A file that is not there or that SQLite cannot open.
pub(crate) fn open(file: &str) -> Result<Database, Failure> {
    let failure = |reason: String| Failure::File { file: file.to_owned(), reason };
    match Path::new(file).metadata() {
        Ok(metadata) if metadata.is_dir() => {
            return Err(failure("this is a directory, not a database file".to_owned()));
        }
        Ok(_) => {}
        Err(error) => return Err(failure(format!("cannot open the file: {error}"))),
    }
    // Who watches does not write.
    let options = SqliteOptions::new(file).read_only(true);
    Database::open_with(options).map_err(|error| failure(error.to_string()))
}

/// Subscribes to a query of the command line.
///
/// # Errors
/// A query that is refused, or parameters that do not match it.
pub(crate) fn subscribe(db: &Database, query: &Query) -> Result<Subscription, Failure> {
    let failure = |error| Failure::Query { sql: query.sql.clone(), error: Box::new(error) };
    db.subscribe_sql(&query.sql, params(&query.params)?).map_err(failure)
}

/// Values by number where they have none or one, and by name otherwise.
///
/// # Errors
/// A number that is missing among the others, or given twice.
fn params(given: &[Param]) -> Result<SqlParams, Failure> {
    let mut numbered: BTreeMap<usize, &Value> = BTreeMap::new();
    let mut params = SqlParams::new();
    let mut next = 1;
    for param in given {
        let number = match &param.name {
            None => next,
            Some(name) => match name.parse() {
                Ok(number) => number,
                Err(_) => {
                    params = params.set(name, param.value.clone());
                    continue;
                }
            },
        };
        if number == 0 {
            return Err(Failure::Usage("parameters are numbered from ?1".to_owned()));
        }
        next = number + 1;
        if numbered.insert(number, &param.value).is_some() {
            return Err(Failure::Usage(format!("parameter ?{number} is given twice")));
        }
    }
    for (expected, (number, value)) in (1..).zip(numbered) {
        if number != expected {
            return Err(Failure::Usage(format!(
                "parameter ?{number} is given and ?{expected} is not"
            )));
        }
        params = params.push(value.clone());
    }
    Ok(params)
}

/// The indexes that the live queries of a database could use and the file does not have, as
/// statements that create them.
///
/// # Errors
/// As of any use of the file.
pub(crate) fn missing_indexes(db: &Database, query: &Query) -> Result<Vec<String>, Failure> {
    let reason = |error: penstock::Error| error.to_string();
    db.missing_indexes()
        .map_err(|error| Failure::File { file: query.file.clone(), reason: reason(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(params: &[&str]) -> Vec<Param> {
        params.iter().map(|text| crate::param::param(text).expect("a parameter")).collect()
    }

    #[test]
    fn numbers_go_on_from_the_last() {
        let mixed = params(&given(&["a", "3=c", ":owner=7", "d", "2=b"])).expect("parameters");
        let expected = SqlParams::new().push("a").push("b").push("c").push("d").set("owner", 7);
        assert_eq!(mixed, expected);
    }

    #[test]
    fn numbers_without_gaps_or_repeats() {
        for (list, problem) in [
            (["a", "1=b"], "parameter ?1 is given twice"),
            (["a", "3=b"], "parameter ?3 is given and ?2 is not"),
            (["0=a", "b"], "parameters are numbered from ?1"),
        ] {
            let failure = params(&given(&list)).expect_err(problem);
            assert!(failure.message().starts_with(problem), "{}", failure.message());
        }
    }
}
