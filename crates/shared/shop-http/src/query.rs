//! Query parameters as handlers take them: a strict struct, a page, or both.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

use crate::HttpError;
use crate::strict::parameters::{self, Pairs};
use crate::strict::{Fault, Kind, Unknown};

const LAST_NUMBER: u32 = i32::MAX.unsigned_abs();

/// All query parameters as a struct. An unknown one is 422 `unknown_parameter`; one that is missing, repeated or breaks
/// a rule is 422 `invalid_parameter`.
///
/// Document it with `params(T)`; utoipa knows the name `Query` and demands that `T` derives `IntoParams`.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

/// The parameters of a list: `page`, `size` and `sort` on one side, those of the filter `F` on the other. Document both
/// with `params(PageQuery, F)`.
#[derive(Debug, Clone)]
pub struct Paged<F>(pub PageQuery, pub F);

/// The parameters of a list that has one sequence, and those of its filter `F`. Document both with
/// `params(PlainPageQuery, F)`.
#[derive(Debug, Clone)]
pub struct PlainPaged<F>(pub PlainPageQuery, pub F);

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The page, from 1.
    #[serde(default = "first_page", deserialize_with = "page_number")]
    #[param(default = 1, minimum = 1, maximum = 2_147_483_647, required = false)]
    pub page: u32,
    /// Items per page.
    #[serde(default = "usual_size", deserialize_with = "page_size")]
    #[param(default = 20, minimum = 1, maximum = 100, required = false)]
    pub size: u32,
    /// How to sort; each list says which words it knows.
    #[serde(default)]
    pub sort: Option<String>,
}

/// Which page of a list that has one sequence: as [`PageQuery`], but a `sort` is refused as any unknown parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PlainPageQuery {
    /// The page, from 1.
    #[serde(default = "first_page", deserialize_with = "page_number")]
    #[param(default = 1, minimum = 1, maximum = 2_147_483_647, required = false)]
    pub page: u32,
    /// Items per page.
    #[serde(default = "usual_size", deserialize_with = "page_size")]
    #[param(default = 20, minimum = 1, maximum = 100, required = false)]
    pub size: u32,
}

impl PageQuery {
    /// Items before this page.
    #[must_use]
    pub const fn skip(&self) -> u64 {
        (self.page.saturating_sub(1) as u64) * (self.size as u64)
    }
}

const fn first_page() -> u32 {
    1
}

const fn usual_size() -> u32 {
    20
}

/// A page, or a limit of an alias: from 1, and within the 32 bits with a sign that the API documents say.
pub(crate) fn page_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        number @ 1..=LAST_NUMBER => Ok(number),
        _ => Err(D::Error::custom("must be 1 to 2147483647")),
    }
}

fn page_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        size @ 1..=100 => Ok(size),
        _ => Err(D::Error::custom("must be 1 to 100")),
    }
}

pub(crate) fn pairs(request: &HttpRequest) -> Result<Pairs, HttpError> {
    actix_web::web::Query::<Pairs>::from_query(request.query_string())
        .map(actix_web::web::Query::into_inner)
        .map_err(|_| HttpError::new(StatusCode::BAD_REQUEST, "bad_request", "The query cannot be read."))
}

pub(crate) fn refused(fault: &Fault) -> HttpError {
    let field = fault.field("query");
    let code = match fault.kind {
        Kind::Unknown => "unknown_parameter",
        Kind::Type | Kind::Rule | Kind::Missing => "invalid_parameter",
    };
    HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, code, format!("Parameter {field} {fault}."))
        .with_detail(field, &fault.message)
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read =
            |pairs: Pairs| parameters::decode(&pairs, Unknown::Refused).map(Self).map_err(|fault| refused(&fault));
        ready(pairs(request).and_then(read))
    }
}

impl<F: DeserializeOwned> FromRequest for Paged<F> {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(page_and_filter(request, &["page", "size", "sort"]).map(|(page, filter)| Self(page, filter)))
    }
}

impl<F: DeserializeOwned> FromRequest for PlainPaged<F> {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(page_and_filter(request, &["page", "size"]).map(|(page, filter)| Self(page, filter)))
    }
}

/// The parameters of these names as one struct, the rest as another.
fn page_and_filter<P, F>(request: &HttpRequest, names: &[&str]) -> Result<(P, F), HttpError>
where
    P: DeserializeOwned,
    F: DeserializeOwned,
{
    let (page, filter): (Pairs, Pairs) =
        pairs(request)?.into_iter().partition(|(name, _)| names.contains(&name.as_str()));
    let page = parameters::decode(&page, Unknown::Refused).map_err(|fault| refused(&fault))?;
    let filter = parameters::decode(&filter, Unknown::Refused).map_err(|fault| refused(&fault))?;
    Ok((page, filter))
}
