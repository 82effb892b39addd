//! The order of cookies.

/// Whether cookie `a` comes before cookie `b` where JavaScript compares strings: by their UTF-16
/// code units, which differs from code points beyond U+FFFF.
///
/// ```
/// use penstock_sync::validate::before;
///
/// assert!(before("10", "9"));
/// assert!(before("\u{1f600}", "\u{fb00}")); // its first code unit is a surrogate, 0xd83d
/// ```
pub fn before(a: &str, b: &str) -> bool {
    a.encode_utf16().lt(b.encode_utf16())
}
