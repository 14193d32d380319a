//! What can be wrong with a value, where, and in which words the client reads it.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

/// The first thing that is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// For people; never holds a rejected string.
    pub(crate) message: String,
    /// From the root to the place: `lines[0].quantity`. Empty at the root.
    path: String,
}

/// How a value is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Another JSON type than asked for.
    Type,
    /// The right type, but a rule of the value is broken.
    Rule,
    /// A field that must be there is not.
    Missing,
    /// A field that nobody knows.
    Unknown,
}

/// Longer names and texts are cut: they may come from the client.
const LONGEST: usize = 200;

impl Fault {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: cut(message.into()), path: String::new() }
    }

    /// The same fault seen from the object that holds the value as `key`.
    pub(crate) fn inside(self, key: &str) -> Self {
        let path = match self.path.as_str() {
            "" => key.to_owned(),
            rest if rest.starts_with('[') => format!("{key}{rest}"),
            rest => format!("{key}.{rest}"),
        };
        Self { path: cut(path), ..self }
    }

    /// The same fault seen from the array that holds the value at `index`.
    pub(crate) fn at(self, index: usize) -> Self {
        let path = match self.path.as_str() {
            "" => format!("[{index}]"),
            rest if rest.starts_with('[') => format!("[{index}]{rest}"),
            rest => format!("[{index}].{rest}"),
        };
        Self { path: cut(path), ..self }
    }

    /// The place, or `root` when it is the whole value.
    pub(crate) fn field(&self, root: &str) -> String {
        if self.path.is_empty() { root.to_owned() } else { self.path.clone() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    /// A rule: the `Deserialize` of our newtypes (SKU, e-mail, quantity, currency, id) ends here.
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Rule, message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        match (unexpected, integer_range(&expected)) {
            // serde_json reads an integer beyond 64 bits as a float: it is out of range, not of a wrong type.
            (Unexpected::Float(number), Some((least, most))) if number.abs() >= 9_223_372_036_854_775_808.0 => {
                Self::new(Kind::Rule, format!("must be {least} to {most}"))
            }
            (_, range) => Self::new(Kind::Type, format!("must be {}", noun(&expected, range.is_some()))),
        }
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        let message = match integer_range(&expected) {
            Some((least, most)) => format!("must be {least} to {most}"),
            None => format!("must be {}", noun(&expected, false)),
        };
        Self::new(Kind::Rule, message)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        let message = match expected.strip_prefix("a tuple of size ") {
            Some(size) => format!("must hold {size} items"),
            None => format!("must not hold {length} items"),
        };
        Self::new(Kind::Rule, message)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::Rule, format!("must be one of {}", expected.join(", ")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let message = match expected {
            [] => "is not known; this takes no fields".to_owned(),
            [..] => format!("is not known; known are {}", expected.join(", ")),
        };
        Self::new(Kind::Unknown, message).inside(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::Missing, "is required").inside(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(Kind::Type, "stands there twice").inside(field)
    }
}

/// Bounds of the integer type that serde names in its expectation.
fn integer_range(expected: &str) -> Option<(i64, u64)> {
    Some(match expected {
        "i8" => (i8::MIN.into(), i8::MAX.unsigned_abs().into()),
        "i16" => (i16::MIN.into(), i16::MAX.unsigned_abs().into()),
        "i32" => (i32::MIN.into(), i32::MAX.unsigned_abs().into()),
        "i64" | "isize" => (i64::MIN, i64::MAX.unsigned_abs()),
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" | "usize" => (0, u64::MAX),
        _ => return None,
    })
}

/// serde's expectation in words of JSON. Names of Rust types do not reach the client.
fn noun(expected: &str, is_integer: bool) -> &str {
    match expected {
        _ if is_integer => "an integer",
        "f32" | "f64" => "a number",
        "a sequence" => "an array",
        "a map" => "an object",
        "unit" => "null",
        _ if expected.starts_with("struct ") || expected.starts_with("internally tagged enum ") => "an object",
        _ if expected.starts_with("a tuple") || expected.starts_with("tuple ") => "an array",
        _ => expected,
    }
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}
