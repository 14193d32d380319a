//! Categories over HTTP.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use shop_http::extract::{LoggedIn, MaybeKey, PathId};
use shop_http::{Body, ErrorBody, HttpError, reply};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::id::CategoryKind;
use shop_types::{CategoryId, Page};

use super::body::{CategoryBody, CategoryChangeBody, NewCategoryBody};
use super::kept::{self, Found};
use super::representation::{ReadVersion, Representation};
use crate::app::{App, Reading};
use crate::domain::Placed;

pub(crate) fn represent(placed: Placed) -> Result<Representation, HttpError> {
    Representation::of(placed.category.version, &CategoryBody::from(placed))
}

/// Lists all categories by name, at most 1,000; `parentId` makes the tree, `path` tells those above.
#[utoipa::path(tag = "catalog", responses(
    (status = 200, description = "All categories, in one page", body = Page<CategoryBody>),
    (status = 304, description = "If-None-Match names what would be answered"),
))]
#[get("/api/v1/categories")]
pub(crate) async fn list_categories(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    Ok(kept::answer(&app, &request, find_categories(&app).await?))
}

/// All categories as they are kept for every reader.
pub(crate) async fn find_categories(app: &App) -> Result<Found, HttpError> {
    let load = async || {
        let items = app.categories().await?.into_iter().map(CategoryBody::from).collect();
        Representation::of_list(&Page::whole(items))
    };
    kept::find(app, Reading::Categories, load).await
}

/// Creates a category.
#[utoipa::path(tag = "catalog", request_body = NewCategoryBody, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The category", body = CategoryBody),
    (status = 404, description = "The key is that of a category which has been deleted since", body = ErrorBody),
    (status = 409, description = "The name is in use, or the tree is full", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[post("/api/v1/categories")]
pub(crate) async fn create_category(
    app: Data<App>,
    LoggedIn(user, ..): LoggedIn,
    key: MaybeKey,
    request: HttpRequest,
    body: Body<NewCategoryBody>,
) -> Result<HttpResponse, HttpError> {
    let claim = key.0.map(|key| Claim::new(Subject::User(user), "create_category", &key, body.fingerprint(&request)));
    let placed = app.create_category(claim, body.into_inner().into()).await?;
    let location = format!("/api/v1/categories/{}", placed.category.id);
    Ok(represent(placed)?.created(&location))
}

/// Reads one category.
#[utoipa::path(tag = "catalog", params(("id" = String, Path)), responses(
    (status = 200, description = "The category", body = CategoryBody),
    (status = 304, description = "If-None-Match names what would be answered"),
    (status = 404, description = "No such category", body = ErrorBody),
))]
#[get("/api/v1/categories/{id}")]
pub(crate) async fn get_category(
    app: Data<App>,
    id: PathId<CategoryKind>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    Ok(kept::answer(&app, &request, find_category(&app, id.0).await?))
}

/// One category as it is kept for every reader.
pub(crate) async fn find_category(app: &App, id: CategoryId) -> Result<Found, HttpError> {
    kept::find(app, Reading::Category(id), async || represent(app.category(id).await?)).await
}

/// Changes a category, also where it stands; its version must be sent in If-Match.
#[utoipa::path(tag = "catalog", request_body = CategoryChangeBody, params(("id" = String, Path), ("If-Match" = String, Header)), responses(
    (status = 200, description = "The category after the change", body = CategoryBody),
    (status = 409, description = "The name is in use, or the tree would close a circle or be too deep", body = ErrorBody),
    (status = 412, description = "It has changed meanwhile", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[patch("/api/v1/categories/{id}")]
pub(crate) async fn change_category(
    app: Data<App>,
    id: PathId<CategoryKind>,
    version: ReadVersion,
    body: Body<CategoryChangeBody>,
) -> Result<HttpResponse, HttpError> {
    let placed = app.change_category(id.0, version.0, body.into_inner().into()).await?;
    Ok(represent(placed)?.changed())
}

/// Deletes a category that nothing is in.
#[utoipa::path(tag = "catalog", params(("id" = String, Path), ("If-Match" = String, Header)), responses(
    (status = 204, description = "Deleted"),
    (status = 409, description = "Products or other categories are in it", body = ErrorBody),
    (status = 412, description = "It has changed meanwhile", body = ErrorBody),
    (status = 428, description = "If-Match is missing", body = ErrorBody),
))]
#[delete("/api/v1/categories/{id}")]
pub(crate) async fn delete_category(
    app: Data<App>,
    id: PathId<CategoryKind>,
    version: ReadVersion,
) -> Result<HttpResponse, HttpError> {
    app.delete_category(id.0, version.0).await?;
    Ok(reply::no_content())
}
