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
use crate::{HttpError, fingerprint, strict};

/// A JSON body in either spelling. `T` names its fields in camelCase and does not deny unknown ones. Refuses what
/// [`crate::Body`] refuses, but for unknown fields; and a field in both spellings with two values.
#[derive(Debug, Clone)]
pub struct LooseBody<T> {
    value: T,
    json: Value,
}

impl<T> LooseBody<T> {
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

impl<T: DeserializeOwned + 'static> FromRequest for LooseBody<T> {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let acceptable = check_head(request);
        let payload = payload.take();
        Box::pin(async move {
            acceptable?;
            let bytes = collect_in_time(payload).await?;
            let json = read(&bytes).map_err(|error| not_json(&error))?;
            let value = strict::decode_loosely(&json).map_err(|fault| not_decoded(&fault))?;
            Ok(Self { value, json })
        })
    }
}

/// Reads a text into the one spelling.
fn read(text: &[u8]) -> Result<Value, NotJson> {
    let mut json = parse(text)?;
    keep_decimals(text, &mut json);
    respell(json)
}

/// Fields of the body itself that are no whole numbers become their text: `29.99` is never a float.
fn keep_decimals(text: &[u8], json: &mut Value) {
    let Value::Object(object) = json else { return };
    // It was read once already; what cannot be read as raw text has no such fields.
    let Ok(raw) = serde_json::from_slice::<HashMap<String, &RawValue>>(text) else { return };
    for (field, value) in object.iter_mut().filter(|(_, value)| value.is_f64()) {
        if let Some(raw) = raw.get(field) {
            *value = Value::String(raw.get().to_owned());
        }
    }
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
        let read = read(br#"{"price": 29.990000000000000001, "stock": 3, "rate": 1e2}"#);
        assert_eq!(read, Ok(json!({ "price": "29.990000000000000001", "stock": 3, "rate": "1e2" })));
    }
}
