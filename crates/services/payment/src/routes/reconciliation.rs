//! What differs between the provider's books and ours.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde::Deserialize;
use shop_http::{ErrorBody, HttpError, PageQuery, Paged, reply};
use shop_types::Page;

use super::body::ReconciliationBody;
use crate::app::{App, Error};

/// The list has no filter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoFilter {}

/// Lists in what the provider's books of the last 48 h differ from ours for more than 60 s, the oldest difference first.
#[utoipa::path(tag = "payment", params(PageQuery), responses(
    (status = 200, description = "A page of differences, and when the books were compared last", body = ReconciliationBody),
    (status = 422, description = "A parameter breaks its rule", body = ErrorBody),
))]
#[get("/api/v1/payments/reconciliation")]
pub(crate) async fn list_differences(
    app: Data<App>,
    Paged(page, NoFilter {}): Paged<NoFilter>,
) -> Result<HttpResponse, HttpError> {
    if page.sort.as_deref().is_some_and(|sort| sort != "since") {
        return Err(Error::Invalid { field: "sort", rule: "must be since".to_owned() }.into());
    }
    let (items, total, last_run) = app.differences(page.skip(), page.size).await?;
    let Page { items, page } = Page::new(items, page.page, page.size, total);
    Ok(reply::ok(&ReconciliationBody::new(items, page, last_run)))
}
