//! The order of texts under a collation.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::Collation;

impl Collation {
    /// The order of two texts.
    #[inline]
    pub(super) fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Collation::Binary => a.cmp(b),
            Collation::NoCase => no_case(a).cmp(no_case(b)),
            Collation::RightTrim => trimmed(a).cmp(trimmed(b)),
        }
    }

    /// A text that is equal to, less or greater than another's by bytes where the text is so
    /// under the collation.
    pub(super) fn fold(self, text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
        match (self, text) {
            (Collation::Binary, text) => text,
            (Collation::NoCase, text) => {
                if text.iter().any(|byte| byte.is_ascii_uppercase() || *byte == 0) {
                    no_case(&text).collect()
                } else {
                    text
                }
            }
            (Collation::RightTrim, Cow::Borrowed(text)) => Cow::Borrowed(trimmed(text)),
            (Collation::RightTrim, Cow::Owned(mut text)) => {
                text.truncate(trimmed(&text).len());
                Cow::Owned(text)
            }
        }
    }
}

/// The bytes that decide without regard to case. SQLite does not look at what follows a zero byte,
/// but for how long it is.
fn no_case(text: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut ended = false;
    text.iter().map(move |byte| {
        ended |= *byte == 0;
        if ended { 0 } else { byte.to_ascii_lowercase() }
    })
}

fn trimmed(text: &[u8]) -> &[u8] {
    let spaces = text.iter().rev().take_while(|byte| **byte == b' ').count();
    &text[..text.len() - spaces]
}
