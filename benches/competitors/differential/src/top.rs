//! The first rows of each group, over a tree of groups.

use std::hash::Hash;

use differential_dataflow::{ExchangeData, Hashable};

use crate::tables::Rows;

/// The first `limit` rows of each group in the order of rows.
///
/// A reduction reads its whole group whenever a row of it changes. Groups are therefore cut into
/// `cuts[0]` parts by `number`, of which the first rows are taken, these into `cuts[1]` parts, and
/// so on: a change costs the rows of one part at each level, some `limit` times the ratio of two
/// cuts.
pub(crate) fn top<'s, K, R>(
    rows: Rows<'s, (K, R)>,
    limit: usize,
    cuts: &[u32],
    number: fn(&R) -> u32,
) -> Rows<'s, (K, R)>
where
    K: ExchangeData + Hash,
    R: ExchangeData + Hashable,
{
    let mut rows = rows;
    for &cut in cuts {
        rows = rows
            .map(move |(key, row)| ((key, number(&row) % cut), row))
            .reduce(move |_, input, output| {
                output.extend(input.iter().take(limit).map(|(row, _)| ((*row).clone(), 1)));
            })
            .map(|((key, _), row)| (key, row));
    }
    rows.reduce(move |_, input, output| {
        output.extend(input.iter().take(limit).map(|(row, _)| ((*row).clone(), 1)));
    })
}
