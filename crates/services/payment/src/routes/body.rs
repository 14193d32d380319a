//! What the routes take and answer.

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use shop_types::{Money, OrderId, PageInfo};
use utoipa::ToSchema;

use crate::domain::{self, Payment, Reason, Refund};
use crate::store::Listed;

/// One attempt to pay an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentBody {
    /// `<order id>:<attempt>`.
    #[schema(example = "0190c3d2-7a4e-7000-8000-000000000001:1")]
    id: String,
    /// The order it pays for.
    order_id: OrderId,
    /// Which attempt of the order, from 1.
    attempt: u32,
    /// CREATED, `REQUIRES_ACTION`, AUTHORIZED, DECLINED, CAPTURING, CAPTURED, FAILED, VOIDING, VOIDED, CANCELLING,
    /// CANCELLED, REFUNDING or REFUNDED.
    #[schema(example = "CAPTURED")]
    status: &'static str,
    /// What is held or taken.
    amount: Money,
    /// The provider's word for a refusal, when there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "card_declined")]
    reason: Option<String>,
    /// Where the buyer confirms, while the status is `REQUIRES_ACTION`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_action: Option<NextActionBody>,
    /// What was given back, or shall be.
    refunds: Vec<RefundBody>,
    /// Grows with every change.
    version: i64,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its status, or that of one of its refunds, changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<&Payment> for PaymentBody {
    fn from(payment: &Payment) -> Self {
        let next_action = payment.state.next_action();
        let next_action = next_action.map(|url| NextActionBody { kind: "redirect", url: url.to_owned() });
        Self {
            id: payment.id.to_string(),
            order_id: payment.id.order,
            attempt: payment.id.attempt(),
            status: payment.state.kind().word(),
            amount: payment.amount,
            reason: payment.state.reason().map(str::to_owned),
            next_action,
            refunds: payment.refunds.iter().map(|refund| RefundBody::of(payment, refund)).collect(),
            version: payment.version,
            created_at: payment.created,
            updated_at: payment.since,
        }
    }
}

/// Something that only the buyer can do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NextActionBody {
    /// redirect: send the buyer to `url`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// A page of the payment provider or the buyer's bank.
    url: String,
}

/// Captured money on its way back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefundBody {
    /// The payment.
    payment_id: String,
    /// Which refund of the payment, from 1.
    n: u32,
    /// How much.
    amount: Money,
    /// PENDING: the provider has not answered yet and is asked again. DONE: the money is back. FAILED: the provider refuses it
    /// for good.
    #[schema(example = "DONE")]
    status: &'static str,
    /// Why; `order_undone` when the order was cancelled or returned.
    reason: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl RefundBody {
    pub(crate) fn of(payment: &Payment, refund: &Refund) -> Self {
        let Refund { n, amount, state, reason, at } = refund;
        Self {
            payment_id: payment.id.to_string(),
            n: *n,
            amount: payment.of(*amount),
            status: state.word(),
            reason: reason.as_str().to_owned(),
            created_at: *at,
        }
    }
}

/// A wish to give money back.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRefundBody {
    /// How much; all that is left without it.
    #[serde(default, deserialize_with = "amount")]
    #[schema(value_type = Option<Money>)]
    pub(crate) amount: Option<Money>,
    /// Why, for people: 1 to 200 characters.
    #[serde(deserialize_with = "reason")]
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "arrived broken")]
    pub(crate) reason: Reason,
}

fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Money>, D::Error> {
    let amount = Option::<Money>::deserialize(deserializer)?;
    amount.map(domain::payable).transpose().map_err(D::Error::custom)
}

fn reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Reason, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// In what the provider's books differ from ours.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReconciliationBody {
    /// The differences of this page, the oldest first.
    items: Vec<DifferenceBody>,
    /// Where it stands.
    page: PageInfo,
    /// When the books were compared last; null before the first time.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_run: Option<Timestamp>,
}

impl ReconciliationBody {
    pub(crate) fn new(items: Vec<Listed>, page: PageInfo, last_run: Option<Timestamp>) -> Self {
        Self { items: items.into_iter().map(DifferenceBody::from).collect(), page, last_run }
    }
}

/// A difference that has stood for 60 s.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DifferenceBody {
    /// held, captured, refunded; or unknown, when no payment has the name.
    #[schema(example = "captured")]
    kind: &'static str,
    /// The name at the provider: the payment's id, unless the kind is unknown.
    reference: String,
    /// What our books say.
    ours: Money,
    /// What the provider's say.
    theirs: Money,
    /// Since when it stands.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

impl From<Listed> for DifferenceBody {
    fn from(listed: Listed) -> Self {
        let Listed { difference, since } = listed;
        let domain::reconciliation::Difference { kind, reference, ours, theirs } = difference;
        Self { kind: kind.word(), reference, ours, theirs, since }
    }
}
