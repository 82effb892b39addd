//! What is different between two tables.

use std::collections::BTreeMap;

/// How many rows a message names.
const SHOWN: usize = 5;

/// How two bags of rows differ, in words: which rows are on one side only, at most five of each.
/// None if they are equal, in whatever order. A row is anything that prints the same on both sides.
pub fn difference<R: Ord + std::fmt::Debug>(
    (left_name, left): (&str, impl IntoIterator<Item = R>),
    (right_name, right): (&str, impl IntoIterator<Item = R>),
) -> Option<String> {
    let mut counts: BTreeMap<R, i64> = BTreeMap::new();
    left.into_iter().for_each(|row| *counts.entry(row).or_default() += 1);
    right.into_iter().for_each(|row| *counts.entry(row).or_default() -= 1);
    counts.retain(|_, count| *count != 0);
    if counts.is_empty() {
        return None;
    }
    let mut text = String::new();
    for (name, sign) in [(left_name, 1), (right_name, -1)] {
        let only: Vec<_> = counts.iter().filter(|(_, count)| **count * sign > 0).collect();
        if only.is_empty() {
            continue;
        }
        text += &format!("only in {name}, {} rows:\n", only.len());
        for (row, count) in only.iter().take(SHOWN) {
            text += &format!("  {row:?} ×{}\n", count.abs());
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bags_have_no_difference() {
        assert_eq!(difference(("a", [1, 2, 2]), ("b", [2, 1, 2])), None);
    }

    #[test]
    fn rows_on_one_side_are_named_with_their_count() {
        let text = difference(("a", [1, 2, 2]), ("b", [2, 3]));
        assert_eq!(
            text.as_deref(),
            Some("only in a, 2 rows:\n  1 ×1\n  2 ×1\nonly in b, 1 rows:\n  3 ×1\n")
        );
    }
}
