//! From routes to a running server. The kit decides what is mounted and when it stops.

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, Error, HttpServer};
use shop_telemetry::metrics::Metrics;
use shop_types::AuditTrail;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{AccessTable, Alias, Guard, Route, access, alias};

/// A client that sends its head slower is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than NGINX keeps an idle connection (60 s), so that it is never the server that closes one in use.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long requests in flight may still run after a stop, in seconds.
const DRAIN_SECONDS: u64 = 20;
/// Most open connections per worker.
const MAX_CONNECTIONS: usize = 8_192;

type Configure = Arc<dyn Fn(&mut ServiceConfig<'_>) + Send + Sync>;

/// The routes of one service, ready to be served.
#[derive(Clone)]
pub struct Mount {
    service: &'static str,
    metrics: Metrics,
    access: Arc<[Route]>,
    /// What its routes are other names of, if they are.
    aliases: &'static [Alias],
    /// Where writes of staff are kept.
    trail: Option<Arc<dyn AuditTrail>>,
    configure: Configure,
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount").field("service", &self.service).field("access", &self.access).finish_non_exhaustive()
    }
}

impl Mount {
    /// The routes that `configure` adds, with `app` as the `web::Data<A>` of their handlers.
    pub fn new<A: Send + Sync + 'static>(
        service: &'static str,
        metrics: Metrics,
        app: &Arc<A>,
        access: &'static [Route],
        configure: fn(&mut ServiceConfig<'_>),
    ) -> Self {
        let data = Data::from(Arc::clone(app));
        let configure = Arc::new(move |config: &mut ServiceConfig<'_>| {
            config.app_data(data.clone());
            configure(config);
        });
        Self { service, metrics, access: access.into(), aliases: &[], trail: None, configure }
    }

    /// The same for aliases. `is_open` lets callers without a token use those that say so.
    pub fn aliases<A: Send + Sync + 'static>(
        service: &'static str,
        metrics: Metrics,
        app: &Arc<A>,
        (aliases, is_open): (&'static [Alias], bool),
        configure: fn(&mut ServiceConfig<'_>),
    ) -> Self {
        let access = aliases.iter().map(|alias| alias.route(is_open)).collect();
        Self { access, aliases, ..Self::new(service, metrics, app, &[], configure) }
    }

    /// The same, with every write of staff, an admin or a program written down before it is carried out. A write that cannot
    /// be written down is refused (503), and nothing is done.
    #[must_use]
    pub fn recorded(self, trail: Arc<dyn AuditTrail>) -> Self {
        Self { trail: Some(trail), ..self }
    }

    /// The service that owns the routes.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// Who may call them.
    #[must_use]
    pub fn access(&self) -> &[Route] {
        &self.access
    }

    /// What its routes are other names of; empty unless it is one of aliases.
    #[must_use]
    pub fn names(&self) -> &'static [Alias] {
        self.aliases
    }

    pub(crate) fn trail(&self) -> Option<&Arc<dyn AuditTrail>> {
        self.trail.as_ref()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The OpenAPI document of the routes as they are served, with the `version` of the product.
    #[must_use]
    pub fn openapi(&self, version: &str) -> OpenApi {
        let info = InfoBuilder::new().title(format!("shopmesh {}", self.service)).version(version).build();
        let empty = OpenApiBuilder::new().info(info).build();
        let configure = Arc::clone(&self.configure);
        let app = App::new().into_utoipa_app().openapi(empty).configure(move |config| configure(config));
        let mut document = app.split_for_parts().1;
        if !self.aliases.is_empty() {
            alias::mark_document(&mut document);
        }
        access::name_callers(&self.access, &mut document);
        document
    }

    /// Where access table and served routes differ; empty when they agree. A service with differences must not start.
    #[must_use]
    pub fn differences(&self) -> Vec<String> {
        AccessTable::new(&self.access).differences(&self.openapi(""))
    }
}

/// The actix-web application: all routes, behind the guard.
#[must_use]
pub fn app(
    mounts: &[Mount],
    guard: &Guard,
) -> App<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>
    + use<>,
> {
    let mut app = App::new().into_utoipa_app();
    for mount in mounts {
        let configure = Arc::clone(&mount.configure);
        app = app.configure(move |config| configure(config));
    }
    let guard = guard.clone();
    app.into_app().wrap(from_fn(move |request, next| guard.clone().handle(request, next)))
}

/// Serves on a bound listener. The server runs when it is spawned or awaited, and stops by its handle only: the kit owns
/// the signals. Call it inside the tokio runtime.
///
/// # Errors
/// When the listener cannot be used.
pub fn listen(listener: TcpListener, workers: usize, mounts: Vec<Mount>, guard: Guard) -> io::Result<Server> {
    listener.set_nonblocking(true)?;
    let server = HttpServer::new(move || app(&mounts, &guard))
        .workers(workers)
        .disable_signals()
        .shutdown_timeout(DRAIN_SECONDS)
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .max_connections(MAX_CONNECTIONS)
        .listen(listener)?;
    Ok(server.run())
}
