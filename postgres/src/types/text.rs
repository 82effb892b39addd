//! Bytes, bits, and types whose text is put together here.

use super::Reason;
use super::bytes::Bytes;

/// `\x` and two hexadecimal digits per byte.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("\\x");
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// The bytes of a `bytea` in either of the formats that `bytea_output` chooses.
pub(super) fn bytea(text: &str) -> Result<Vec<u8>, Reason> {
    match text.strip_prefix("\\x") {
        Some(digits) => of_hexadecimal(digits.as_bytes()),
        None => of_escapes(text.as_bytes()),
    }
}

fn of_hexadecimal(digits: &[u8]) -> Result<Vec<u8>, Reason> {
    let value = |digit: u8| (digit as char).to_digit(16).map(|value| value as u8);
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(value(*high)? << 4 | value(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    bytes.ok_or_else(|| "it is not hexadecimal digits, two per byte".to_owned())
}

/// Bytes as they are, but `\\` for a backslash and `\nnn`, octal, for others.
fn of_escapes(text: &[u8]) -> Result<Vec<u8>, Reason> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        match *behind {
            [b'\\', ..] => {
                bytes.push(b'\\');
                rest = &behind[1..];
            }
            [high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7', ..] => {
                bytes.push((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'));
                rest = &behind[3..];
            }
            _ => {
                return Err(
                    "a backslash is not followed by another or by three octal digits".into()
                );
            }
        }
    }
    Ok(bytes)
}

pub(super) fn uuid(bytes: &[u8]) -> Result<String, Reason> {
    let mut bytes = Bytes::new(bytes);
    let id: [u8; 16] = bytes.array()?;
    bytes.end()?;
    let digits = hexadecimal(&id);
    let parts = [&digits[2..10], &digits[10..14], &digits[14..18], &digits[18..22], &digits[22..]];
    Ok(parts.join("-"))
}

pub(super) fn macaddr(bytes: &[u8]) -> Result<String, Reason> {
    let mut bytes = Bytes::new(bytes);
    let [a, b, c, d, e, f]: [u8; 6] = bytes.array()?;
    bytes.end()?;
    Ok(format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"))
}

/// How many bits, and the bits.
pub(super) fn bits(bytes: &[u8]) -> Result<String, Reason> {
    let mut bytes = Bytes::new(bytes);
    let length = bytes.i32()?;
    let Ok(length) = usize::try_from(length) else {
        return Err(format!("{length} is not a length"));
    };
    let bits = bytes.take(length.div_ceil(8))?;
    bytes.end()?;
    let is_set = |bit: usize| bits[bit / 8] & (0x80 >> (bit % 8)) != 0;
    Ok((0..length).map(|bit| if is_set(bit) { '1' } else { '0' }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_of_bytes_are_read() {
        assert_eq!(bytea("\\x"), Ok(vec![]));
        assert_eq!(bytea("\\x00fF5c"), Ok(vec![0, 255, b'\\']));
        assert_eq!(bytea("a\\000\\377\\\\b"), Ok(vec![b'a', 0, 255, b'\\', b'b']));
        for text in ["\\x0", "\\xzz", "\\", "\\1", "\\400", "\\08"] {
            assert!(bytea(text).is_err(), "{text}");
        }
    }

    #[test]
    fn texts_are_those_of_the_server() {
        let id: Vec<u8> = (0..16).map(|byte| byte * 17).collect();
        assert_eq!(uuid(&id).as_deref(), Ok("00112233-4455-6677-8899-aabbccddeeff"));
        assert!(uuid(&id[1..]).is_err());
        assert_eq!(macaddr(&[8, 0, 0x2b, 1, 2, 255]).as_deref(), Ok("08:00:2b:01:02:ff"));
        assert_eq!(bits(&[0, 0, 0, 10, 0b1010_0000, 0b0100_0000]).as_deref(), Ok("1010000001"));
        assert_eq!(bits(&[0, 0, 0, 0]).as_deref(), Ok(""));
        assert!(bits(&[0, 0, 0, 9, 0]).is_err() && bits(&[255, 0, 0, 0]).is_err());
    }
}
