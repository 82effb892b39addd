//! Dates and times of day.

use super::Reason;
use super::bytes::Bytes;

/// Between 1970-01-01 and 2000-01-01, from where the server counts.
const DAYS_TO_2000: i64 = 10_957;
const DAY: i64 = 86_400_000_000;

/// The last timestamps of the server lie beyond 64 bits of microseconds from 1970.
fn milliseconds(micros: impl Into<i128>) -> f64 {
    micros.into() as f64 / 1000.0
}

/// The beginning of a day, which is counted from 1970-01-01.
fn midnight(day: i64) -> f64 {
    (day * (DAY / 1000)) as f64
}

/// The days from 1970-01-01 to a day of the Gregorian calendar; the year 0 is 1 BC.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years from March on, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn infinite(text: &str) -> Option<f64> {
    match text {
        "infinity" => Some(f64::INFINITY),
        "-infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// An unsigned number of at most `digits_max` digits.
fn number(text: &str, digits_max: usize) -> Option<i64> {
    let is_number = (1..=digits_max).contains(&text.len());
    if !is_number || !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// `YYYY-MM-DD`, in days from 1970-01-01.
fn day(text: &str, is_before_christ: bool) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let year = number(parts.next()?, 7)?;
    let (month, day) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(days(if is_before_christ { 1 - year } else { year }, month, day))
}

/// `HH:MM:SS` with up to six decimals, in microseconds.
pub(super) fn clock(text: &str, hour_digits_max: usize) -> Option<i64> {
    let (text, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = text.splitn(3, ':');
    let hours = number(parts.next()?, hour_digits_max)?;
    let (minutes, seconds) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if minutes > 59 || seconds > 60 {
        return None;
    }
    let decimals = number(fraction, 6)? * 10_i64.pow(6 - fraction.len() as u32);
    let seconds = (hours.checked_mul(60)? + minutes).checked_mul(60)? + seconds;
    seconds.checked_mul(1_000_000)?.checked_add(decimals)
}

/// An offset from UTC, `+HH`, `-HH:MM` or `+HH:MM:SS`, in microseconds.
fn offset(text: &str) -> Option<i64> {
    let (sign, text) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let mut seconds = 0;
    let mut parts = text.split(':');
    for unit in [3600, 60, 1] {
        seconds += match parts.next() {
            Some(part) => number(part, 2)? * unit,
            None if unit == 3600 => return None,
            None => 0,
        };
    }
    parts.next().is_none().then_some(sign * seconds * 1_000_000)
}

/// The clock and the offset behind it.
fn clock_and_offset(text: &str) -> Option<(i64, i64)> {
    let at = text.find(['+', '-'])?;
    Some((clock(&text[..at], 2)?, offset(&text[at..])?))
}

pub(super) fn date(text: &str) -> Result<f64, Reason> {
    if let Some(infinite) = infinite(text) {
        return Ok(infinite);
    }
    let (date, is_before_christ) = before_christ(text);
    let bad = || format!("{text:?} is not a date of DateStyle ISO");
    day(date, is_before_christ).map(midnight).ok_or_else(bad)
}

pub(super) fn date_binary(bytes: &[u8]) -> Result<f64, Reason> {
    let mut bytes = Bytes::new(bytes);
    let days = bytes.i32()?;
    bytes.end()?;
    Ok(match days {
        i32::MAX => f64::INFINITY,
        i32::MIN => f64::NEG_INFINITY,
        days => midnight(i64::from(days) + DAYS_TO_2000),
    })
}

fn before_christ(text: &str) -> (&str, bool) {
    match text.strip_suffix(" BC") {
        Some(text) => (text, true),
        None => (text, false),
    }
}

/// A date and a clock, with an offset from UTC if `zoned`.
pub(super) fn timestamp(text: &str, zoned: bool) -> Result<f64, Reason> {
    if let Some(infinite) = infinite(text) {
        return Ok(infinite);
    }
    let bad = || format!("{text:?} is not a timestamp of DateStyle ISO");
    micros(text, zoned).map(milliseconds).ok_or_else(bad)
}

/// A date, a clock and an offset from UTC, in microseconds since 1970-01-01.
pub(crate) fn timestamp_micros(text: &str) -> Option<i64> {
    micros(text, true)?.try_into().ok()
}

fn micros(text: &str, zoned: bool) -> Option<i128> {
    let (text, is_before_christ) = before_christ(text);
    let (date, time) = text.split_once(' ')?;
    let (clock, offset) = if zoned { clock_and_offset(time)? } else { (clock(time, 2)?, 0) };
    let midnight = i128::from(day(date, is_before_christ)?) * i128::from(DAY);
    Some(midnight + i128::from(clock - offset))
}

pub(super) fn timestamp_binary(bytes: &[u8]) -> Result<f64, Reason> {
    let mut bytes = Bytes::new(bytes);
    let micros = bytes.i64()?;
    bytes.end()?;
    Ok(match micros {
        i64::MAX => f64::INFINITY,
        i64::MIN => f64::NEG_INFINITY,
        micros => milliseconds(i128::from(micros) + i128::from(DAYS_TO_2000 * DAY)),
    })
}

pub(super) fn time(text: &str) -> Result<f64, Reason> {
    let bad = || format!("{text:?} is not a time");
    clock(text, 2).map(milliseconds).ok_or_else(bad)
}

pub(super) fn time_binary(bytes: &[u8]) -> Result<f64, Reason> {
    let mut bytes = Bytes::new(bytes);
    let micros = bytes.i64()?;
    bytes.end()?;
    Ok(milliseconds(micros))
}

/// A clock of some offset as a clock of UTC.
fn of_utc(clock: i64, offset: i64) -> Option<f64> {
    let micros = clock.checked_sub(offset)?;
    let is_of_day = (0..=DAY).contains(&micros);
    Some(milliseconds(if is_of_day { micros } else { micros.rem_euclid(DAY) }))
}

pub(super) fn timetz(text: &str) -> Result<f64, Reason> {
    let bad = || format!("{text:?} is not a time with an offset");
    clock_and_offset(text).and_then(|(clock, offset)| of_utc(clock, offset)).ok_or_else(bad)
}

/// The clock, and seconds west of UTC.
pub(super) fn timetz_binary(bytes: &[u8]) -> Result<f64, Reason> {
    let mut bytes = Bytes::new(bytes);
    let (clock, west) = (bytes.i64()?, i64::from(bytes.i32()?));
    bytes.end()?;
    of_utc(clock, -west * 1_000_000).ok_or_else(|| format!("{clock} microseconds are too many"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_count_from_1970() {
        let cases = [
            ("1970-01-01", 0.0),
            ("2000-02-29", 951_782_400_000.0),
            ("1969-12-31", -86_400_000.0),
            ("0001-01-01", -62_135_596_800_000.0),
            ("0001-12-31 BC", -62_135_683_200_000.0),
            ("4714-11-24 BC", -210_866_803_200_000.0),
            ("5874897-12-31", (2_145_031_948.0 + 10_957.0) * 86_400_000.0),
            ("infinity", f64::INFINITY),
            ("-infinity", f64::NEG_INFINITY),
        ];
        for (text, expected) in cases {
            assert_eq!(date(text), Ok(expected), "{text}");
        }
        assert_eq!(date_binary(&(-10_957_i32).to_be_bytes()), Ok(0.0));
        assert_eq!(date_binary(&i32::MIN.to_be_bytes()), Ok(f64::NEG_INFINITY));
    }

    #[test]
    fn timestamps_keep_their_microseconds() {
        assert_eq!(timestamp("1970-01-01 00:00:00.000001", false), Ok(0.001));
        assert_eq!(timestamp("2020-05-06 07:08:09.5", false), Ok(1_588_748_889_500.0));
        assert_eq!(timestamp("2020-05-06 12:38:09.5+05:30", true), Ok(1_588_748_889_500.0));
        assert_eq!(
            timestamp("0044-03-15 12:00:00-00:01:15 BC", true),
            timestamp("0044-03-15 12:01:15 BC", false)
        );
        assert_eq!(timestamp("infinity", true), Ok(f64::INFINITY));
        assert_eq!(timestamp_binary(&1_i64.to_be_bytes()), Ok(946_684_800_000.001));
        let last = timestamp("294276-12-31 23:59:59.999999", false);
        assert_eq!(timestamp_binary(&9_223_371_331_199_999_999_i64.to_be_bytes()), last);
    }

    #[test]
    fn times_are_of_the_day() {
        assert_eq!(time("24:00:00"), Ok(86_400_000.0));
        assert_eq!(time("04:05:06.789"), Ok(14_706_789.0));
        assert_eq!(timetz("01:00:00+02"), Ok(82_800_000.0));
        assert_eq!(timetz("24:00:00+00"), Ok(86_400_000.0));
        let mut bytes = 3_600_000_000_i64.to_be_bytes().to_vec();
        bytes.extend((-7200_i32).to_be_bytes());
        assert_eq!(timetz_binary(&bytes), Ok(82_800_000.0));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "2020-13-01", "2020-01-32", "01/02/2020", "2020-01", "é-01-01", "20200101"]
        {
            assert!(date(text).is_err(), "{text}");
        }
        for text in ["2020-01-01", "2020-01-01 1", "2020-01-01 00:00:00+", "2020-01-01 00:00:00"] {
            assert!(timestamp(text, true).is_err(), "{text}");
        }
        for text in ["1:2", "00:60:00", "00:00:00.", "00:00:00.1234567", "-01:00:00"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
