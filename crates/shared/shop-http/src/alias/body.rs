//! The body of an alias: `snake_case` and camelCase are the same, `_id` is `id`, unknown fields are passed over, and a decimal
//! number is kept as it was written. In all else it is read as strictly as every body.

use std::collections::HashMap;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use shop_types::Fingerprint;

use crate::body::{check_head, collect_in_time, not_decoded, not_json};
use crate::strict::parse::{NotJson, parse};
use crate::strict::{Fault, Kind};
use crate::{HttpError, fingerprint, strict};

/// A JSON body in either spelling. `T` names its fields in camelCase; unknown ones are passed over at every depth, also where
/// a part of it denies them. Refuses what [`crate::Body`] refuses, but for unknown fields; and a field in both spellings with
/// two values.
#[derive(Debug, Clone)]
pub struct LooseBody<T, const PRICED: bool = false> {
    value: T,
    json: Value,
}

/// A loose body whose field `price` is a [`Decimal`](super::Decimal), kept as it was written: `29.99` is never a float.
pub type PricedBody<T> = LooseBody<T, true>;

impl<T, const PRICED: bool> LooseBody<T, PRICED> {
    /// The typed value.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }

    /// What an idempotency key is bound to, as [`crate::Body::fingerprint`].
    #[must_use]
    pub fn fingerprint(&self, request: &HttpRequest) -> Fingerprint {
        fingerprint(request, &self.json)
    }
}

impl<T: DeserializeOwned, const PRICED: bool> LooseBody<T, PRICED> {
    /// The body of a call that may come without one; `None` when nothing was sent.
    ///
    /// # Errors
    /// As the extractor, for what was sent.
    pub async fn if_sent(request: &HttpRequest, payload: Payload) -> Result<Option<Self>, HttpError> {
        let bytes = collect_in_time(payload).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        check_head(request)?;
        Self::read(&bytes).map(Some)
    }

    fn read(text: &[u8]) -> Result<Self, HttpError> {
        let mut json = parse(text).map_err(|error| not_json(&error))?;
        if PRICED {
            keep_price(text, &mut json).map_err(|fault| not_decoded(&fault))?;
        }
        let json = respell(json).map_err(|error| not_json(&error))?;
        let value = strict::decode_loosely(&json).map_err(|fault| not_decoded(&fault))?;
        Ok(Self { value, json })
    }
}

impl<T: DeserializeOwned + 'static, const PRICED: bool> FromRequest for LooseBody<T, PRICED> {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let acceptable = check_head(request);
        let payload = payload.take();
        Box::pin(async move {
            acceptable?;
            Self::read(&collect_in_time(payload).await?)
        })
    }
}

/// The price of the body itself becomes its text. A text that was sent as one is no number.
fn keep_price(text: &[u8], json: &mut Value) -> Result<(), Fault> {
    let Value::Object(object) = json else { return Ok(()) };
    // It was read once already; what cannot be read as raw text has no such field.
    let Ok(raw) = serde_json::from_slice::<HashMap<String, &RawValue>>(text) else { return Ok(()) };
    for (field, value) in object.iter_mut().filter(|(field, _)| camel(field) == "price") {
        if value.is_string() {
            return Err(Fault::new(Kind::Type, "must be a decimal number").inside(field));
        }
        if let (true, Some(raw)) = (value.is_number(), raw.get(field)) {
            *value = Value::String(raw.get().to_owned());
        }
    }
    Ok(())
}

fn respell(json: Value) -> Result<Value, NotJson> {
    match json {
        Value::Object(object) => {
            let mut respelled = Map::with_capacity(object.len());
            for (field, value) in object {
                let (name, value) = (camel(&field), respell(value)?);
                // Who sends back what they have read names the id twice.
                if respelled.get(&name).is_some_and(|other| *other != value) {
                    return Err(NotJson::Repeated { field });
                }
                respelled.insert(name, value);
            }
            Ok(Value::Object(respelled))
        }
        Value::Array(items) => Ok(Value::Array(items.into_iter().map(respell).collect::<Result<_, _>>()?)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(json),
    }
}

/// `product_id` as `productId`, `_id` as `id`.
pub(super) fn camel(name: &str) -> String {
    let mut words = name.split('_').filter(|word| !word.is_empty());
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &[u8]) -> Result<Value, NotJson> {
        respell(parse(text)?)
    }

    #[test]
    fn both_spellings_are_one_at_every_depth() {
        let read = read(br#"{"user_id": 1, "items": [{"product_id": "a", "quantity": 2}], "_id": "x"}"#);
        assert_eq!(read, Ok(json!({ "userId": 1, "items": [{ "productId": "a", "quantity": 2 }], "id": "x" })));
        assert_eq!(self::read(br#"{"id": "x", "_id": "x"}"#), Ok(json!({ "id": "x" })));
        assert_eq!(camel("shopping_cart_id"), "shoppingCartId");
        assert_eq!(camel("alreadyCamel"), "alreadyCamel");
        assert_eq!(camel("__"), "");
    }

    #[test]
    fn a_field_in_both_spellings_is_a_field_twice_unless_both_say_the_same() {
        assert_eq!(read(br#"{"userId": 1, "user_id": 2}"#), Err(NotJson::Repeated { field: "user_id".to_owned() }));
    }

    #[test]
    fn a_decimal_number_stays_what_was_written() {
        let kept = |text: &str| {
            let mut json = parse(text.as_bytes()).unwrap();
            keep_price(text.as_bytes(), &mut json).map(|()| json)
        };
        let sent = r#"{"price": 29.990000000000000001, "stock": 3.0, "name": 1.5}"#;
        assert_eq!(kept(sent), Ok(json!({ "price": "29.990000000000000001", "stock": 3.0, "name": 1.5 })));
        assert_eq!(kept(r#"{"price": 30}"#), Ok(json!({ "price": "30" })));
        assert_eq!(kept(r#"{"price": null}"#), Ok(json!({ "price": null })));
        assert_eq!(kept("[1.5]"), Ok(json!([1.5])));
        assert_eq!(kept(r#"{"_price": 9.90}"#), Ok(json!({ "_price": "9.90" })));
        assert!(kept(r#"{"price": "30"}"#).is_err());
    }
}
