//! The compatibility aliases of this service: older names of its routes, for clients of other shops. Thin: each reads the
//! older spelling, calls what the canonical handler calls, and answers in the older shape. Where those shops
//! disagree, `docs/reference/promises.md` says what holds, from C1 on.

mod body;
mod placing;
mod reading;
mod status;

use shop_http::{Access, Alias, HttpError, Method};
use shop_types::id::UserKind;
use shop_types::{Caller, Named, UserId};
use utoipa_actix_web::scope::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::{App, Viewer};
use crate::routes::viewer;

/// Who may call each alias.
pub(crate) const ACCESS: &[Alias] = &[
    Alias::new(Method::Post, "/order", Access::GUEST, "/api/v1/orders"),
    Alias::new(Method::Get, "/order/{key}", Access::CUSTOMER, "/api/v1/orders"),
    Alias::new(Method::Delete, "/order/{key}", Access::CUSTOMER, "/api/v1/orders"),
    Alias::new(Method::Get, "/orders", Access::CUSTOMER, "/api/v1/orders").open(),
    Alias::new(Method::Post, "/orders", Access::GUEST, "/api/v1/orders").open(),
    Alias::new(Method::Post, "/orders/create", Access::GUEST, "/api/v1/orders").open(),
    Alias::new(Method::Post, "/orders/request", Access::GUEST, "/api/v1/orders"),
    Alias::new(Method::Get, "/orders/user/{user}", Access::CUSTOMER, "/api/v1/orders").open(),
    Alias::new(Method::Get, "/orders/{id}", Access::GUEST, "/api/v1/orders").open(),
    Alias::new(Method::Get, "/orders/{id}/items", Access::GUEST, "/api/v1/orders").open(),
    Alias::new(Method::Put, "/orders/{id}/status", Access::STAFF, "/api/v1/orders"),
    Alias::new(Method::Patch, "/orders/{id}/status", Access::STAFF, "/api/v1/orders"),
    Alias::new(Method::Delete, "/orders/{id}", Access::CUSTOMER, "/api/v1/orders"),
    Alias::new(Method::Get, "/api/orders", Access::CUSTOMER, "/api/v1/orders").open(),
    Alias::new(Method::Post, "/api/orders", Access::GUEST, "/api/v1/orders").open(),
    Alias::new(Method::Get, "/api/orders/user/{user}", Access::CUSTOMER, "/api/v1/orders").open(),
    Alias::new(Method::Get, "/api/orders/{id}", Access::GUEST, "/api/v1/orders").open(),
    Alias::new(Method::Get, "/api/orders/{id}/items", Access::GUEST, "/api/v1/orders").open(),
    Alias::new(Method::Put, "/api/orders/{id}/status", Access::STAFF, "/api/v1/orders"),
    Alias::new(Method::Patch, "/api/orders/{id}/status", Access::STAFF, "/api/v1/orders"),
    Alias::new(Method::Delete, "/api/orders/{id}", Access::CUSTOMER, "/api/v1/orders"),
];

/// Fixed paths stand before those with a parameter (C19).
pub(crate) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(scope("/order").configure(|routes| {
        routes.service(placing::place_bare).service(reading::list_of_key).service(status::cancel_of_key);
    }));
    routes.service(scope("/orders").configure(|routes| {
        routes.service(placing::place_one).service(placing::place_of_cart);
        configure_list(routes);
    }));
    routes.service(scope("/api/orders").configure(configure_list));
}

fn configure_list(routes: &mut ServiceConfig<'_>) {
    routes.service(reading::list_orders).service(placing::place).service(reading::list_of_user);
    routes.service(reading::get_order).service(reading::get_order_items);
    routes.service(status::put_status).service(status::patch_status).service(status::cancel);
}

/// Whose eyes look. Who has no token got here because the aliases are open, and sees what staff sees.
fn eyes(caller: Caller) -> Result<Viewer, HttpError> {
    match caller {
        Caller::Anonymous => Ok(Viewer::Staff),
        Caller::User { .. } | Caller::Guest { .. } => viewer(caller),
    }
}

/// The user whom a caller names: customers may name themselves, staff and open aliases everybody who has an account.
/// `None`: nobody whom they may name.
async fn named_user(app: &App, caller: &Caller, named: Named<UserKind>) -> Result<Option<UserId>, HttpError> {
    match (caller, named) {
        // The token proves that there is an account.
        (Caller::User { id: own, .. }, Named::Id(id)) if *own == id => Ok(Some(id)),
        (Caller::User { id: own, .. }, Named::Number(_)) if !caller.is_staff() => {
            Ok(app.user(named).await?.filter(|user| user == own))
        }
        (Caller::User { .. }, Named::Id(_)) if !caller.is_staff() => Ok(None),
        (Caller::Guest { .. }, _) => Ok(None),
        (Caller::User { .. } | Caller::Anonymous, _) => Ok(app.user(named).await?),
    }
}
