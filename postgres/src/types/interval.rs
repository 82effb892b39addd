//! Intervals: months, days and microseconds, which do not convert into each other.

use std::fmt::Write;

use super::Reason;
use super::bytes::Bytes;
use super::time::clock;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Interval {
    months: i64,
    days: i64,
    micros: i64,
}

/// The text in ISO 8601 of a text in `IntervalStyle` `iso_8601` or `postgres`.
pub(super) fn interval(text: &str) -> Result<String, Reason> {
    if text == "infinity" || text == "-infinity" {
        return Ok(text.to_owned());
    }
    let parsed = match text.strip_prefix('P') {
        Some(iso) => of_iso(iso),
        None => of_postgres(text),
    };
    let bad = || format!("{text:?} is not an interval of IntervalStyle iso_8601 or postgres");
    parsed.map(written).ok_or_else(bad)
}

/// The text in ISO 8601 of microseconds, days and months.
pub(super) fn interval_binary(bytes: &[u8]) -> Result<String, Reason> {
    let mut bytes = Bytes::new(bytes);
    let (micros, days, months) = (bytes.i64()?, bytes.i32()?, bytes.i32()?);
    bytes.end()?;
    Ok(match (micros, days, months) {
        (i64::MAX, i32::MAX, i32::MAX) => "infinity".to_owned(),
        (i64::MIN, i32::MIN, i32::MIN) => "-infinity".to_owned(),
        _ => written(Interval { months: months.into(), days: days.into(), micros }),
    })
}

/// As the server writes ISO 8601: only parts that are not zero, each with its sign.
fn written(interval: Interval) -> String {
    let Interval { months, days, micros } = interval;
    if interval == Interval::default() {
        return "PT0S".to_owned();
    }
    let mut text = String::from("P");
    let mut part = |count: i64, unit: &str| {
        if count != 0 {
            // Writing to a string does not fail.
            let _ = write!(text, "{count}{unit}");
        }
    };
    part(months / 12, "Y");
    part(months % 12, "M");
    part(days, "D");
    if micros == 0 {
        return text;
    }
    text.push('T');
    let mut part = |count: i64, unit: &str| {
        if count != 0 {
            let _ = write!(text, "{count}{unit}");
        }
    };
    part(micros / HOUR, "H");
    part(micros % HOUR / MINUTE, "M");
    let seconds = micros % MINUTE;
    if seconds != 0 {
        let sign = if seconds < 0 { "-" } else { "" };
        let (whole, decimals) = (seconds.abs() / SECOND, seconds.abs() % SECOND);
        let _ = write!(text, "{sign}{whole}");
        if decimals != 0 {
            let decimals = format!("{decimals:06}");
            let _ = write!(text, ".{}", decimals.trim_end_matches('0'));
        }
        text.push('S');
    }
    text
}

/// What stands behind the `P` of ISO 8601.
fn of_iso(text: &str) -> Option<Interval> {
    let (mut interval, mut rest, mut in_time) = (Interval::default(), text, false);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            if in_time || time.is_empty() {
                return None;
            }
            (rest, in_time) = (time, true);
            continue;
        }
        let at = rest.find(|letter: char| letter.is_ascii_alphabetic())?;
        let (number, unit) = (&rest[..at], rest.as_bytes()[at]);
        rest = &rest[at + 1..];
        if (unit, in_time) == (b'S', true) {
            interval.micros = interval.micros.checked_add(seconds(number)?)?;
            continue;
        }
        let number: i64 = number.parse().ok()?;
        let (field, factor) = match (unit, in_time) {
            (b'Y', false) => (&mut interval.months, 12),
            (b'M', false) => (&mut interval.months, 1),
            (b'W', false) => (&mut interval.days, 7),
            (b'D', false) => (&mut interval.days, 1),
            (b'H', true) => (&mut interval.micros, HOUR),
            (b'M', true) => (&mut interval.micros, MINUTE),
            _ => return None,
        };
        *field = field.checked_add(number.checked_mul(factor)?)?;
    }
    Some(interval)
}

/// Signed seconds with up to six decimals, in microseconds.
fn seconds(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text),
    };
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) || decimals.len() > 6 {
        return None;
    }
    let scale = 10_i64.pow(6 - decimals.len() as u32);
    let micros = whole.parse::<i64>().ok()?.checked_mul(SECOND)?;
    micros.checked_add(decimals.parse::<i64>().ok()? * scale)?.checked_mul(sign)
}

/// `1 year 2 mons -3 days +04:05:06.5`.
fn of_postgres(text: &str) -> Option<Interval> {
    let mut interval = Interval::default();
    let mut words = text.split(' ');
    while let Some(word) = words.next() {
        if word.contains(':') {
            let (sign, clock_text) = match word.strip_prefix('-') {
                Some(text) => (-1, text),
                None => (1, word.strip_prefix('+').unwrap_or(word)),
            };
            interval.micros = sign * clock(clock_text, 10)?;
            return words.next().is_none().then_some(interval);
        }
        let count: i64 = word.parse().ok()?;
        let (field, factor) = match words.next()? {
            "year" | "years" => (&mut interval.months, 12),
            "mon" | "mons" => (&mut interval.months, 1),
            "day" | "days" => (&mut interval.days, 1),
            _ => return None,
        };
        *field = field.checked_add(count.checked_mul(factor)?)?;
    }
    Some(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_forms_give_one_text() {
        let cases = [
            ("00:00:00", "PT0S", (0, 0, 0)),
            ("1 year 2 mons 3 days 04:05:06.5", "P1Y2M3DT4H5M6.5S", (14, 3, 14_706_500_000)),
            (
                "-1 years -2 mons +3 days -04:05:06",
                "P-1Y-2M3DT-4H-5M-6S",
                (-14, 3, -14_706_000_000),
            ),
            ("-00:00:00.000001", "PT-0.000001S", (0, 0, -1)),
            ("1 day", "P1D", (0, 1, 0)),
            ("2562047788:00:54.775807", "PT2562047788H54.775807S", (0, 0, i64::MAX)),
        ];
        for (postgres, iso, (months, days, micros)) in cases {
            let mut bytes = i64::to_be_bytes(micros).to_vec();
            bytes.extend(i32::to_be_bytes(days));
            bytes.extend(i32::to_be_bytes(months));
            assert_eq!(interval_binary(&bytes).as_deref(), Ok(iso));
            assert_eq!(interval(postgres).as_deref(), Ok(iso));
            assert_eq!(interval(iso).as_deref(), Ok(iso));
        }
        assert_eq!(interval("-infinity").as_deref(), Ok("-infinity"));
        assert_eq!(
            interval_binary(&[
                0x7F, 255, 255, 255, 255, 255, 255, 255, 0x7F, 255, 255, 255, 0x7F, 255, 255, 255
            ])
            .as_deref(),
            Ok("infinity")
        );
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "P",
            "PT",
            "P1",
            "P1H",
            "PT1D",
            "P1YTT1S",
            "1 hour",
            "@ 1 day",
            "P1.5D",
            "PT1.1234567S",
            "PT9223372036854775807H",
        ] {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}
