//! Aliases of categories, in an envelope, below `/categories` and `/api/categories`.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put};
use shop_http::alias::LooseBody;
use shop_http::{ErrorBody, HttpError, MaybeKey, PathId, Who, reply};
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::id::CategoryKind;
use utoipa_actix_web::service_config::ServiceConfig;

use super::body::{
    self, CategoriesAlias, CategoryChangeAlias, FoundCategoryAlias, MessageAlias, NewCategoryAlias,
    WrittenCategoryAlias,
};
use super::seen;
use crate::app::App;
use crate::domain::{CategoryChange, NewCategory};
use crate::routes::categories::{find_categories, find_category, represent};

/// The routes below `/categories`.
pub(super) fn wrapped(routes: &mut ServiceConfig<'_>) {
    routes.service(list_categories).service(create_category).service(get_category).service(change_category);
    routes.service(delete_category);
}

/// Lists all categories by name.
#[utoipa::path(tag = "catalog", responses((status = 200, description = "All categories", body = CategoriesAlias)))]
#[get("")]
pub(crate) async fn list_categories(app: Data<App>) -> Result<HttpResponse, HttpError> {
    let found = find_categories(&app).await?;
    let categories = body::categories(found.representation.bytes())?;
    Ok(reply::ok(&CategoriesAlias { categories, cached: found.is_kept() }))
}

/// Creates a category.
#[utoipa::path(tag = "catalog", request_body = NewCategoryAlias, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 201, description = "The category", body = WrittenCategoryAlias),
    (status = 404, description = "The key is that of a category which has been deleted since", body = ErrorBody),
    (status = 409, description = "The name is in use", body = ErrorBody),
    (status = 422, description = "A value breaks its rule", body = ErrorBody),
))]
#[post("")]
pub(crate) async fn create_category(
    app: Data<App>,
    who: Who,
    key: MaybeKey,
    request: HttpRequest,
    sent: LooseBody<NewCategoryAlias>,
) -> Result<HttpResponse, HttpError> {
    let subject = who.0.user().map_or(Subject::Anybody, Subject::User);
    let claim = key.0.map(|key| Claim::new(subject, "create_category", &key, sent.fingerprint(&request)));
    let NewCategoryAlias { name, description } = sent.into_inner();
    let placed = app.create_category(claim, NewCategory { name, description, parent: None }).await?;
    let category = body::category(represent(placed)?.bytes())?;
    let written = WrittenCategoryAlias { message: "Category created successfully", category };
    Ok(reply::with_status(StatusCode::CREATED, None, &written))
}

/// Reads one category.
#[utoipa::path(tag = "catalog", params(("id" = String, Path)), responses(
    (status = 200, description = "The category", body = FoundCategoryAlias),
    (status = 404, description = "No such category", body = ErrorBody),
))]
#[get("/{id}")]
pub(crate) async fn get_category(app: Data<App>, id: PathId<CategoryKind>) -> Result<HttpResponse, HttpError> {
    let found = find_category(&app, id.0).await?;
    let category = body::category(found.representation.bytes())?;
    Ok(reply::ok(&FoundCategoryAlias { category, cached: found.is_kept() }))
}

/// Changes a category; what is absent stays. `If-Match` may be sent.
#[utoipa::path(tag = "catalog", request_body = CategoryChangeAlias, params(("id" = String, Path)), responses(
    (status = 200, description = "The category after the change", body = WrittenCategoryAlias),
    (status = 404, description = "No such category", body = ErrorBody),
    (status = 409, description = "The name is in use", body = ErrorBody),
))]
#[put("/{id}")]
pub(crate) async fn change_category(
    app: Data<App>,
    id: PathId<CategoryKind>,
    request: HttpRequest,
    sent: LooseBody<CategoryChangeAlias>,
) -> Result<HttpResponse, HttpError> {
    let CategoryChangeAlias { name, description } = sent.into_inner();
    let change = CategoryChange { name, description, parent: None };
    let placed = match seen(&request)? {
        Some(version) => app.change_category(id.0, version, change).await?,
        None => app.change_present_category(id.0, change).await?,
    };
    let category = body::category(represent(placed)?.bytes())?;
    Ok(reply::ok(&WrittenCategoryAlias { message: "Category updated successfully", category }))
}

/// Deletes a category that nothing is in. `If-Match` may be sent.
#[utoipa::path(tag = "catalog", params(("id" = String, Path)), responses(
    (status = 200, description = "Deleted", body = MessageAlias),
    (status = 404, description = "No such category", body = ErrorBody),
    (status = 409, description = "Products or other categories are in it", body = ErrorBody),
))]
#[delete("/{id}")]
pub(crate) async fn delete_category(
    app: Data<App>,
    id: PathId<CategoryKind>,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    match seen(&request)? {
        Some(version) => app.delete_category(id.0, version).await?,
        None => app.delete_present_category(id.0).await?,
    }
    Ok(reply::ok(&MessageAlias { message: "Category deleted successfully" }))
}
