//! The error of everything that reads, checks or plans a query.

use std::fmt;

/// What is wrong with a query, and where.
///
/// Displayed as `path: problem`, for example
/// `where.and[1].exists(comments).where: column "bogus" is not in table "comment"; it has: id, text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// The place in the query: steps from its root, separated by dots. Empty where the problem is
    /// the query as a whole. In a statement of SQL, line and column.
    pub path: String,
    /// What is wrong there and, where it can be told, what would be right.
    pub problem: String,
}

impl fmt::Display for QueryError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            out.write_str(&self.problem)
        } else {
            write!(out, "{}: {}", self.path, self.problem)
        }
    }
}

impl std::error::Error for QueryError {}

/// How many names an error text lists before it is cut.
const NAMES_LISTED: usize = 12;

/// What follows "there is no such name": the nearest of the names that exist where one is near,
/// otherwise the names themselves.
pub(crate) fn suggestion<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    holder: &str,
) -> String {
    let nearest = known
        .clone()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= ((name.chars().count() + 1) / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance);
    if let Some((_, candidate)) = nearest {
        return format!("did you mean \"{candidate}\"?");
    }
    let mut names = known;
    let mut listed: Vec<&str> = names.by_ref().take(NAMES_LISTED).collect();
    if listed.is_empty() {
        return format!("{holder} has none");
    }
    if names.next().is_some() {
        listed.push("…");
    }
    format!("{holder} has: {}", listed.join(", "))
}

/// The Levenshtein distance of two names, ignoring case.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, letter) in left.chars().flat_map(char::to_lowercase).enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits_and_ignores_case() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("ownerid", "ownerId"), 0);
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_listed() {
        let names = ["id", "title", "ownerId"];
        assert_eq!(suggestion("titel", names.into_iter(), "it"), "did you mean \"title\"?");
        assert_eq!(suggestion("bogus", names.into_iter(), "it"), "it has: id, title, ownerId");
        assert_eq!(suggestion("bogus", std::iter::empty(), "it"), "it has none");
    }

    #[test]
    fn a_long_list_of_names_is_cut() {
        let names: Vec<String> = (0..20).map(|n| format!("column{n}")).collect();
        let text = suggestion("bogus", names.iter().map(String::as_str), "it");
        assert!(text.ends_with("column10, column11, …"), "{text}");
    }

    #[test]
    fn display_leaves_out_an_empty_path() {
        let error = QueryError { path: String::new(), problem: "no".into() };
        assert_eq!(error.to_string(), "no");
        let error = QueryError { path: "where".into(), problem: "no".into() };
        assert_eq!(error.to_string(), "where: no");
    }
}
