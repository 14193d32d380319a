//! One round for one Shop: the five steps in a row, and a question to the shop before the last. When it is run, and again, `controller` decides.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::events::Recorder;
use kube::{Client, Resource};
use shop_types::Clock;
use tracing::instrument;

use crate::apply::{Applied, apply};
use crate::ask::{Answer, Ask, door};
use crate::backoff::RESYNC;
use crate::build::build;
use crate::crd::{Rules, Shop};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::observe::observe;
use crate::plan::{Plan, Retry, Settings, Verdict, plan};
use crate::report::{Outcome, hangs_on_answer, report};

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
    /// Who asks shops whether they are well.
    pub ask: Arc<dyn Ask>,
}

/// When to look again at the latest; a change is seen at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// After so long.
    In(Duration),
    /// Soon, and later each time that it is so again: the shop is not well yet, and nothing tells when it is.
    Growing,
}

/// Makes the cluster like one Shop, and tells how far it is. Returns when to look again.
///
/// # Errors
/// The error that was reported in the conditions of the Shop, or the one that kept it from being reported.
#[instrument(skip_all, fields(shop = shop.meta().name, namespace = shop.meta().namespace))]
pub async fn reconcile(shop: &Shop, context: &Context) -> Result<Next, Error> {
    if shop.meta().deletion_timestamp.is_some() {
        // What it owns goes with it, without our help.
        return Ok(Next::In(RESYNC));
    }
    let result = Box::pin(converge(shop, context)).await;
    let outcome = match &result {
        Ok((plan, applied, answer)) => Outcome::Applied(plan, applied, answer),
        Err(error) => Outcome::Failed(error),
    };
    let reported = report(&context.client, &context.recorder, shop, outcome, context.clock.now()).await;
    let (plan, applied, answer) = result?;
    reported?;
    context.metrics.wrote(&applied);
    Ok(next(&plan, &answer))
}

async fn converge(shop: &Shop, context: &Context) -> Result<(Plan, Applied, Answer), Error> {
    check(shop, &context.rules)?;
    let observed = observe(&context.client, shop, context.clock.now()).await?;
    let plan = plan(shop, &observed, &context.settings)?;
    let desired = build(&plan);
    let applied = Box::pin(apply(&context.client, shop, &observed, desired)).await?;
    let answer = answer(shop, &plan, &applied, context).await;
    Ok((plan, applied, answer))
}

async fn answer(shop: &Shop, plan: &Plan, applied: &Applied, context: &Context) -> Answer {
    if !hangs_on_answer(shop, plan, applied, context.clock.now()) {
        return Answer::NotAsked;
    }
    match door(plan, applied) {
        Some(door) => context.ask.ask(&door).await,
        None => Answer::Unwell("its Service has no address".to_owned()),
    }
}

/// The API server has checked the same rules, unless an older definition is installed.
fn check(shop: &Shop, rules: &Rules) -> Result<(), Error> {
    let object = serde_json::json!({ "metadata": { "name": shop.meta().name }, "spec": shop.spec });
    match rules.problems(&object) {
        problems if problems.is_empty() => Ok(()),
        problems => Err(Error::Invalid(problems.join("; "))),
    }
}

fn next(plan: &Plan, answer: &Answer) -> Next {
    match (&plan.check.verdict, answer) {
        (Verdict::Failed { retry: Retry::In(seconds), .. }, _) => Next::In(Duration::from_secs(*seconds)),
        (Verdict::Failed { retry: Retry::Now, .. }, _) => Next::In(Duration::from_secs(1)),
        // Nothing tells what becomes of the pod of the check, but its end.
        (Verdict::Running | Verdict::Held(_), _) | (Verdict::Passed, Answer::Unwell(_)) => Next::Growing,
        (Verdict::Passed, Answer::NotAsked | Answer::Well) => Next::In(RESYNC),
    }
}
