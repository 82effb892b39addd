//! What functions do with texts, which are bytes that need not be UTF-8.

use std::borrow::Cow;
use std::ops::Range;

use super::datum::Datum;
use super::pattern::ended;

/// The ends of a text that are trimmed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
    Both,
}

/// The sizes of the characters, where each byte that is not ASCII begins one unless it goes on
/// with the one before.
pub(super) fn characters(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    sizes(text, 0x80)
}

/// The sizes of the characters, where a byte that could only go on with one stands for itself if
/// none begins before it.
fn strict_characters(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    sizes(text, 0xc0)
}

/// The sizes of characters; those that begin with a byte from `long` on have all that goes on.
fn sizes(text: &[u8], long: u8) -> impl Iterator<Item = usize> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (first, after) = rest.split_first()?;
        let more = if *first < long { 0 } else { continuation(after) };
        rest = &after[more..];
        Some(1 + more)
    })
}

/// How many bytes go on with the character before.
fn continuation(text: &[u8]) -> usize {
    text.iter().take_while(|byte| **byte & 0xc0 == 0x80).count()
}

/// The part of a text or of bytes.
pub(super) fn slice(text: Cow<'_, [u8]>, range: Range<usize>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(mut text) => {
            text.truncate(range.end);
            text.drain(..range.start);
            Cow::Owned(text)
        }
    }
}

/// `substr`: characters of a text, bytes of a blob.
pub(super) fn substr<'a>(
    value: Datum<'a>,
    start: &Datum<'_>,
    count: Option<Datum<'_>>,
) -> Datum<'a> {
    let null = start.is_null() || count.as_ref().is_some_and(Datum::is_null);
    let (start, count) = (start.to_integer(), count.map(|count| count.to_integer()));
    let blob = value.is_blob();
    let Some(text) = value.into_text() else { return Datum::Null };
    if null || (blob && text.is_empty()) {
        return Datum::Null;
    }
    let limit = if blob { text.len() } else { ended(&text).len() };
    let length = || if blob { limit } else { strict_characters(&text[..limit]).count() };
    let (skip, take) = window(start, count.unwrap_or(i64::MAX), length);
    let range = if blob {
        let begin = skip.min(limit);
        begin..begin.saturating_add(take).min(limit)
    } else {
        let mut sizes = characters(&text[..limit]);
        let begin: usize = sizes.by_ref().take(skip).sum();
        begin..begin + sizes.take(take).sum::<usize>()
    };
    let part = slice(text, range);
    if blob { Datum::Blob(part) } else { Datum::Text(part) }
}

/// How much to skip and to take of something of a length, where counting begins at 1, or with -1
/// at the end; a negative count takes what is before.
fn window(start: i64, count: i64, length: impl Fn() -> usize) -> (usize, usize) {
    let mut count = count;
    let mut skip = start;
    if start < 0 {
        skip = start.saturating_add_unsigned(length() as u64);
        if skip < 0 {
            count = if count < 0 { 0 } else { count + skip };
            skip = 0;
        }
    } else if start > 0 {
        skip -= 1;
    } else if count > 0 {
        count -= 1;
    }
    if count < 0 {
        count = if count < -skip { skip } else { -count };
        skip -= count;
    }
    let size = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    (size(skip), size(count))
}

/// What is left of a text without the characters of a set at its ends.
pub(super) fn trim(text: &[u8], set: &[u8], side: Side) -> Range<usize> {
    let mut rest = ended(set);
    let mut members = Vec::new();
    for size in strict_characters(rest) {
        let (member, after) = rest.split_at(size);
        members.push(member);
        rest = after;
    }
    let mut range = 0..text.len();
    if side != Side::Right {
        while let Some(member) = members.iter().find(|each| text[range.clone()].starts_with(each)) {
            range.start += member.len();
        }
    }
    if side != Side::Left {
        while let Some(member) = members.iter().find(|each| text[range.clone()].ends_with(each)) {
            range.end -= member.len();
        }
    }
    range
}

/// The text with each occurrence of another, which is not empty, replaced.
pub(super) fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        match rest.strip_prefix(from) {
            Some(after) => {
                out.extend_from_slice(to);
                rest = after;
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// The position of the first occurrence, counted from 1, in characters or in bytes; 0 for none.
pub(super) fn find(text: &[u8], needle: &[u8], in_bytes: bool) -> usize {
    let mut position = 1;
    let mut rest = text;
    while needle.len() <= rest.len() {
        if rest.starts_with(needle) {
            return position;
        }
        let Some((_, after)) = rest.split_first() else { return 0 };
        rest = if in_bytes { after } else { &after[continuation(after)..] };
        position += 1;
    }
    0
}

/// Upper-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS[usize::from(value & 15)];
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Appends the character of a code, U+FFFD for what is none. Surrogates are encoded like others.
pub(super) fn push_char(out: &mut Vec<u8>, code: i64) {
    let code = u32::try_from(code).ok().filter(|code| *code <= 0x10_ffff).unwrap_or(0xfffd);
    let tail = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
    match code {
        0..0x80 => out.push(code as u8),
        0x80..0x800 => out.extend([0xc0 | (code >> 6) as u8, tail(0)]),
        0x800..0x1_0000 => out.extend([0xe0 | (code >> 12) as u8, tail(6), tail(0)]),
        _ => out.extend([0xf0 | (code >> 18) as u8, tail(12), tail(6), tail(0)]),
    }
}
