//! The decimal digits of a double, and how they are written.

use super::decimal::{to_decimal, to_double};

/// How many significant digits a text has at most.
const SIGNIFICANT: usize = 17;
/// The least exponent of ten that is written without exponent.
const PLAIN_MIN: i32 = -4;
/// The greatest exponent of ten that is written without exponent.
const PLAIN_MAX: i32 = SIGNIFICANT as i32 - 1;

/// Significant digits and where the point is.
pub(super) struct Digits {
    /// ASCII digits, at least one, without zeros at the end (but for zero itself).
    digits: Vec<u8>,
    /// How many digits are before the point; negative for zeros after it.
    point: i32,
}

impl Digits {
    /// Those of a finite double that is not negative.
    pub(super) fn of(value: f64) -> Digits {
        if value == 0.0 {
            return Digits { digits: vec![b'0'], point: 1 };
        }
        let (decimal, exponent) = to_decimal(value);
        let mut digits = decimal.to_string().into_bytes();
        let mut point = digits.len() as i32 + exponent;
        let keep = significant(&digits, point, exponent, value);
        let up = digits[keep] >= b'5';
        digits.truncate(keep);
        if up && round_up(&mut digits) {
            point += 1;
        }
        while digits.len() > 1 && digits.last() == Some(&b'0') {
            digits.pop();
        }
        Digits { digits, point }
    }

    /// Writes them with a point or an exponent.
    pub(super) fn write(&self, out: &mut String) {
        let digits = std::str::from_utf8(&self.digits).unwrap_or_default();
        let exponent = self.point - 1;
        if !(PLAIN_MIN..=PLAIN_MAX).contains(&exponent) {
            let (first, rest) = digits.split_at(1);
            let rest = if rest.is_empty() { "0" } else { rest };
            let sign = if exponent < 0 { '-' } else { '+' };
            out.push_str(&format!("{first}.{rest}e{sign}{:02}", exponent.unsigned_abs()));
            return;
        }
        let before = usize::try_from(self.point).unwrap_or(0);
        let zeros = usize::try_from(-self.point).unwrap_or(0);
        let (whole, fraction) = digits.split_at(before.min(digits.len()));
        out.push_str(if before == 0 { "0" } else { whole });
        out.extend(std::iter::repeat_n('0', before.saturating_sub(digits.len())));
        out.push('.');
        out.extend(std::iter::repeat_n('0', zeros));
        out.push_str(if fraction.is_empty() { "0" } else { fraction });
    }
}

/// How many digits to keep: fewer than all significant ones where a run of nines or zeros shows
/// that a shorter text stands for the same double.
fn significant(digits: &[u8], point: i32, exponent: i32, value: f64) -> usize {
    let same = |decimal: u64, kept: usize| {
        to_double(decimal, exponent + (digits.len() - kept) as i32) == value
    };
    let number = |kept: usize| {
        digits[..kept].iter().fold(0u64, |number, digit| number * 10 + u64::from(digit - b'0'))
    };
    if digits[14..16] == *b"99" {
        let kept = digits[..14].iter().rposition(|digit| *digit != b'9').map_or(0, |at| at + 1);
        if same(number(kept) + 1, kept) {
            return kept + 1;
        }
    } else if point >= digits.len() as i32 || digits[13..16] == *b"000" {
        let kept = digits[..13].iter().rposition(|digit| *digit != b'0').map_or(1, |at| at + 1);
        if same(number(kept), kept) {
            return kept + 1;
        }
    }
    SIGNIFICANT
}

/// Adds one in the last place; whether that made a digit more.
fn round_up(digits: &mut Vec<u8>) -> bool {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return false;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
    true
}
