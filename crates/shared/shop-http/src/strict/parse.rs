//! Text to JSON value: no repeated fields, no deep nesting, nothing behind the end.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Arrays and objects within each other, at most.
pub(crate) const MAX_DEPTH: usize = 32;

/// Why a text is not JSON as we take it; for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotJson {
    #[error("the body is empty")]
    Empty,
    #[error("the body is not JSON: line {line}, column {column}")]
    Syntax { line: usize, column: usize },
    #[error("arrays and objects may nest at most {MAX_DEPTH} deep")]
    TooDeep,
    #[error("an object has the same field twice")]
    Repeated { field: String },
}

/// Reads a whole text.
pub(crate) fn parse(text: &[u8]) -> Result<Value, NotJson> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(NotJson::Empty);
    }
    let refused = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth: 0, refused: &refused }.deserialize(&mut reader);
    value.and_then(|value| reader.end().map(|()| value)).map_err(|error| {
        // Our own refusals pass through serde_json's error as a text; the cell keeps which one it was.
        refused.take().unwrap_or(NotJson::Syntax { line: error.line(), column: error.column() })
    })
}

#[derive(Clone, Copy)]
struct Strict<'c> {
    depth: usize,
    refused: &'c Cell<Option<NotJson>>,
}

impl Strict<'_> {
    fn refuse<E: Error>(self, why: NotJson) -> E {
        let error = E::custom(&why);
        self.refused.set(Some(why));
        error
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(NotJson::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(field) = fields.next_key::<String>()? {
            if object.contains_key(&field) {
                return Err(self.refuse(NotJson::Repeated { field }));
            }
            let value = fields.next_value_seed(inner)?;
            object.insert(field, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn what_serde_json_reads_is_read_the_same() {
        for text in [
            r#"{"a": [1, -2, 1.5, "x\u00e4", true, null, {}], "b": {}}"#,
            "0",
            "\"\"",
            "  null ",
            "18446744073709551615",
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(serde_json::from_str::<Value>(text).unwrap()), "{text}");
        }
    }

    #[test]
    fn syntax_errors_name_the_place() {
        assert_eq!(parse(b"{\"a\":\n 1,}"), Err(NotJson::Syntax { line: 2, column: 4 }));
        for text in [
            &b"{"[..],
            b"{'a':1}",
            b"{\"a\":NaN}",
            b"{\"a\":01}",
            b"{} {}",
            b"[1,]",
            b"{\"a\":1e999}",
            b"tru",
            b"\"\x00\"",
            b"{\"a\"\x00:1}",
            b"\x00",
            b"\"\xff\"",
            b"\"\\ud800\"",
            b"\xef\xbb\xbf{}",
            b"// c\n{}",
        ] {
            assert!(matches!(parse(text), Err(NotJson::Syntax { .. })), "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn nothing_is_not_json() {
        assert_eq!(parse(b""), Err(NotJson::Empty));
        assert_eq!(parse(b" \r\n\t"), Err(NotJson::Empty));
    }

    #[test]
    fn thirty_two_levels_are_read_and_thirty_three_are_not() {
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(parse(nested(MAX_DEPTH + 1).as_bytes()), Err(NotJson::TooDeep));
        let objects = format!("{}1{}", "{\"a\":".repeat(MAX_DEPTH + 1), "}".repeat(MAX_DEPTH + 1));
        assert_eq!(parse(objects.as_bytes()), Err(NotJson::TooDeep));
        assert_eq!(parse("[".repeat(60_000).as_bytes()), Err(NotJson::TooDeep));
    }

    #[test]
    fn a_repeated_field_is_refused_at_any_depth_and_however_it_is_spelled() {
        let repeated = |field: &str| Err(NotJson::Repeated { field: field.to_owned() });
        assert_eq!(parse(br#"{"a": 1, "a": 1}"#), repeated("a"));
        assert_eq!(parse(br#"[{"b": {"a": 1, "\u0061": 2}}]"#), repeated("a"));
        assert_eq!(parse(br#"{"a": {"a": 1}}"#), Ok(json!({"a": {"a": 1}})));
    }
}
