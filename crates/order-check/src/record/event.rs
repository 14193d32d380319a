//! Events on their way out, and who listens to which (ruling 12).

use jiff::Timestamp;
use shop_mongo::Document;

use super::{Fields, Unreadable};

/// Every topic, and the services that consume it.
const EVENTS: [(&str, &[&str]); 24] = [
    ("order.created", &["identity"]),
    ("order.confirmed", &["payment", "cart"]),
    ("order.rejected", &["inventory", "payment"]),
    ("order.cancelling", &["inventory", "payment"]),
    ("order.cancelled", &[]),
    ("order.paid", &[]),
    ("order.shipped", &[]),
    ("order.delivered", &[]),
    ("order.returning", &["inventory", "payment"]),
    ("order.returned", &[]),
    ("payment.authorized", &["order"]),
    ("payment.declined", &["order"]),
    ("payment.captured", &["order", "inventory"]),
    ("payment.voided", &["order"]),
    ("payment.refunded", &["order"]),
    ("payment.failed", &["order"]),
    ("stock.changed", &["catalog"]),
    ("user.created", &[]),
    ("user.deleted", &["cart", "order"]),
    ("password.forgotten", &[]),
    ("email.entered", &[]),
    ("session.revoked", &[]),
    ("staff.called", &["identity"]),
    ("staff.answered", &["identity"]),
];

/// The services that consume a topic.
fn groups_of(topic: &str) -> Option<&'static [&'static str]> {
    EVENTS.iter().find(|(name, _)| *name == topic).map(|(_, groups)| *groups)
}

/// A row of an outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) topic: String,
    pub(crate) groups: &'static [&'static str],
    pub(crate) aggregate: String,
    pub(crate) is_confirmed: bool,
    pub(crate) is_published: bool,
    pub(crate) written: Timestamp,
}

impl Event {
    pub(crate) const FIELDS: &'static [&'static str] =
        &["topic", "aggregate", "confirmed", "published.at", "created_at"];

    pub(crate) fn read(document: &Document) -> Result<Self, Unreadable> {
        let fields = Fields(document);
        let topic = fields.text("topic")?;
        Ok(Self {
            id: fields.text("_id")?.to_owned(),
            groups: groups_of(topic).ok_or_else(|| Unreadable::word("topic", topic))?,
            topic: topic.to_owned(),
            aggregate: fields.text("aggregate")?.to_owned(),
            is_confirmed: fields.is_true("confirmed")?,
            is_published: fields.get("published").is_some(),
            written: fields.time("created_at")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_is_what_the_service_table_says() {
        for (topic, groups) in EVENTS {
            let mut listed: Vec<_> = shop_config::SERVICES
                .iter()
                .filter(|spec| spec.consumes.contains(&topic))
                .map(|spec| spec.name)
                .collect();
            listed.sort_unstable();
            let mut known = groups.to_vec();
            known.sort_unstable();
            assert_eq!(known, listed, "{topic}");
        }
        let consumed = shop_config::SERVICES.iter().flat_map(|spec| spec.consumes);
        for topic in consumed {
            assert!(groups_of(topic).is_some(), "{topic} is unknown here");
        }
    }
}
