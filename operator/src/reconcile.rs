//! One round for one Shop: the five steps in a row. When it is run, and again, `controller` decides.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::events::Recorder;
use kube::{Client, Resource};
use shop_types::Clock;
use tracing::instrument;

use crate::apply::{Applied, apply};
use crate::backoff::RESYNC;
use crate::build::build;
use crate::crd::{Rules, Shop};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::observe::observe;
use crate::plan::{Plan, Retry, Settings, Verdict, plan};
use crate::report::{Outcome, report};

/// What every round needs.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: Client,
    /// What the operator was told at its start.
    pub settings: Settings,
    /// The rules of the schema.
    pub rules: Arc<Rules>,
    /// Where Events go.
    pub recorder: Recorder,
    /// The operator's own metrics.
    pub metrics: Metrics,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Makes the cluster like one Shop, and tells how far it is. Returns after which time to look again at the latest.
///
/// # Errors
/// The error that was reported in the conditions of the Shop, or the one that kept it from being reported.
#[instrument(skip_all, fields(shop = shop.meta().name, namespace = shop.meta().namespace))]
pub async fn reconcile(shop: &Shop, context: &Context) -> Result<Duration, Error> {
    if shop.meta().deletion_timestamp.is_some() {
        // What it owns goes with it, without our help.
        return Ok(RESYNC);
    }
    let result = Box::pin(converge(shop, context)).await;
    let outcome = match &result {
        Ok((plan, applied)) => Outcome::Applied(plan, applied),
        Err(error) => Outcome::Failed(error),
    };
    let reported = report(&context.client, &context.recorder, shop, outcome, context.clock.now()).await;
    let (plan, applied) = result?;
    reported?;
    context.metrics.wrote(&applied);
    Ok(next(&plan))
}

async fn converge(shop: &Shop, context: &Context) -> Result<(Plan, Applied), Error> {
    check(shop, &context.rules)?;
    let observed = observe(&context.client, shop, context.clock.now()).await?;
    let plan = plan(shop, &observed, &context.settings)?;
    let desired = build(&plan);
    let applied = Box::pin(apply(&context.client, shop, &observed, desired)).await?;
    Ok((plan, applied))
}

/// The API server has checked the same rules, unless an older definition is installed.
fn check(shop: &Shop, rules: &Rules) -> Result<(), Error> {
    let object = serde_json::json!({ "metadata": { "name": shop.meta().name }, "spec": shop.spec });
    match rules.problems(&object) {
        problems if problems.is_empty() => Ok(()),
        problems => Err(Error::Invalid(problems.join("; "))),
    }
}

fn next(plan: &Plan) -> Duration {
    match plan.check.verdict {
        Verdict::Failed { retry: Retry::In(seconds), .. } => Duration::from_secs(seconds),
        Verdict::Failed { retry: Retry::Now, .. } => Duration::from_secs(1),
        Verdict::Passed | Verdict::Running => RESYNC,
    }
}
