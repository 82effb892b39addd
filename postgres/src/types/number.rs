//! Numbers.

use std::fmt::Write;

use penstock::Value;

use super::Reason;
use super::bytes::Bytes;

/// Digits of the binary form of a `numeric` are of this base.
const BASE: u16 = 10_000;

/// Below this every integer is a double, and so are these powers of [`BASE`]: a quotient of the two is
/// rounded once.
const EXACT_MAX: i128 = 1 << 53;
const EXACT_POWERS: [f64; 6] = [1e0, 1e4, 1e8, 1e12, 1e16, 1e20];

const NEGATIVE: u16 = 0x4000;
const NOT_FINITE: [u16; 3] = [0xC000, 0xD000, 0xF000];

/// The double, or null for NaN.
pub(super) fn float(value: f64) -> Value {
    if value.is_nan() { Value::Null } else { Value::Float(value) }
}

/// A finite double, or null.
fn finite(value: f64) -> Value {
    if value.is_finite() { Value::Float(value) } else { Value::Null }
}

pub(super) fn integer<T>(text: &str) -> Result<Value, Reason>
where
    T: std::str::FromStr + Into<i64>,
{
    match text.parse::<T>() {
        Ok(value) => Ok(Value::Int(value.into())),
        Err(_) => Err(format!("{text:?} is not an integer of this size")),
    }
}

pub(super) fn double<T>(text: &str) -> Result<Value, Reason>
where
    T: std::str::FromStr + Into<f64>,
{
    match text.parse::<T>() {
        Ok(value) => Ok(float(value.into())),
        Err(_) => Err(format!("{text:?} is not a number")),
    }
}

/// A `numeric`: digits with a sign and a point.
pub(super) fn numeric(text: &str) -> Result<Value, Reason> {
    if ["NaN", "Infinity", "-Infinity"].contains(&text) {
        return Ok(Value::Null);
    }
    let bad = || format!("{text:?} is not a number");
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
    if digits.is_empty() || digits == "." || !is_digits(whole) || !is_digits(fraction) {
        return Err(bad());
    }
    if fraction.bytes().all(|digit| digit == b'0') {
        let end = text.len() - digits.len() + whole.len();
        if let Ok(value) = text[..end].parse() {
            return Ok(Value::Int(value));
        }
    }
    text.parse().map(finite).map_err(|_| bad())
}

/// A `numeric` in its binary form: how many digits, the power of 10 000 of the first, the sign, how
/// many decimals are shown, the digits.
pub(super) fn numeric_binary(bytes: &[u8]) -> Result<Value, Reason> {
    let mut bytes = Bytes::new(bytes);
    let (count, weight) = (bytes.u16()?, i32::from(bytes.i16()?));
    let (sign, _scale) = (bytes.u16()?, bytes.u16()?);
    if NOT_FINITE.contains(&sign) {
        return Ok(Value::Null);
    }
    if sign != 0 && sign != NEGATIVE {
        return Err(format!("{sign:#x} is not a sign"));
    }
    let digits = bytes.take(2 * usize::from(count))?;
    bytes.end()?;
    let digit = |place: i32| match usize::try_from(place).ok().map(|at| 2 * at) {
        Some(at) if at < digits.len() => u16::from_be_bytes([digits[at], digits[at + 1]]),
        _ => 0,
    };
    let count = i32::from(count);
    if let Some(wrong) = (0..count).map(digit).find(|digit| *digit >= BASE) {
        return Err(format!("{wrong} is not a digit"));
    }
    let is_integral = ((weight + 1).max(0)..count).all(|place| digit(place) == 0);
    if is_integral && weight < 5 {
        let whole = (0..=weight)
            .fold(0_i128, |whole, place| whole * i128::from(BASE) + i128::from(digit(place)));
        if let Ok(whole) = i64::try_from(if sign == NEGATIVE { -whole } else { whole }) {
            return Ok(Value::Int(whole));
        }
    }
    let behind_point = count - weight - 1;
    let power = usize::try_from(behind_point).ok().and_then(|at| EXACT_POWERS.get(at));
    if let (Some(power), 0..8) = (power, count) {
        let all =
            (0..count).fold(0_i128, |all, place| all * i128::from(BASE) + i128::from(digit(place)));
        if all < EXACT_MAX {
            let value = all as f64 / power;
            return Ok(Value::Float(if sign == NEGATIVE { -value } else { value }));
        }
    }
    let mut text = String::with_capacity(2 * digits.len() + 8);
    text.push_str(if sign == NEGATIVE { "-0" } else { "0" });
    for place in 0..count {
        // Writing to a string does not fail.
        let _ = write!(text, "{:04}", digit(place));
    }
    let _ = write!(text, "e{}", -4 * behind_point);
    text.parse().map(finite).map_err(|_| format!("{text:?} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(weight: i16, sign: u16, digits: &[u16]) -> Value {
        let mut bytes = (digits.len() as u16).to_be_bytes().to_vec();
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(digits.iter().flat_map(|digit| digit.to_be_bytes()));
        numeric_binary(&bytes).expect("a number")
    }

    #[test]
    fn both_forms_of_a_numeric_give_the_same() {
        let cases: [(&str, i16, u16, &[u16]); 16] = [
            ("0", 0, 0, &[]),
            ("0.00", 0, 0, &[]),
            ("1.50", 0, 0, &[1, 5000]),
            ("-12345", 1, NEGATIVE, &[1, 2345]),
            ("10000.00", 1, 0, &[1]),
            ("0.0001", -1, 0, &[1]),
            ("9223372036854775807", 4, 0, &[922, 3372, 368, 5477, 5807]),
            ("-9223372036854775808", 4, NEGATIVE, &[922, 3372, 368, 5477, 5808]),
            ("9223372036854775808", 4, 0, &[922, 3372, 368, 5477, 5808]),
            ("0.1", -1, 0, &[1000]),
            ("-12345678.1234", 1, NEGATIVE, &[1234, 5678, 1234]),
            ("900719925474.0993", 2, 0, &[9007, 1992, 5474, 993]),
            ("900719925474.0991", 2, 0, &[9007, 1992, 5474, 991]),
            ("0.00000000000000000001", -5, 0, &[1]),
            (
                "123456789012345678901234567890.5",
                7,
                0,
                &[12, 3456, 7890, 1234, 5678, 9012, 3456, 7890, 5000],
            ),
            ("NaN", 0, 0xC000, &[]),
        ];
        for (text, weight, sign, digits) in cases {
            assert_eq!(numeric(text), Ok(binary(weight, sign, digits)), "{text}");
        }
    }

    #[test]
    fn integers_stay_exact_and_others_are_the_nearest_double() {
        assert_eq!(numeric("9223372036854775807.000"), Ok(Value::Int(i64::MAX)));
        assert_eq!(numeric("-9223372036854775808"), Ok(Value::Int(i64::MIN)));
        assert_eq!(numeric("9223372036854775808"), Ok(Value::Float(9_223_372_036_854_775_808.0)));
        assert_eq!(numeric("-0.1"), Ok(Value::Float(-0.1)));
        assert_eq!(numeric(".5"), Ok(Value::Float(0.5)));
        let beyond = format!("1{}", "0".repeat(400));
        assert_eq!(numeric(&beyond), Ok(Value::Null));
        assert_eq!(binary(150, 0, &[1]), Value::Null);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", "1e5", "1,5", "--1", "+1", "0x1", "1.5.", "inf"] {
            assert!(numeric(text).is_err(), "{text}");
        }
        assert!(integer::<i16>("32768").is_err() && integer::<u32>("-1").is_err());
        assert_eq!(integer::<u32>("4294967295"), Ok(Value::Int(4_294_967_295)));
        let digit_too_large: &[u8] = &[0, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10];
        assert!(numeric_binary(digit_too_large).is_err());
        assert!(numeric_binary(&[0, 9, 0, 0, 0, 0, 0, 0, 0, 1]).is_err());
        assert!(numeric_binary(&[0, 0, 0, 0, 0x11, 0, 0, 0]).is_err());
    }

    #[test]
    fn doubles_keep_their_infinities_but_not_nan() {
        assert_eq!(double::<f64>("-Infinity"), Ok(Value::Float(f64::NEG_INFINITY)));
        assert_eq!(double::<f64>("NaN"), Ok(Value::Null));
        assert_eq!(double::<f32>("1.1"), Ok(Value::Float(f64::from(1.1_f32))));
        let Ok(Value::Float(zero)) = double::<f64>("-0") else { panic!("a double") };
        assert!(zero.is_sign_negative());
    }
}
