//! Sums of doubles that are exact: whatever is added and taken away in whatever order, the sum is
//! that of the numbers that remain, rounded once.

/// The position of the units: the least bit of a double counts 2^-1074.
const UNIT: usize = 1074;
/// Enough for the greatest double, 2^63 times, and a sign.
const LIMBS: usize = 35;
/// The bits of a double's mantissa, the leading one included.
const MANTISSA_BITS: usize = 53;

/// A sum of doubles as one large fixed-point number in two's complement, and counts of what is not
/// finite.
///
/// Cost: a few additions per change; 300 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExactSum {
    limbs: [u64; LIMBS],
    infinite: i64,
    minus_infinite: i64,
    nan: i64,
}

impl Default for ExactSum {
    fn default() -> ExactSum {
        ExactSum { limbs: [0; LIMBS], infinite: 0, minus_infinite: 0, nan: 0 }
    }
}

impl ExactSum {
    /// Adds a double so many times; takes it away where `times` is negative.
    pub(crate) fn add(&mut self, value: f64, times: i64) {
        if value.is_nan() {
            self.nan += times;
        } else if value.is_infinite() {
            *(if value > 0.0 { &mut self.infinite } else { &mut self.minus_infinite }) += times;
        } else {
            let bits = value.to_bits();
            let exponent = (bits >> 52 & 0x7ff) as usize;
            let fraction = bits & ((1 << 52) - 1);
            let (mantissa, shift) = match exponent {
                0 => (fraction, 0),
                _ => (fraction | 1 << 52, exponent - 1),
            };
            let magnitude = u128::from(mantissa) * u128::from(times.unsigned_abs());
            self.add_shifted(magnitude, shift, value.is_sign_negative() != (times < 0));
        }
    }

    /// Adds an integer.
    fn add_integer(&mut self, value: i128) {
        self.add_shifted(value.unsigned_abs(), UNIT, value < 0);
    }

    fn add_shifted(&mut self, magnitude: u128, shift: usize, negative: bool) {
        let (first, bits) = (shift / 64, shift % 64);
        let (low, high) = (magnitude as u64, (magnitude >> 64) as u64);
        let spread = match bits {
            0 => [low, high, 0],
            _ => [low << bits, low >> (64 - bits) | high << bits, high >> (64 - bits)],
        };
        let mut carry = false;
        for (at, limb) in self.limbs[first..].iter_mut().enumerate() {
            let part = spread.get(at).copied().unwrap_or(0);
            if at >= spread.len() && !carry {
                break;
            }
            let (sum, over) = match negative {
                false => limb.overflowing_add(part),
                true => limb.overflowing_sub(part),
            };
            let (sum, again) = match negative {
                false => sum.overflowing_add(u64::from(carry)),
                true => sum.overflowing_sub(u64::from(carry)),
            };
            *limb = sum;
            carry = over || again;
        }
    }

    /// The sum together with an integer, rounded once to the nearest double, ties to even. Not a
    /// number where both infinities are in it.
    pub(crate) fn total(&self, whole: i128) -> f64 {
        match (self.nan > 0, self.infinite > 0, self.minus_infinite > 0) {
            (true, _, _) | (_, true, true) => return f64::NAN,
            (_, true, _) => return f64::INFINITY,
            (_, _, true) => return f64::NEG_INFINITY,
            _ => {}
        }
        let mut sum = self.clone();
        sum.add_integer(whole);
        let negative = sum.limbs[LIMBS - 1] >> 63 == 1;
        if negative {
            let mut carry = true;
            for limb in &mut sum.limbs {
                (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
            }
        }
        let magnitude = sum.magnitude();
        if negative { -magnitude } else { magnitude }
    }

    /// The number without its sign, rounded.
    fn magnitude(&self) -> f64 {
        let Some(top) = self.limbs.iter().rposition(|limb| *limb != 0) else { return 0.0 };
        let length = 64 * top + 64 - self.limbs[top].leading_zeros() as usize;
        if length <= MANTISSA_BITS {
            // The encoding of a subnormal is its number of units, and that goes on into the
            // first normals.
            return f64::from_bits(self.limbs[0]);
        }
        let shift = length - MANTISSA_BITS;
        let mut mantissa = self.bits_from(shift) & ((1 << MANTISSA_BITS) - 1);
        let half = self.bits_from(shift - 1) & 1 == 1;
        let below = shift - 1;
        let (limb, bits) = (below / 64, below % 64);
        let sticky = self.limbs[..limb].iter().any(|limb| *limb != 0)
            || self.limbs[limb] & ((1 << bits) - 1) != 0;
        if half && (sticky || mantissa & 1 == 1) {
            mantissa += 1;
        }
        // A mantissa that rounding made one bit longer carries into the exponent, as it should.
        let encoded = ((shift as u64) << 52) + mantissa;
        f64::from_bits(encoded.min(f64::INFINITY.to_bits()))
    }

    /// 64 bits from a position on.
    fn bits_from(&self, position: usize) -> u64 {
        let (limb, bits) = (position / 64, position % 64);
        let low = self.limbs[limb] >> bits;
        match (bits, self.limbs.get(limb + 1)) {
            (1.., Some(high)) => low | high << (64 - bits),
            _ => low,
        }
    }
}
