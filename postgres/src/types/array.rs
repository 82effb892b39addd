//! Arrays as JSON.

use super::bytes::Bytes;
use super::{Array, Mapping, Reason, json};

/// More dimensions than this no array has.
const DIMENSIONS_MAX: usize = 6;

impl Array {
    /// `{1,NULL,"a b"}`, nested for more dimensions, perhaps behind `[0:2]=` for its bounds.
    pub(super) fn text(&self, text: &str) -> Result<String, Reason> {
        let braces = match text.strip_prefix('[') {
            Some(bounds) => match bounds.split_once("]=") {
                Some((_, braces)) => braces,
                None => return Err("its bounds do not end with ]=".to_owned()),
            },
            None => text,
        };
        let mut reader = TextReader { array: self, rest: braces, json: String::new() };
        reader.list(0)?;
        match reader.rest {
            "" => Ok(reader.json),
            rest => Err(format!("{rest:?} is left over")),
        }
    }

    /// How many dimensions, whether it has nulls, the type of elements; per dimension how many
    /// elements and the lower bound; the elements, each behind its length.
    pub(super) fn binary(&self, bytes: &[u8]) -> Result<String, Reason> {
        let mut bytes = Bytes::new(bytes);
        let (dimensions, _flags, _type) = (bytes.i32()?, bytes.i32()?, bytes.u32()?);
        let dimensions = match usize::try_from(dimensions) {
            Ok(dimensions @ 0..=DIMENSIONS_MAX) => dimensions,
            _ => return Err(format!("it has {dimensions} dimensions")),
        };
        let mut lengths = Vec::with_capacity(dimensions);
        for _ in 0..dimensions {
            let (length, _lower) = (bytes.i32()?, bytes.i32()?);
            lengths.push(match usize::try_from(length) {
                Ok(length @ 1..) => length,
                _ => return Err(format!("a dimension has {length} elements")),
            });
        }
        let mut json = String::new();
        if lengths.is_empty() {
            json.push_str("[]");
        } else {
            binary_list(&self.element, &lengths, &mut bytes, &mut json)?;
        }
        bytes.end()?;
        Ok(json)
    }
}

/// Every element takes four bytes at least, so a length that is a lie is found out in time.
fn binary_list(
    element: &Mapping,
    lengths: &[usize],
    bytes: &mut Bytes<'_>,
    json: &mut String,
) -> Result<(), Reason> {
    let Some((length, inner)) = lengths.split_first() else {
        match bytes.counted()? {
            Some(value) => json::write(json, &element.read_binary(value)?),
            None => json.push_str("null"),
        }
        return Ok(());
    };
    json.push('[');
    for at in 0..*length {
        if at > 0 {
            json.push(',');
        }
        binary_list(element, inner, bytes, json)?;
    }
    json.push(']');
    Ok(())
}

struct TextReader<'a> {
    array: &'a Array,
    rest: &'a str,
    json: String,
}

impl<'a> TextReader<'a> {
    /// What stands next, if it is this.
    fn skip(&mut self, what: char) -> bool {
        match self.rest.strip_prefix(what) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn list(&mut self, depth: usize) -> Result<(), Reason> {
        if depth == DIMENSIONS_MAX {
            return Err(format!("it has more than {DIMENSIONS_MAX} dimensions"));
        }
        if !self.skip('{') {
            return Err("a { is missing".to_owned());
        }
        self.json.push('[');
        if self.skip('}') {
            self.json.push(']');
            return Ok(());
        }
        loop {
            match self.rest.as_bytes().first() {
                Some(b'{') => self.list(depth + 1)?,
                Some(b'"') => self.quoted()?,
                _ => self.bare()?,
            }
            if self.skip('}') {
                self.json.push(']');
                return Ok(());
            }
            if !self.skip(self.array.delimiter.into()) {
                return Err("a } is missing".to_owned());
            }
            self.json.push(',');
        }
    }

    fn bare(&mut self) -> Result<(), Reason> {
        let ends = |byte: u8| byte == self.array.delimiter || b"{}\"".contains(&byte);
        let end = self.rest.bytes().position(ends).unwrap_or(self.rest.len());
        let Some((text, rest)) = self.rest.split_at_checked(end) else {
            return Err("an element ends within a letter".to_owned());
        };
        self.rest = rest;
        match text {
            "" => return Err("an element is missing".to_owned()),
            "NULL" => self.json.push_str("null"),
            text => json::write(&mut self.json, &self.array.element.read_text(text)?),
        }
        Ok(())
    }

    fn quoted(&mut self) -> Result<(), Reason> {
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    json::write(&mut self.json, &self.array.element.read_text(&text)?);
                    return Ok(());
                }
                '\\' => match letters.next() {
                    Some((_, letter)) => text.push(letter),
                    None => break,
                },
                letter => text.push(letter),
            }
        }
        Err("a quoted element does not end".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;

    fn text(oid: u32, text: &str) -> Result<String, String> {
        let catalogue = Catalogue::default();
        let value = catalogue.mapping(oid).expect("a built-in type").text(text);
        value.map_err(|error| error.reason).map(|value| match value {
            penstock::Value::Json(json) => json.to_string(),
            other => panic!("{other:?} is not JSON"),
        })
    }

    const INTEGERS: u32 = 1007;
    const TEXTS: u32 = 1009;
    const BOXES: u32 = 1020;

    #[test]
    fn texts_of_arrays_become_lists() {
        let cases = [
            (INTEGERS, "{}", "[]"),
            (INTEGERS, "{1,NULL,-3}", "[1,null,-3]"),
            (INTEGERS, "{{1,2},{3,4}}", "[[1,2],[3,4]]"),
            (INTEGERS, "[0:1][-1:0]={{1,2},{3,4}}", "[[1,2],[3,4]]"),
            (
                TEXTS,
                r#"{"","NULL",NULL,"a\"b\\c",é,"{x,y}"}"#,
                r#"["","NULL",null,"a\"b\\c","é","{x,y}"]"#,
            ),
            (BOXES, "{(1,1),(0,0);(2,2),(1,1)}", r#"["(1,1),(0,0)","(2,2),(1,1)"]"#),
            (1001, r#"{"\\x00ff"}"#, r#"["\\x00ff"]"#),
            (3807, r#"{"{\"a\": [1, 2]}"}"#, r#"[{"a": [1, 2]}]"#),
            (1022, "{NaN,Infinity,1.5,2}", r#"[null,"Infinity",1.5,2]"#),
        ];
        for (oid, array, expected) in cases {
            assert_eq!(text(oid, array).as_deref(), Ok(expected), "{array}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for array in [
            "",
            "1",
            "{",
            "{1",
            "{1,",
            "{1,}",
            "{,1}",
            "{}}",
            "{1}2",
            "[0:1={1}",
            "{\"1",
            "{\"1\\",
            "{1x}",
            "{{{{{{{1}}}}}}}",
        ] {
            assert!(text(INTEGERS, array).is_err(), "{array}");
        }
    }

    #[test]
    fn lengths_that_lie_are_found_out() {
        let catalogue = Catalogue::default();
        let mapping = catalogue.mapping(INTEGERS).expect("a built-in type");
        let array = |numbers: &[i32]| -> Vec<u8> {
            numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
        };
        let value = mapping.binary(&array(&[2, 1, 23, 1, 1, 2, 7, 4, 5, -1])).expect("an array");
        assert_eq!(value, penstock::Value::Json("[[5,null]]".into()));
        assert_eq!(
            mapping.binary(&array(&[0, 0, 23])).ok(),
            Some(penstock::Value::Json("[]".into()))
        );
        for wrong in [
            array(&[1, 0, 23, i32::MAX, 1]),
            array(&[6, 0, 23, 9999, 1, 9999, 1, 9999, 1, 9999, 1, 9999, 1, 0, 1]),
            array(&[7, 0, 23]),
            array(&[-1, 0, 23]),
            array(&[1, 0, 23, 1, 1, 4, 5, 6]),
            array(&[1, 0, 23, 1, 1, -2]),
        ] {
            assert!(mapping.binary(&wrong).is_err(), "{wrong:?}");
        }
    }
}
