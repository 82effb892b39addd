//! Numbers and their decimal texts, digit for digit as SQLite converts them.
//!
//! SQLite works with the first 19 or 20 digits of a text and with powers of ten of 96 bits, so its
//! results are not always the nearest ones. What it would answer is what counts here, hence the
//! same arithmetic instead of the standard library's.

use super::digits::Digits;

/// The mantissas of the powers of ten whose exponents are multiples of 27, from -351 to 324
/// without 0: 96 bits, the highest of them set, rounded.
const POWERS: [u128; 25] = [
    0x8049a4ac_0c5811ae_205b896d, // 10^-351
    0xcf42894a_5dce35ea_52064cad, // 10^-324
    0xa76c5823_38ed2621_af2af2b8, // 10^-297
    0x873e4f75_e2224e68_5a7744a7, // 10^-270
    0xda7f5bf5_90966848_af39a475, // 10^-243
    0xb080392c_c4349dec_bd8d794e, // 10^-216
    0x8e938662_882af53e_547eb47b, // 10^-189
    0xe65829b3_046b0afa_0cb4a5a3, // 10^-162
    0xba121a46_50e4ddeb_92f34d62, // 10^-135
    0x964e858c_91ba2655_3a6a07f9, // 10^-108
    0xf2d56790_ab41c2a2_fae27299, // 10^-81
    0xc428d05a_a4751e4c_aa97e14c, // 10^-54
    0x9e74d1b7_91e07e48_775ea265, // 10^-27
    0xcecb8f27_f4200f3a_00000000, // 10^27
    0xa70c3c40_a64e6c51_999090b6, // 10^54
    0x86f0ac99_b4e8dafd_69a028bb, // 10^81
    0xda01ee64_1a708de9_e80e6f48, // 10^108
    0xb01ae745_b101e9e4_5ec05dd0, // 10^135
    0x8e41ade9_fbebc27d_14588f14, // 10^162
    0xe5d3ef28_2a242e81_8f1668c9, // 10^189
    0xb9a74a06_37ce2ee1_6d953e2c, // 10^216
    0x95f83d0a_1fb69cd9_4abdaf10, // 10^243
    0xf24a01a7_3cf2dccf_bc633b39, // 10^270
    0xc3b83581_09e84f07_0a862f81, // 10^297
    0x9e19db92_b4e31ba9_6c07a2c2, // 10^324
];

/// The distance of the exponents in [`POWERS`].
const STEP: i32 = 27;
/// The position that 10^0 would have in [`POWERS`].
const ZERO: i32 = 13;
/// The exponents of ten that are not beyond all doubles.
const EXPONENTS: std::ops::RangeInclusive<i32> = -348..=347;
/// From here on an unsigned integer may not hold another digit.
const MANTISSA_FULL: u64 = (u64::MAX - 9) / 10;
/// Exponents written out are not read further than this.
const EXPONENT_MAX: i32 = 10_000;
/// The magnitude of the least integer.
const MIN_MAGNITUDE: u64 = 1 << 63;

/// A number read from the beginning of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prefix {
    /// The number; 0.0 where there is none.
    pub(super) value: f64,
    /// Whether the text begins with a number, and what follows.
    pub(super) extent: Extent,
    /// Whether it is written with a point or an exponent.
    pub(super) real: bool,
}

/// How much of a text is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Nothing.
    None,
    /// The beginning.
    Part,
    /// All, but for spaces around it.
    Whole,
}

/// How an integer was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Integer {
    /// All of the text, but for spaces around it, is an integer.
    Whole(i64),
    /// The text begins with an integer, or with none, which counts as 0.
    Part(i64),
    /// The integer is beyond 64 bits; the nearest one that is not.
    Beyond(i64),
}

impl Integer {
    /// The integer.
    pub(super) fn value(self) -> i64 {
        match self {
            Integer::Whole(value) | Integer::Part(value) | Integer::Beyond(value) => value,
        }
    }
}

/// Whether SQLite takes the byte for a space.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0d)
}

/// Reads the number that a text begins with. A zero byte ends the text.
pub(super) fn parse_double(text: &[u8]) -> Prefix {
    let none = Prefix { value: 0.0, extent: Extent::None, real: false };
    let mut rest = Cursor(text);
    while is_space(rest.peek()) {
        rest.advance();
    }
    let negative = rest.sign();
    let (mut mantissa, mut exponent, mut digits, mut real) = (0u64, 0i32, false, false);
    if let Some(first) = rest.digit() {
        digits = true;
        mantissa = first;
        while let Some(digit) = rest.digit() {
            mantissa = mantissa * 10 + digit;
            if mantissa >= MANTISSA_FULL {
                while rest.digit().is_some() {
                    exponent = exponent.saturating_add(1);
                }
            }
        }
    }
    if rest.peek() == b'.' {
        rest.advance();
        real = true;
        while let Some(digit) = rest.digit() {
            digits = true;
            if mantissa < MANTISSA_FULL {
                mantissa = mantissa * 10 + digit;
                exponent -= 1;
            }
        }
    }
    if !digits {
        return none;
    }
    if matches!(rest.peek(), b'e' | b'E') {
        let mut after = rest;
        after.advance();
        let down = after.sign();
        if let Some(mut written) = after.digit().map(|digit| digit as i32) {
            while let Some(digit) = after.digit() {
                written =
                    if written < EXPONENT_MAX { written * 10 + digit as i32 } else { EXPONENT_MAX };
            }
            exponent = exponent.saturating_add(if down { -written } else { written });
            real = true;
            rest = after;
        }
    }
    let magnitude = if mantissa == 0 { 0.0 } else { to_double(mantissa, exponent) };
    while is_space(rest.peek()) {
        rest.advance();
    }
    Prefix {
        value: if negative { -magnitude } else { magnitude },
        extent: if rest.peek() == 0 { Extent::Whole } else { Extent::Part },
        real,
    }
}

/// Reads the integer that a text begins with. A zero byte is a byte like others.
pub(super) fn parse_integer(text: &[u8]) -> Integer {
    let start = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    let text = &text[start..];
    let (negative, text) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let zeros = text.iter().position(|byte| *byte != b'0').unwrap_or(text.len());
    let digits = &text[zeros..];
    let count = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(count);
    // 19 digits always fit.
    let magnitude = (count <= 19)
        .then(|| digits.iter().fold(0u64, |number, digit| number * 10 + u64::from(digit - b'0')));
    let value = match magnitude {
        Some(magnitude) if magnitude < MIN_MAGNITUDE => {
            let value = magnitude as i64;
            if negative { -value } else { value }
        }
        Some(MIN_MAGNITUDE) if negative => i64::MIN,
        _ => return Integer::Beyond(if negative { i64::MIN } else { i64::MAX }),
    };
    let any = zeros + count > 0;
    if any && rest.iter().all(|byte| is_space(*byte)) {
        Integer::Whole(value)
    } else {
        Integer::Part(value)
    }
}

/// A double as text: 17 significant digits, or fewer where they give the same double; always with
/// a point or an exponent.
pub(super) fn format_double(value: f64) -> String {
    if value.is_infinite() {
        return if value < 0.0 { "-Inf" } else { "Inf" }.to_owned();
    }
    let mut out = String::with_capacity(24);
    if value < 0.0 {
        out.push('-');
    }
    Digits::of(value.abs()).write(&mut out);
    out
}

/// The double that SQLite takes for `mantissa * 10^exponent`.
pub(super) fn to_double(mantissa: u64, exponent: i32) -> f64 {
    if exponent < *EXPONENTS.start() {
        return 0.0;
    }
    if exponent > *EXPONENTS.end() {
        return f64::INFINITY;
    }
    let bits = 64 - mantissa.leading_zeros() as i32;
    let log2 = ten_to_two(exponent);
    // The result is m * 2^-e; subnormal results have fewer bits.
    let mut e = 53 - bits - log2;
    if e >= 1130 {
        return 0.0;
    }
    e = e.min(1074);
    let shift = -(e - (64 - bits) + log2 + 3);
    let (mut power, mut power_low) = power_of_ten(exponent);
    if power_low != 0 {
        // Rounded up, with what that is too much.
        power += 1;
        power_low = !power_low;
    }
    let scaled = mantissa << (64 - bits);
    let (mut high, low) = multiply(scaled, power);
    let middle = (low >> 32) as u32;
    let mut sticky = 1;
    if high & ((1 << shift) - 1) == 0 {
        let (correction, _) = multiply(scaled, u64::from(power_low) << 32);
        let correction = (correction >> 32) as u32;
        sticky = u64::from(middle.wrapping_sub(correction) > 1);
        high -= u64::from(middle < correction);
    }
    let mut unrounded = (high >> shift) | sticky;
    if unrounded >= (1 << 55) - 2 {
        unrounded = (unrounded >> 1) | (unrounded & 1);
        e -= 1;
    }
    if e <= -972 {
        return f64::INFINITY;
    }
    let rounded = (unrounded + 1 + ((unrounded >> 2) & 1)) >> 2;
    const IMPLIED: u64 = 1 << 52;
    if rounded & IMPLIED == 0 {
        return f64::from_bits(rounded);
    }
    f64::from_bits((rounded & !IMPLIED) | (((1075 - e) as u64) << 52))
}

/// The first 18 or 19 digits of a positive finite double, as an integer, and the exponent of ten
/// that belongs to it.
pub(super) fn to_decimal(value: f64) -> (u64, i32) {
    const DIGITS: i32 = 18;
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, exponent) = match (bits >> 52) as i32 & 0x7ff {
        0 => {
            let shift = fraction.leading_zeros();
            (fraction << shift, -1074 - shift as i32)
        }
        exponent => ((fraction << 11) | (1 << 63), exponent - 1086),
    };
    let power = DIGITS - 1 - two_to_ten(exponent + 63);
    let (high, _) = multiply(mantissa, power_of_ten(power).0);
    let doubled = high >> -(exponent + ten_to_two(power) + 2);
    ((doubled + ((doubled << 1) & 2)) >> 1, -power)
}

/// The mantissa of a power of ten: 64 bits, the highest of them set, and 32 more.
fn power_of_ten(exponent: i32) -> (u64, u32) {
    let (group, step) = (exponent.div_euclid(STEP), exponent.rem_euclid(STEP));
    if exponent == -1 {
        return (0xcccc_cccc_cccc_cccc, 0xcccc_cccc);
    }
    let five = 5u64.pow(step as u32);
    let small = five << five.leading_zeros();
    if group == 0 {
        return (small, 0);
    }
    let at = group + ZERO - i32::from(group > 0);
    let large = POWERS[at as usize];
    let (high, low) = ((large >> 32) as u64, large as u32);
    if step == 0 {
        return (high, low);
    }
    let product =
        u128::from(high) * u128::from(small) + ((u128::from(low) * u128::from(small)) >> 32);
    let (high, low) = ((product >> 64) as u64, (product >> 32) as u32);
    if high >> 63 == 0 { (high << 1 | u64::from(low >> 31), low << 1 | 1) } else { (high, low) }
}

/// The product of two integers, its high and its low half.
fn multiply(a: u64, b: u64) -> (u64, u64) {
    let product = u128::from(a) * u128::from(b);
    ((product >> 64) as u64, product as u64)
}

/// The binary exponent of a power of ten, rounded down.
fn ten_to_two(exponent: i32) -> i32 {
    (exponent * 108_853) >> 15
}

/// The decimal exponent of a power of two, rounded down.
fn two_to_ten(exponent: i32) -> i32 {
    (exponent * 78_913) >> 18
}

/// The bytes not read yet. Reads zero bytes at the end.
#[derive(Clone, Copy)]
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn peek(self) -> u8 {
        self.0.first().copied().unwrap_or(0)
    }

    fn advance(&mut self) {
        self.0 = self.0.get(1..).unwrap_or_default();
    }

    fn digit(&mut self) -> Option<u64> {
        let byte = self.peek();
        byte.is_ascii_digit().then(|| {
            self.advance();
            u64::from(byte - b'0')
        })
    }

    /// Reads a sign; whether it is a minus.
    fn sign(&mut self) -> bool {
        let byte = self.peek();
        if matches!(byte, b'-' | b'+') {
            self.advance();
        }
        byte == b'-'
    }
}
