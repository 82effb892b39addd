//! Frames of the server, taken apart as far as is needed. They are taken to be JSON without spaces, as
//! servers write it; anything else is an error.

use serde::de::IgnoredAny;
use serde_json::Value as Json;

/// A frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame<'t> {
    Start { base: Option<String> },
    Part(Part<'t>),
    End { cookie: String },
    Error(String),
    Other,
}

/// A part of a poke.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Part<'t> {
    /// The text of each operation on a row.
    pub(crate) ops: Vec<&'t str>,
    /// Queries that are complete now.
    pub(crate) got: Vec<String>,
}

impl Frame<'_> {
    pub(crate) fn parse(text: &str) -> Result<Frame<'_>, String> {
        if let Some(members) = text.strip_prefix(r#"["pokePart",{"#) {
            let part = part(members).ok_or_else(|| format!("no part of a poke: {text:.200}"));
            return Ok(Frame::Part(part?));
        }
        let frame: Json =
            serde_json::from_str(text).map_err(|error| format!("no JSON: {error}: {text:.200}"))?;
        let member = |name: &str| frame[1][name].as_str().map(str::to_owned);
        Ok(match frame[0].as_str() {
            Some("pokeStart") => Frame::Start { base: member("baseCookie") },
            Some("pokeEnd") => Frame::End { cookie: member("cookie").unwrap_or_default() },
            Some("error" | "transformError") => Frame::Error(text.to_owned()),
            _ => Frame::Other,
        })
    }
}

fn part(members: &str) -> Option<Part<'_>> {
    let (mut part, mut rest) = (Part::default(), members);
    loop {
        let (name, after) = value(rest)?;
        rest = after.strip_prefix(':')?;
        if name == "\"rowsPatch\"" {
            rest = rest.strip_prefix('[')?;
            while !rest.starts_with(']') {
                let (op, after) = value(rest)?;
                part.ops.push(op);
                rest = after.strip_prefix(',').unwrap_or(after);
            }
            rest = &rest[1..];
        } else {
            let (text, after) = value(rest)?;
            if name == "\"gotQueriesPatch\"" {
                let ops: Vec<Json> = serde_json::from_str(text).ok()?;
                let puts = ops.iter().filter(|op| op["op"] == "put");
                part.got.extend(puts.filter_map(|op| op["hash"].as_str().map(str::to_owned)));
            }
            rest = after;
        }
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (rest == "}]").then_some(part),
        }
    }
}

/// The JSON value at the start of a text, and what comes after it.
fn value(text: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    text.split_at_checked(values.byte_offset())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_apart() {
        let op = r#"{"op":"put","tableName":"a","value":{"t":"]},\""}}"#;
        let text = format!(
            r#"["pokePart",{{"pokeID":"1","lastMutationIDChanges":{{"c":1}},"rowsPatch":[{op},{op}],"gotQueriesPatch":[{{"op":"put","hash":"h"}},{{"op":"del","hash":"g"}}]}}]"#
        );
        let part = Part { ops: vec![op, op], got: vec!["h".to_owned()] };
        assert_eq!(Frame::parse(&text), Ok(Frame::Part(part)));
        let empty = r#"["pokePart",{"pokeID":"1","rowsPatch":[]}]"#;
        assert_eq!(Frame::parse(empty), Ok(Frame::Part(Part::default())));
        for wrong in [&text[..text.len() - 2], r#"["pokePart",{"rowsPatch":[}]"#, "x"] {
            assert!(Frame::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn other_frames_are_told_apart() {
        let parse = |text| Frame::parse(text);
        let start = r#"["pokeStart",{"pokeID":"1","baseCookie":null}]"#;
        assert_eq!(parse(start), Ok(Frame::Start { base: None }));
        let end = r#"["pokeEnd",{"pokeID":"1","cookie":"1"}]"#;
        assert_eq!(parse(end), Ok(Frame::End { cookie: "1".to_owned() }));
        assert_eq!(parse(r#"["pong",{}]"#), Ok(Frame::Other));
        assert!(matches!(parse(r#"["error",{"kind":"Internal"}]"#), Ok(Frame::Error(_))));
    }
}
