//! One's own addresses.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use shop_http::{
    Body, ErrorBody, HttpError, IfMatch, LoggedIn, MaybeIfNoneMatch, MaybeKey, PathId, PlainPageQuery, Query, reply,
};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::{Id, Page};
use utoipa::ToSchema;

use super::said_before;
use crate::app::App;
use crate::domain::address::{Address, AddressKind, Country, Line, Place, PlaceChange};

/// An address to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "Ada King", "line1": "12 St James's Square", "city": "London", "postalCode": "SW1Y 4JH", "country": "GB"
}))]
pub(crate) struct NewAddressBody {
    /// Who gets what is sent there.
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    name: Line,
    /// Street and house.
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    line1: Line,
    /// What does not fit in the first line.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100)]
    line2: Option<Line>,
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    city: Line,
    /// State, province or county.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100)]
    region: Option<Line>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100)]
    postal_code: Option<Line>,
    /// Two letters of ISO 3166-1.
    #[schema(value_type = String, pattern = "^[A-Z]{2}$")]
    country: Country,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100)]
    phone: Option<Line>,
    /// Whether it becomes the default; the first address is it in any case.
    #[serde(default)]
    #[schema(default = false)]
    is_default: bool,
}

/// What to change of an address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"phone": null, "isDefault": true}))]
pub(crate) struct AddressChangeBody {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 100)]
    name: Option<Line>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 100)]
    line1: Option<Line>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 100)]
    line2: Option<Option<Line>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 100)]
    city: Option<Line>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 100)]
    region: Option<Option<Line>>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 100)]
    postal_code: Option<Option<Line>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^[A-Z]{2}$")]
    country: Option<Country>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 100)]
    phone: Option<Option<Line>>,
    /// Only `true`: to take the mark away, give it to another address.
    #[serde(default, deserialize_with = "only_true")]
    #[schema(value_type = Option<bool>, nullable = false)]
    is_default: bool,
}

/// An address as its owner reads it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddressBody {
    #[schema(value_type = String)]
    id: Id<AddressKind>,
    /// Grows with every change; also the `ETag`.
    version: i64,
    is_default: bool,
    name: String,
    line1: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line2: Option<String>,
    city: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_code: Option<String>,
    country: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A field that may be absent but not `null`.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Tells an absent field (outer `None`) from one that is `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn only_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    if bool::deserialize(deserializer)? { Ok(true) } else { Err(de::Error::custom("must be true or absent")) }
}

impl From<Address> for AddressBody {
    fn from(address: Address) -> Self {
        let Address { id, version, is_default, place } = address;
        let Place { name, line1, line2, city, region, postal_code, country, phone } = place;
        let text = |line: Line| line.as_str().to_owned();
        Self {
            id,
            version,
            is_default,
            name: text(name),
            line1: text(line1),
            line2: line2.map(text),
            city: text(city),
            region: region.map(text),
            postal_code: postal_code.map(text),
            country: country.as_str().to_owned(),
            phone: phone.map(text),
        }
    }
}

/// Lists one's own addresses, in the order in which they came.
#[utoipa::path(tag = "identity", params(PlainPageQuery), responses(
    (status = 200, description = "A page of addresses", body = Page<AddressBody>),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 422, description = "A parameter breaks its rule", body = ErrorBody),
))]
#[get("/api/v1/me/addresses")]
pub(crate) async fn list_addresses(
    app: Data<App>,
    LoggedIn(user, ..): LoggedIn,
    Query(page): Query<PlainPageQuery>,
) -> Result<HttpResponse, HttpError> {
    Ok(reply::ok(&app.addresses(user, page.page, page.size).await?.map(AddressBody::from)))
}

/// Reads one of one's own addresses.
#[utoipa::path(tag = "identity", params(("id" = String, Path)), responses(
    (status = 200, description = "The address", body = AddressBody),
    (status = 304, description = "The version in If-None-Match is the present one"),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 404, description = "No such address, or not yours", body = ErrorBody),
))]
#[get("/api/v1/me/addresses/{id}")]
pub(crate) async fn get_address(
    app: Data<App>,
    LoggedIn(user, ..): LoggedIn,
    id: PathId<AddressKind>,
    known: MaybeIfNoneMatch,
) -> Result<HttpResponse, HttpError> {
    let address = app.address(user, id.0).await?;
    if known.matches(address.version) {
        return Ok(reply::not_modified(address.version));
    }
    Ok(reply::with_etag(address.version, &AddressBody::from(address)))
}

/// Adds an address, 20 at most. With an Idempotency-Key the same call again answers the same address, as it is then.
#[utoipa::path(tag = "identity", request_body = NewAddressBody, params(("Idempotency-Key" = Option<String>, Header)),
    responses(
    (status = 201, description = "The address", body = AddressBody),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 404, description = "The account is gone, or the address was removed since", body = ErrorBody),
    (status = 409, description = "There are 20", body = ErrorBody),
    (status = 422, description = "A value breaks its rule, or the key was used for another request", body = ErrorBody),
))]
#[post("/api/v1/me/addresses")]
pub(crate) async fn add_address(
    app: Data<App>,
    LoggedIn(user, ..): LoggedIn,
    MaybeKey(key): MaybeKey,
    request: HttpRequest,
    body: Body<NewAddressBody>,
) -> Result<HttpResponse, HttpError> {
    let fingerprint = body.fingerprint(&request);
    let claim = key.map(|key| Claim::new(Subject::User(user), "add_address", &key, fingerprint));
    let NewAddressBody { name, line1, line2, city, region, postal_code, country, phone, is_default } =
        body.into_inner();
    let place = Place { name, line1, line2, city, region, postal_code, country, phone };
    let (address, replayed) = app.add_address(user, place, is_default, claim).await?;
    let location = format!("/api/v1/me/addresses/{}", address.id);
    let response = reply::created(&location, address.version, &AddressBody::from(address));
    Ok(if replayed { said_before(response) } else { response })
}

/// Changes an address: what is absent stays. Its version must be sent in If-Match.
#[utoipa::path(tag = "identity", request_body = AddressChangeBody,
    params(("id" = String, Path), ("If-Match" = String, Header)), responses(
    (status = 200, description = "The address after the change", body = AddressBody),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 404, description = "No such address, or not yours", body = ErrorBody),
    (status = 412, description = "It has changed meanwhile", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[patch("/api/v1/me/addresses/{id}")]
pub(crate) async fn change_address(
    app: Data<App>,
    LoggedIn(user, ..): LoggedIn,
    id: PathId<AddressKind>,
    version: IfMatch,
    body: Body<AddressChangeBody>,
) -> Result<HttpResponse, HttpError> {
    let AddressChangeBody { name, line1, line2, city, region, postal_code, country, phone, is_default } =
        body.into_inner();
    let change = PlaceChange { name, line1, line2, city, region, postal_code, country, phone };
    let address = app.change_address(user, (id.0, version.0), change, is_default).await?;
    Ok(reply::with_etag(address.version, &AddressBody::from(address)))
}

/// Removes an address. If it was the default, the oldest of the others is now.
#[utoipa::path(tag = "identity", params(("id" = String, Path)), responses(
    (status = 204, description = "It is gone"),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 404, description = "No such address, or not yours", body = ErrorBody),
))]
#[delete("/api/v1/me/addresses/{id}")]
pub(crate) async fn remove_address(
    app: Data<App>,
    LoggedIn(user, ..): LoggedIn,
    id: PathId<AddressKind>,
) -> Result<HttpResponse, HttpError> {
    app.remove_address(user, id.0).await?;
    Ok(reply::no_content())
}
