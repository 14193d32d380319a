//! Images of products over HTTP. Their version is that of their product; their bytes never change.

use std::convert::Infallible;

use actix_web::body::SizedStream;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use futures::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use shop_http::extract::{LoggedIn, MaybeKey, PathId, path_parameter};
use shop_http::{Body, ErrorBody, HttpError, Query, reply};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::id::ProductKind;
use shop_types::idempotency::hex;
use shop_types::{ImageId, Page};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

use super::body::{ImageBody, ImageChangeBody};
use super::products::key_of;
use super::representation::{ReadVersion, Representation};
use super::uploads::{drain, header, is_announced_beyond, is_plain};
use crate::app::{App, Error, NewImage};
use crate::domain::product::images::MAX_IMAGE_BYTES;
use crate::domain::{Listing, Media};

/// An image is another one when its bytes are: caches need not ask.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Bytes of an image that are on their way to one client at once.
const PIECE: usize = 64 * 1024;

/// What is said of an image to add.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImageQuery {
    /// What it shows, for those who do not see it; at most 200 characters.
    #[serde(default)]
    #[param(required = false)]
    alt: String,
    /// Where it shall stand, from 0; at the end without it.
    #[serde(default)]
    #[param(format = "uint32")]
    position: Option<u32>,
}

fn represent(Listing { product, .. }: Listing, image: ImageId) -> Result<Representation, HttpError> {
    let body = ImageBody::of(&product, image).ok_or_else(HttpError::not_found)?;
    Representation::of(product.version, &body)
}

/// Lists the images of a product in their order.
#[utoipa::path(tag = "catalog", params(("id" = String, Path, description = "Id or slug of the product")), responses(
    (status = 200, description = "All images, at most 20, in one page", body = Page<ImageBody>),
    (status = 304, description = "If-None-Match names what would be answered"),
    (status = 404, description = "No such product", body = ErrorBody),
))]
#[get("/api/v1/products/{id}/images")]
pub(crate) async fn list_images(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let listing = app.product(&key_of(path_parameter(&request, "id")?)).await?;
    Ok(Representation::of(listing.product.version, &Page::whole(ImageBody::all(&listing.product)))?.read(&request))
}

/// Adds an image to a product: the body is its bytes, PNG, JPEG or WebP, at most 5 MiB.
#[utoipa::path(tag = "catalog",
    request_body(description = "The image",
        content((String = "image/png"), (String = "image/jpeg"), (String = "image/webp"))),
    params(("id" = String, Path), ImageQuery, ("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The image", body = ImageBody),
    (status = 404, description = "No such product", body = ErrorBody),
    (status = 409, description = "The product is archived, or has 20 images", body = ErrorBody),
    (status = 413, description = "More than 5 MiB", body = ErrorBody),
    (status = 415, description = "No PNG, JPEG or WebP, or another one than Content-Type says", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[post("/api/v1/products/{id}/images")]
pub(crate) async fn add_image(
    app: Data<App>,
    LoggedIn(user, ..): LoggedIn,
    id: PathId<ProductKind>,
    key: MaybeKey,
    Query(query): Query<ImageQuery>,
    request: HttpRequest,
    mut payload: Payload,
) -> Result<HttpResponse, HttpError> {
    let uploaded = take_up(&request, &mut payload).await;
    if uploaded.is_err() {
        drain(&mut payload).await;
    }
    let (media, bytes) = uploaded?;
    let ImageQuery { alt, position } = query;
    let said = json!({ "alt": alt, "position": position, "sha256": hex(&Sha256::digest(&bytes)) });
    let fingerprint = shop_http::fingerprint(&request, &said);
    let claim = key.0.map(|key| Claim::new(Subject::User(user), "add_image", &key, fingerprint));
    let (listing, image) = app.add_image(claim, NewImage { product: id.0, bytes, media, alt, position }).await?;
    let location = format!("/api/v1/products/{}/images/{image}", listing.product.id);
    Ok(represent(listing, image)?.created(&location))
}

/// Serves the bytes of an image. They never change, so they may be kept for ever.
#[utoipa::path(tag = "catalog", params(
    ("id" = String, Path, description = "Id or slug of the product"), ("image" = String, Path, format = Uuid),
), responses(
    (status = 200, description = "The image",
        content((String = "image/png"), (String = "image/jpeg"), (String = "image/webp"))),
    (status = 304, description = "If-None-Match names it"),
    (status = 404, description = "No such product or image", body = ErrorBody),
    (status = 503, description = "Too many images are being sent", body = ErrorBody),
))]
#[get("/api/v1/products/{id}/images/{image}")]
pub(crate) async fn get_image(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let id: ImageId = path_parameter(&request, "image")?;
    let Listing { product, .. } = app.product_with_image(&key_of(path_parameter(&request, "id")?), id).await?;
    let (_, image) = product.image(id).ok_or_else(HttpError::not_found)?;
    let tag = format!("\"{id}\"");
    let known = knows(&request, &tag);
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, tag)).insert_header((CACHE_CONTROL, FOR_EVER));
    if known {
        return Ok(response.finish());
    }
    let (bytes, place) = app.image_bytes(id).await?;
    let length = bytes.len() as u64;
    Ok(response.content_type(image.media.word()).body(SizedStream::new(length, in_pieces(bytes.into(), place))))
}

/// Hands bytes out piece by piece, and keeps the place among those that are sent until the last one.
fn in_pieces(bytes: Bytes, place: OwnedSemaphorePermit) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((bytes, place), async |(mut rest, place)| {
        let piece = rest.split_to(rest.len().min(PIECE));
        (!piece.is_empty()).then_some((Ok(piece), (rest, place)))
    })
}

/// Changes what is said of an image, or where it stands; the version of the product must be sent in If-Match.
#[utoipa::path(tag = "catalog", request_body = ImageChangeBody, params(
    ("id" = String, Path), ("image" = String, Path, format = Uuid), ("If-Match" = String, Header),
), responses(
    (status = 200, description = "The image after the change", body = ImageBody),
    (status = 404, description = "No such product or image", body = ErrorBody),
    (status = 409, description = "The product is archived", body = ErrorBody),
    (status = 412, description = "The product has changed meanwhile", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[patch("/api/v1/products/{id}/images/{image}")]
pub(crate) async fn change_image(
    app: Data<App>,
    version: ReadVersion,
    request: HttpRequest,
    body: Body<ImageChangeBody>,
) -> Result<HttpResponse, HttpError> {
    let (product, image) = (path_parameter(&request, "id")?, path_parameter(&request, "image")?);
    let listing = app.change_image(product, image, version.0, body.into_inner().into()).await?;
    Ok(represent(listing, image)?.changed())
}

/// Takes an image away; the version of the product must be sent in If-Match.
#[utoipa::path(tag = "catalog", params(
    ("id" = String, Path), ("image" = String, Path, format = Uuid), ("If-Match" = String, Header),
), responses(
    (status = 204, description = "Gone"),
    (status = 404, description = "No such product or image", body = ErrorBody),
    (status = 409, description = "The product is archived", body = ErrorBody),
    (status = 412, description = "The product has changed meanwhile", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[delete("/api/v1/products/{id}/images/{image}")]
pub(crate) async fn remove_image(
    app: Data<App>,
    version: ReadVersion,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let (product, image) = (path_parameter(&request, "id")?, path_parameter(&request, "image")?);
    app.remove_image(product, image, version.0).await?;
    Ok(reply::no_content())
}

/// What the client says that the body is, and its bytes.
async fn take_up(request: &HttpRequest, payload: &mut Payload) -> Result<(Media, Vec<u8>), Error> {
    let said = header(request, CONTENT_TYPE).unwrap_or_default().trim();
    let known = [Media::Png, Media::Jpeg, Media::Webp].into_iter().find(|one| said.eq_ignore_ascii_case(one.word()));
    let media = known.filter(|_| is_plain(request)).ok_or(Error::ImageMedia)?;
    if is_announced_beyond(request, MAX_IMAGE_BYTES as u64) {
        return Err(Error::ImageTooLarge);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        bytes.extend_from_slice(&chunk.map_err(|_| Error::BrokeOff)?);
        if bytes.len() > MAX_IMAGE_BYTES {
            return Err(Error::ImageTooLarge);
        }
    }
    Ok((media, bytes))
}

/// Weak comparison, as RFC 9110 13.1.2 wants it.
fn knows(request: &HttpRequest, tag: &str) -> bool {
    let sent = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let mut tags = sent.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|sent| sent == "*" || sent.strip_prefix("W/").unwrap_or(sent) == tag)
}
