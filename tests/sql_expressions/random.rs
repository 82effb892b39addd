//! Random numbers from a seed, and random values that are hard to convert and compare.

use penstock::Value;

/// A small generator of random numbers: the same for the same seed everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(super) fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(super) fn value(&mut self) -> Value {
        match self.below(10) {
            0 => Value::Null,
            1..=3 => Value::Int(self.integer()),
            4..=5 => Value::Float(self.double()),
            6..=8 => self.text().into(),
            _ => self.blob().into(),
        }
    }

    pub(super) fn integer(&mut self) -> i64 {
        const HARD: [i64; 14] = [
            0,
            1,
            -1,
            63,
            64,
            -64,
            i64::MAX,
            i64::MIN,
            i64::MAX - 1,
            i64::MIN + 1,
            1 << 53,
            (1 << 53) + 1,
            -(1 << 51),
            1 << 51,
        ];
        match self.below(4) {
            0 => self.pick(&HARD),
            1 => self.next() as i64,
            _ => self.below(25) as i64 - 8,
        }
    }

    pub(super) fn double(&mut self) -> f64 {
        const HARD: [f64; 18] = [
            0.0,
            -0.0,
            0.5,
            1.0,
            -1.0,
            1.5,
            1e15,
            1e16,
            1e17,
            9_007_199_254_740_993.0,
            9_223_372_036_854_775_807.0,
            -9_223_372_036_854_775_808.0,
            1e300,
            5e-324,
            2.225_073_858_507_201_4e-308,
            f64::MAX,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ];
        match self.below(6) {
            0 => self.pick(&HARD),
            1 => self.any_double(),
            2 => self.integer() as f64,
            3 => self.below(1000) as f64 / 100.0,
            4 => (self.next() as i64 >> self.below(60)) as f64 / 10f64.powi(self.below(30) as i32),
            _ => self.below(40) as f64 - 20.0,
        }
    }

    /// Any bits that are a number.
    pub(super) fn any_double(&mut self) -> f64 {
        loop {
            let value = f64::from_bits(self.next());
            if !value.is_nan() {
                return value;
            }
        }
    }

    pub(super) fn text(&mut self) -> String {
        match self.below(3) {
            0 => self.numeric_text(),
            1 => self.pick(&["", "a", "A", "abc", "aBc ", "null", "é", "%", "a_c", "[a-c]"]).into(),
            _ => self.letters(),
        }
    }

    /// A few characters, of those that mean something somewhere.
    pub(super) fn letters(&mut self) -> String {
        const CHARS: [char; 30] = [
            'a', 'a', 'A', 'b', 'B', 'c', 'é', 'É', '𝄞', ' ', ' ', '%', '%', '_', '*', '?', '[',
            ']', '^', '-', '\\', '0', '1', '9', '.', 'e', '+', '\t', 'x', '\0',
        ];
        (0..self.below(8)).map(|_| self.pick(&CHARS)).collect()
    }

    /// A text that is a number, or nearly.
    pub(super) fn numeric_text(&mut self) -> String {
        const HARD: [&str; 22] = [
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "18446744073709551615",
            "99999999999999999999",
            "00000000000000000000000012",
            "0x1F",
            "1e",
            "1e+",
            ".",
            "-",
            "+.5",
            "5.",
            "1e400",
            "1e-400",
            "-0",
            "-0.0",
            "inf",
            "1 2",
            "12\0",
            "3.0e3",
        ];
        let number = match self.below(5) {
            0 => self.pick(&HARD).to_owned(),
            1 => self.integer().to_string(),
            2 => format!("{}", self.double()),
            3 => format!("{:e}", self.double()),
            _ => self.digits(),
        };
        match self.below(8) {
            0 => format!("  {number}"),
            1 => format!("{number} \n"),
            2 => format!("{number}abc"),
            3 => format!("+{number}"),
            _ => number,
        }
    }

    /// Many digits with a point or an exponent, or without.
    pub(super) fn digits(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.below(24) {
            text.push(char::from(b'0' + self.below(10) as u8));
        }
        if self.chance(2) {
            text.push('.');
            for _ in 0..self.below(24) {
                text.push(char::from(b'0' + self.below(10) as u8));
            }
        }
        if self.chance(2) {
            text += &format!("e{}", self.below(660) as i32 - 345);
        }
        text
    }

    pub(super) fn blob(&mut self) -> Vec<u8> {
        match self.below(3) {
            0 => self.text().into_bytes(),
            1 => (0..self.below(5)).map(|_| self.next() as u8).collect(),
            _ => {
                const BYTES: [u8; 8] = [0, b'a', b'1', 0x80, 0xc3, 0xa9, 0xed, 0xff];
                (0..self.below(6)).map(|_| self.pick(&BYTES)).collect()
            }
        }
    }
}
