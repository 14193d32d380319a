//! What is counted about orders.

use prometheus::{IntCounterVec, IntGaugeVec};
use shop_telemetry::metrics::Metrics;

use crate::domain::{Entry, Order, Phase, State};
use crate::store::TRANSIENT;

/// The metrics of orders.
#[derive(Debug)]
pub(super) struct Measures {
    changes: IntCounterVec,
    revenue: IntCounterVec,
    stuck: IntGaugeVec,
}

impl Measures {
    /// Registers them.
    pub(super) fn register(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let measures = Self {
            changes: metrics.counter(
                "order_outcomes_total",
                "Orders that have come to something, by what: each step of each order counts once, in the pod that wrote it.",
                &["outcome"],
            )?,
            revenue: metrics.counter(
                "order_revenue_minor_units_total",
                "What orders have brought in, in the minor units of their currency: counts once for each order, when it is paid.",
                &["currency"],
            )?,
            stuck: metrics.gauge(
                "orders_stuck",
                "Orders that should have left their state 60 s ago; counted by one pod, the others say 0.",
                &["state"],
            )?,
        };
        measures.show_stuck(&[]);
        Ok(measures)
    }

    /// Counts what an order has come to. Another address, or none any longer, is nothing that it comes to.
    pub(super) fn changed(&self, order: &Order) {
        if order.history.last().is_some_and(Entry::is_about_address) {
            return;
        }
        self.changes.with_label_values(&[outcome(order)]).inc();
        if was_just_paid(order) {
            let amount = u64::try_from(order.total.amount).unwrap_or(0);
            self.revenue.with_label_values(&[order.total.currency.to_string()]).inc_by(amount);
        }
    }

    /// Shows how many orders are stuck; states that are not named have none.
    pub(super) fn show_stuck(&self, counted: &[(State, i64)]) {
        for state in TRANSIENT {
            let count = counted.iter().find(|(other, _)| *other == state).map_or(0, |(_, count)| *count);
            self.stuck.with_label_values(&[state.as_str()]).set(count);
        }
    }
}

/// Whether its last step is the one that brought its money: an order is paid once, whatever is written to it afterwards.
fn was_just_paid(order: &Order) -> bool {
    let paid = order.history.iter().filter(|entry| entry.state == State::Paid && !entry.is_about_address()).count();
    order.state == State::Paid && paid == 1
}

/// A word of few: what a provider says about a decline is not among them.
fn outcome(order: &Order) -> &'static str {
    match (order.state, order.phase()) {
        (State::Placed, Phase::Driving) if order.attempt == 1 => "placed",
        (State::Placed, Phase::Driving) => "paid_again",
        (State::Placed, Phase::AwaitsBuyer) => "requires_action",
        (State::Placed, Phase::Declined | Phase::Settled) => "declined",
        (State::Rejected, _) => match order.reason() {
            Some("sold_out") => "sold_out",
            Some("deadline") => "overdue",
            Some(_) | None => "rejected",
        },
        (
            State::Confirmed
            | State::Paid
            | State::Shipped
            | State::Delivered
            | State::Cancelling
            | State::Cancelled
            | State::Returning
            | State::Refunded,
            _,
        ) => order.state.as_str(),
    }
}
