//! JSON value to type, stricter than `serde_json`: an array is never an object, and every field must be known to somebody.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::{Fault, Kind, Unknown};

/// Items of one array, at most.
pub(crate) const MAX_ITEMS: usize = 200;

/// Turns a value into a type, or says the first thing that is wrong with it.
pub(crate) fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, Fault> {
    T::deserialize(Strict { value, unknown: Unknown::Refused })
}

/// The same, but passes over fields that a type does not know, at every depth and also where it denies them: what the
/// canonical routes take strictly, the aliases take loosely.
pub(crate) fn decode_loosely<T: DeserializeOwned>(value: &Value) -> Result<T, Fault> {
    T::deserialize(Strict { value, unknown: Unknown::Ignored })
}

#[derive(Clone, Copy)]
struct Strict<'de> {
    value: &'de Value,
    unknown: Unknown,
}

impl<'de> Strict<'de> {
    fn unexpected(&self) -> Unexpected<'de> {
        match self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => Unexpected::Unsigned(value),
                (None, Some(value), _) => Unexpected::Signed(value),
                (None, None, Some(value)) => Unexpected::Float(value),
                (None, None, None) => Unexpected::Other("number"),
            },
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        }
    }
}

impl Strict<'_> {
    /// The integer that is written with a point, such as `2.0`: JSON Schema counts it among the integers (2020-12,
    /// validation 6.1.1). From 2^53 on nobody knows which one was meant.
    fn whole(&self) -> Option<i64> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let Value::Number(number) = self.value else { return None };
        let float = if number.is_f64() { number.as_f64()? } else { return None };
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and smaller than 2^53")]
        (float.fract() == 0.0 && float.abs() < EXACT).then_some(float as i64)
    }
}

fn without_nul(text: &str) -> Result<&str, Fault> {
    if text.contains('\0') { Err(Fault::new(Kind::Rule, "must not hold the character NUL")) } else { Ok(text) }
}

macro_rules! deserialize_integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.whole() {
                Some(whole) => visitor.visit_i64(whole),
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Strict<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => visitor.visit_u64(value),
                (None, Some(value), _) => visitor.visit_i64(value),
                (None, None, Some(value)) => visitor.visit_f64(value),
                (None, None, None) => Err(Fault::new(Kind::Rule, "is not a number of 64 bits")),
            },
            Value::String(text) => visitor.visit_borrowed_str(without_nul(text)?),
            Value::Array(items) if items.len() > MAX_ITEMS => {
                Err(Fault::new(Kind::Rule, format!("must hold at most {MAX_ITEMS} items")))
            }
            Value::Array(array) => {
                let mut items = Items { items: array.iter().enumerate(), unknown: self.unknown };
                let value = visitor.visit_seq(&mut items)?;
                // A tuple takes what it needs; what nobody took would be lost in silence.
                match array.len() - items.items.len() {
                    taken if taken == array.len() => Ok(value),
                    taken => Err(Fault::new(Kind::Rule, format!("must hold {taken} items"))),
                }
            }
            Value::Object(object) => {
                visitor.visit_map(Fields { rest: object.iter(), value: None, unknown: self.unknown, known: None })
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    /// serde's derives would take an array for a struct, field by field.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match (self.value, self.unknown) {
            (Value::Object(object), Unknown::Ignored) => {
                let known = Some(fields);
                visitor.visit_map(Fields { rest: object.iter(), value: None, unknown: self.unknown, known })
            }
            (Value::Object(_), Unknown::Refused) => self.deserialize_any(visitor),
            _ => Err(Fault::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let only = |object: &'de Map<String, Value>| if object.len() == 1 { object.iter().next() } else { None };
        match (self.value.as_str(), self.value.as_object().and_then(only)) {
            (Some(name), _) => visitor.visit_enum(Variant { name: without_nul(name)?, content: None }),
            (None, Some((name, content))) => {
                let content = Some(Self { value: content, ..self });
                visitor.visit_enum(Variant { name, content })
            }
            (None, None) => Err(Fault::new(Kind::Type, format!("must be one of {}", variants.join(", ")))),
        }
    }

    /// Only a struct without `deny_unknown_fields` asks to ignore a value: its unknown fields are refused here, if they
    /// are.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.unknown {
            Unknown::Refused => Err(Fault::new(Kind::Unknown, "is not known")),
            Unknown::Ignored => visitor.visit_unit(),
        }
    }

    deserialize_integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    forward_to_deserialize_any! {
        bool f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

struct Items<'de> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Value>>,
    unknown: Unknown,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let unknown = self.unknown;
        let item = self.items.next();
        item.map(|(index, value)| seed.deserialize(Strict { value, unknown }).map_err(|fault| fault.at(index)))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Fields<'de> {
    rest: serde_json::map::Iter<'de>,
    value: Option<(&'de str, &'de Value)>,
    unknown: Unknown,
    /// The only fields that the type is shown; all when absent.
    known: Option<&'static [&'static str]>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let known = self.known;
        let is_shown = |key: &str| known.is_none_or(|known| known.contains(&key));
        let Some((key, value)) = self.rest.find(|(key, _)| is_shown(key)) else { return Ok(None) };
        self.value = Some((key, value));
        let key = without_nul(key).map_err(|fault| fault.inside(&key.replace('\0', "\u{fffd}")))?;
        let name: StrDeserializer<'de, Fault> = key.into_deserializer();
        match seed.deserialize(name) {
            Ok(key) => Ok(Some(key)),
            Err(unknown) if unknown.kind == Kind::Unknown => Err(unknown),
            // A free map whose keys are of a type with a rule, such as SKUs.
            Err(fault) => Err(fault.inside(key)),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let (key, value) = self.value.take().ok_or_else(|| Fault::custom("a value was asked for before its key"))?;
        seed.deserialize(Strict { value, unknown: self.unknown }).map_err(|fault| fault.inside(key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Variant<'de> {
    name: &'de str,
    content: Option<Strict<'de>>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Fault;
    type Variant = Content<'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Content<'de>), Fault> {
        let name: StrDeserializer<'de, Fault> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, Content { name: self.name, content: self.content }))
    }
}

struct Content<'de> {
    name: &'de str,
    content: Option<Strict<'de>>,
}

impl<'de> Content<'de> {
    fn required(&self) -> Result<Strict<'de>, Fault> {
        self.content.ok_or_else(|| Fault::new(Kind::Type, "must be an object with the content of its variant"))
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(Fault::new(Kind::Type, "must be a string")),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self.required()?).map_err(|fault| fault.inside(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.required()?.deserialize_tuple(length, visitor).map_err(|fault| fault.inside(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.required()?.deserialize_struct("", fields, visitor).map_err(|fault| fault.inside(self.name))
    }
}

#[cfg(test)]
mod tests;
