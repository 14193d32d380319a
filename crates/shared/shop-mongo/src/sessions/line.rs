//! A client of few connections for heart and reaper, which must come through when all others wait.

use std::time::Duration;

use mongodb::error::Error as DriverError;
use mongodb::options::{ClientOptions, ServerMonitoringMode};
use tokio::time::timeout;

use crate::Error;

/// How long one question may take before it counts as failed.
const LONGEST: Duration = Duration::from_secs(2);

/// The options of the service's own client, for one that costs the server little: two connections, and one more for each
/// member instead of two.
pub(crate) fn options(mut options: ClientOptions) -> ClientOptions {
    options.app_name = options.app_name.map(|name| format!("{name}-register"));
    options.max_pool_size = Some(2);
    options.min_pool_size = None;
    options.server_monitoring_mode = Some(ServerMonitoringMode::Poll);
    options.heartbeat_freq = Some(Duration::from_secs(5));
    options.cmap_event_handler = None;
    options
}

/// Asks on a task of its own, so that the driver's future is never dropped half-way.
pub(super) async fn ask<T: Send + 'static>(
    what: &'static str,
    question: impl Future<Output = Result<T, DriverError>> + Send + 'static,
) -> Result<T, Error> {
    match timeout(LONGEST, tokio::spawn(question)).await {
        Ok(Ok(answered)) => answered.map_err(|error| Error::of(what, error)),
        Ok(Err(ended)) => Err(Error::failed(what, ended)),
        Err(_elapsed) => Err(Error::Timeout { what }),
    }
}
