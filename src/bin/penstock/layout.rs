//! How wide the columns of a table are on a screen. Widths are in terminal columns.

/// The space between two columns.
pub(crate) const GAP: usize = 2;
/// What a column keeps however little room there is.
const COLUMN_WIDTH_MIN: usize = 6;

/// The widths of columns that would like to be as wide as `natural`, on a screen of a width. The
/// widest give way first. Where even narrow columns do not fit, the last ones are off the screen.
///
/// Cost: O(columns · log width).
pub(crate) fn widths(natural: &[usize], screen: usize) -> Vec<usize> {
    let gaps = GAP * natural.len().saturating_sub(1);
    let room = screen.saturating_sub(gaps);
    let total = |cap: usize| natural.iter().map(|&width| width.min(cap)).sum::<usize>();
    let (mut fits, mut too_wide) = (0, natural.iter().copied().max().unwrap_or(0) + 1);
    while fits + 1 < too_wide {
        let cap = fits.midpoint(too_wide);
        if total(cap) <= room { fits = cap } else { too_wide = cap }
    }
    let cap = fits.max(COLUMN_WIDTH_MIN);
    let mut widths: Vec<usize> = natural.iter().map(|&width| width.min(cap)).collect();
    // What rounding left over goes to the first columns that were cut.
    let mut left = room.saturating_sub(widths.iter().sum());
    for (width, natural) in widths.iter_mut().zip(natural) {
        if left > 0 && *width < *natural {
            *width += 1;
            left -= 1;
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_fit_are_left_alone() {
        assert_eq!(widths(&[3, 10, 5], 40), [3, 10, 5]);
        assert_eq!(widths(&[3, 10, 5], 22), [3, 10, 5]);
        assert_eq!(widths(&[], 10), [0; 0]);
    }

    #[test]
    fn the_widest_give_way_first_and_all_room_is_used() {
        assert_eq!(widths(&[3, 50, 5], 32), [3, 20, 5]);
        assert_eq!(widths(&[30, 50, 5], 32), [12, 11, 5]);
    }

    #[test]
    fn columns_stay_readable_where_there_is_no_room() {
        assert_eq!(widths(&[30, 30, 3], 10), [6, 6, 3]);
        assert_eq!(widths(&[30], 0), [6]);
    }
}
