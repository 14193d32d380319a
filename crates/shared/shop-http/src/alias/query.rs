//! The query of an alias: either spelling, unknown parameters are passed over.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::body::camel;
use crate::HttpError;
use crate::query::{page_number, pairs, refused};
use crate::strict::Unknown;
use crate::strict::parameters;

/// All query parameters as a struct with names in camelCase. One that breaks a rule is 422 `invalid_parameter`.
#[derive(Debug, Clone)]
pub struct LooseQuery<T>(pub T);

impl<T: DeserializeOwned> FromRequest for LooseQuery<T> {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = |pairs: Vec<(String, String)>| {
            let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| (camel(&name), value)).collect();
            parameters::decode(&pairs, Unknown::Ignored).map(Self).map_err(|fault| refused(&fault))
        };
        ready(pairs(request).and_then(read))
    }
}

/// Which page of a list, as the aliases say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Limits {
    /// The page, from 1.
    #[serde(default = "first", deserialize_with = "page_number")]
    #[param(default = 1, minimum = 1, maximum = 2_147_483_647, required = false)]
    pub page: u32,
    /// Items per page; more than 100 are 100.
    #[serde(default = "usual", deserialize_with = "limit")]
    #[param(default = 20, minimum = 1, maximum = 2_147_483_647, required = false)]
    pub limit: u32,
}

impl Limits {
    /// Page and size, of which the size is at most this.
    #[must_use]
    pub fn at_most(self, most: u32) -> (u32, u32) {
        (self.page, self.limit.min(most))
    }
}

const fn first() -> u32 {
    1
}

const fn usual() -> u32 {
    20
}

fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    page_number(deserializer).map(|limit| limit.min(100))
}
