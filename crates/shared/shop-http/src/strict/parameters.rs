//! Query parameters to type: each name at most once, numbers and booleans read from text, unknown names refused.

use std::collections::HashSet;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{Fault, Kind, Unknown};

/// Name and value of every parameter, decoded, in the order sent.
pub(crate) type Pairs = Vec<(String, String)>;

/// Turns parameters into a struct, or says the first thing that is wrong with them.
pub(crate) fn decode<T: DeserializeOwned>(pairs: &[(String, String)], unknown: Unknown) -> Result<T, Fault> {
    // A long address has room for thousands of names: each is looked up, not compared with all before it.
    let mut seen = HashSet::with_capacity(pairs.len());
    for (name, value) in pairs {
        if !seen.insert(name.as_str()) {
            return Err(Fault::new(Kind::Rule, "must be sent only once").inside(name));
        }
        if name.contains('\0') || value.contains('\0') {
            return Err(
                Fault::new(Kind::Rule, "must not hold the character NUL").inside(&name.replace('\0', "\u{fffd}"))
            );
        }
    }
    T::deserialize(Parameters { pairs: pairs.iter(), value: None, unknown })
}

struct Parameters<'de> {
    pairs: std::slice::Iter<'de, (String, String)>,
    value: Option<(&'de str, &'de str)>,
    unknown: Unknown,
}

impl<'de> Deserializer<'de> for Parameters<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Parameters<'de> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some((name, value)) = self.pairs.next() else { return Ok(None) };
        self.value = Some((name, value));
        let name: StrDeserializer<'de, Fault> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let (name, value) = self.value.take().ok_or_else(|| Fault::custom("a value was asked for before its name"))?;
        seed.deserialize(Text { value, unknown: self.unknown }).map_err(|fault| fault.inside(name))
    }
}

/// One value: text that is read as what is asked for.
struct Text<'de> {
    value: &'de str,
    unknown: Unknown,
}

impl<'de> Text<'de> {
    fn integer<V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Fault> {
        let digits = self.value.strip_prefix('-').unwrap_or(self.value);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Fault::invalid_type(Unexpected::Str(self.value), &visitor));
        }
        match (self.value.parse::<u64>(), self.value.parse::<i64>()) {
            (Ok(number), _) => visitor.visit_u64(number),
            (Err(_), Ok(number)) => visitor.visit_i64(number),
            (Err(_), Err(_)) => Err(Fault::invalid_value(Unexpected::Str(self.value), &visitor)),
        }
    }

    fn float<V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.parse::<f64>() {
            Ok(number) if number.is_finite() => visitor.visit_f64(number),
            Ok(_) | Err(_) => Err(Fault::invalid_type(Unexpected::Str(self.value), &visitor)),
        }
    }
}

macro_rules! read_as {
    ($read:ident: $($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.$read(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Text<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.value)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(Fault::new(Kind::Rule, "must be true or false")),
        }
    }

    read_as! { integer: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 }
    read_as! { integer: deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }
    read_as! { float: deserialize_f32 deserialize_f64 }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let text: StrDeserializer<'de, Fault> = self.value.into_deserializer();
        text.deserialize_enum(name, variants, visitor)
    }

    /// Only a struct without `deny_unknown_fields` asks to ignore a value.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.unknown {
            Unknown::Refused => Err(Fault::new(Kind::Unknown, "is not known")),
            Unknown::Ignored => visitor.visit_unit(),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
    }
}

#[cfg(test)]
mod tests;
