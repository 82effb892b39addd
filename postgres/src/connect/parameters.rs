//! The parameters of a connection string that are read here and not by the driver.

use std::collections::BTreeMap;

/// What is read here.
const OURS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

/// A connection string without the parameters that are read here, and those. None if it cannot be read.
pub(super) fn take(text: &str) -> Option<(String, BTreeMap<&'static str, String>)> {
    let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
    if is_url { take_of_url(text) } else { take_of_pairs(text) }
}

fn ours(name: &str) -> Option<&'static str> {
    OURS.into_iter().find(|ours| *ours == name)
}

fn take_of_url(text: &str) -> Option<(String, BTreeMap<&'static str, String>)> {
    // A password may have a question mark in it.
    let credentials = text.find('@').unwrap_or(0);
    let Some(at) = text[credentials..].find('?').map(|at| at + credentials) else {
        return Some((text.to_owned(), BTreeMap::new()));
    };
    let mut found = BTreeMap::new();
    let mut rest = Vec::new();
    for pair in text[at + 1..].split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match ours(name) {
            Some(name) => drop(found.insert(name, decoded(value)?)),
            None if pair.is_empty() => {}
            None => rest.push(pair),
        }
    }
    let end = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
    Some((format!("{}{end}", &text[..at]), found))
}

/// A text in which `%` and two digits stand for a byte.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

fn take_of_pairs(text: &str) -> Option<(String, BTreeMap<&'static str, String>)> {
    let mut found = BTreeMap::new();
    let mut kept = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let whole = rest;
        let end = rest.find(|c: char| c == '=' || c.is_whitespace())?;
        let name = &rest[..end];
        rest = rest[end..].trim_start().strip_prefix('=')?.trim_start();
        let (value, after) = value(rest)?;
        match ours(name) {
            Some(name) => drop(found.insert(name, value)),
            None => kept.push(whole[..whole.len() - after.len()].trim_end()),
        }
        rest = after.trim_start();
    }
    Some((kept.join(" "), found))
}

/// A value at the beginning of a text, and what comes after. It ends with a blank, unless it is in single
/// quotes; a backslash makes the next character plain.
fn value(text: &str) -> Option<(String, &str)> {
    let (is_quoted, text) = match text.strip_prefix('\'') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.push(chars.next()?.1),
            '\'' if is_quoted => return Some((value, &text[at + 1..])),
            c if c.is_whitespace() && !is_quoted => return Some((value, &text[at..])),
            c => value.push(c),
        }
    }
    (!is_quoted).then_some((value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> (String, Vec<(&'static str, String)>) {
        let (rest, found) = take(text).expect(text);
        (rest, found.into_iter().collect())
    }

    #[test]
    fn parameters_are_taken_out_and_the_rest_stays() {
        let root = ("sslrootcert", "/a b/root.crt".to_owned());
        let full = ("sslmode", "verify-full".to_owned());
        assert_eq!(
            taken(
                "postgres://a:b@h:1/d?sslmode=verify-full&connect_timeout=3&sslrootcert=%2Fa%20b/root.crt"
            ),
            ("postgres://a:b@h:1/d?connect_timeout=3".into(), vec![full.clone(), root.clone()])
        );
        assert_eq!(
            taken(
                "host=h  sslmode = verify-full password='it\\'s a=b' sslrootcert='/a b/root.crt' dbname=d"
            ),
            ("host=h password='it\\'s a=b' dbname=d".into(), vec![full.clone(), root])
        );
        assert_eq!(
            taken("postgres://h/d?sslmode=verify-full"),
            ("postgres://h/d".into(), vec![full])
        );
        for text in ["postgres://a:b?c@h/d", "postgres://h/d?a=b", "host=h", "host=h user = 'b c'"]
        {
            assert_eq!(taken(text), (text.to_owned(), vec![]));
        }
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        for text in
            ["host", "host=h password='open", "a b", "postgres://h/d?sslmode=%zz", "host=\\"]
        {
            assert_eq!(take(text), None, "{text}");
        }
    }
}
