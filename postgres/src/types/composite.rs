//! Values of composite types as JSON.

use std::sync::Arc;

use super::bytes::Bytes;
use super::{Mapping, Reason, json};

type Fields = [(Arc<str>, Mapping)];

/// `(1,"a ""b""",)`: fields between commas, nothing for null.
pub(super) fn text(fields: &Fields, text: &str) -> Result<String, Reason> {
    let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let Some(mut rest) = inner else {
        return Err("it does not stand in parentheses".to_owned());
    };
    let mut json = String::from("{");
    for (at, (name, mapping)) in fields.iter().enumerate() {
        if at > 0 {
            let Some(next) = rest.strip_prefix(',') else {
                return Err(count_differs(fields));
            };
            rest = next;
            json.push(',');
        }
        json::text_literal(&mut json, name);
        json.push(':');
        let field = field(&mut rest)?;
        match field {
            Some(text) => json::write(&mut json, &of_field(name, mapping.read_text(&text))?),
            None => json.push_str("null"),
        }
    }
    if !rest.is_empty() {
        return Err(count_differs(fields));
    }
    json.push('}');
    Ok(json)
}

/// How many fields; each as its type and, behind its length, its bytes.
pub(super) fn binary(fields: &Fields, bytes: &[u8]) -> Result<String, Reason> {
    let mut bytes = Bytes::new(bytes);
    if usize::try_from(bytes.i32()?) != Ok(fields.len()) {
        return Err(count_differs(fields));
    }
    let mut json = String::from("{");
    for (at, (name, mapping)) in fields.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        json::text_literal(&mut json, name);
        json.push(':');
        let _type = bytes.u32()?;
        match bytes.counted()? {
            Some(bytes) => json::write(&mut json, &of_field(name, mapping.read_binary(bytes))?),
            None => json.push_str("null"),
        }
    }
    bytes.end()?;
    json.push('}');
    Ok(json)
}

fn of_field<T>(name: &str, value: Result<T, Reason>) -> Result<T, Reason> {
    value.map_err(|reason| format!("field \"{name}\": {reason}"))
}

fn count_differs(fields: &Fields) -> Reason {
    let count = fields.len();
    format!(
        "the type was read with {count} fields and has others now; the types must be read again"
    )
}

/// The next field up to its comma; nothing where it is empty.
fn field(rest: &mut &str) -> Result<Option<String>, Reason> {
    let (mut field, mut in_quotes, mut is_quoted) = (String::new(), false, false);
    let mut letters = rest.char_indices().peekable();
    let mut end = rest.len();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' if in_quotes && letters.peek().is_some_and(|next| next.1 == '"') => {
                letters.next();
                field.push('"');
            }
            '"' => (in_quotes, is_quoted) = (!in_quotes, true),
            '\\' => match letters.next() {
                Some((_, letter)) => field.push(letter),
                None => return Err("it ends behind a backslash".to_owned()),
            },
            ',' if !in_quotes => {
                end = at;
                break;
            }
            letter => field.push(letter),
        }
    }
    if in_quotes {
        return Err("a quoted field does not end".to_owned());
    }
    *rest = &rest[end..];
    Ok((is_quoted || !field.is_empty()).then_some(field))
}

#[cfg(test)]
mod tests {
    use penstock::Value;

    use super::super::{Catalogue, Field, Shape, TypeRow};

    const PAIR: u32 = 20_000;
    const PAIRS: u32 = 20_001;
    const OUTER: u32 = 20_002;

    fn catalogue() -> Catalogue {
        let field = |name: &str, type_id| Field { name: name.to_owned(), type_id };
        let row = |oid, name: &str, shape| TypeRow { oid, name: name.to_owned(), shape };
        Catalogue::new([
            row(OUTER, "outer", Shape::Composite(vec![field("pairs", PAIRS), field("x", 1700)])),
            row(PAIR, "pair", Shape::Composite(vec![field("n", 23), field("a \"b\"", 25)])),
            row(PAIRS, "pair[]", Shape::Array { element: PAIR, delimiter: b',' }),
        ])
    }

    fn read(oid: u32, text: &str) -> Result<Value, String> {
        let catalogue = catalogue();
        catalogue.mapping(oid).expect("a known type").text(text).map_err(|error| error.to_string())
    }

    #[test]
    fn texts_of_composite_values_become_objects() {
        let cases = [
            (PAIR, "(1,x)", r#"{"n":1,"a \"b\"":"x"}"#),
            (PAIR, "(,)", r#"{"n":null,"a \"b\"":null}"#),
            (PAIR, r#"(-5,"")"#, r#"{"n":-5,"a \"b\"":""}"#),
            (PAIR, r#"(1,"a ""b"" \\ (c,d)")"#, r#"{"n":1,"a \"b\"":"a \"b\" \\ (c,d)"}"#),
            (
                OUTER,
                r#"("{""(1,x)"",""(2,\\""y z\\"")""}",1.5)"#,
                r#"{"pairs":[{"n":1,"a \"b\"":"x"},{"n":2,"a \"b\"":"y z"}],"x":1.5}"#,
            ),
        ];
        for (oid, text, expected) in cases {
            assert_eq!(read(oid, text), Ok(Value::Json(expected.into())), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for text in ["", "(", "1,x", "(1)", "(1,x,2)", "(1,\"x)", "(1,x\\)"] {
            assert!(read(PAIR, text).is_err(), "{text}");
        }
        let error = read(PAIR, "(y,x)").expect_err("y is no number");
        assert!(error.contains("type pair") && error.contains("field \"n\""), "{error}");
        let error = read(PAIR, "(1)").expect_err("a field is missing");
        assert!(error.contains("read again"), "{error}");
    }
}
