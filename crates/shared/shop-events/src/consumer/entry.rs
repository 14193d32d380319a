//! What an entry of a stream says. What belongs here: telling events of ours from others and from what nobody can read.

use shop_redis::Delivery;
use shop_types::{Envelope, Topic};

/// An entry, and what it says.
pub(super) struct Read {
    pub(super) delivery: Delivery,
    pub(super) content: Content,
}

pub(super) enum Content {
    /// For this service.
    Event(Box<Envelope>),
    /// Of a topic that this service does not consume.
    NotOurs,
    /// Of a topic that this version does not know: during a roll-out another pod may.
    Unheard,
    /// Nothing that this version can read.
    Unreadable(String),
}

impl Read {
    /// Reads an entry for a service that consumes these topics.
    pub(super) fn of(delivery: Delivery, topics: &[Topic]) -> Self {
        let content = match Topic::from_name(&delivery.topic) {
            Some(topic) if topics.contains(&topic) => match envelope(topic, &delivery.event_id, &delivery.json) {
                Ok(envelope) => Content::Event(Box::new(envelope)),
                Err(reason) => Content::Unreadable(reason),
            },
            // The producer puts a topic on each entry; what has none is not of its making.
            None if delivery.topic.is_empty() => Content::Unreadable("it has no topic".into()),
            None => Content::Unheard,
            Some(_) => Content::NotOurs,
        };
        Self { delivery, content }
    }

    /// Entries of one lane are handled in their order.
    pub(super) fn lane(&self) -> String {
        match &self.content {
            Content::Event(envelope) => envelope.aggregate.clone(),
            Content::NotOurs | Content::Unheard | Content::Unreadable(_) => self.delivery.stream_id.to_string(),
        }
    }
}

impl Content {
    /// The topic in metrics: nothing that a stranger wrote.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Event(envelope) => envelope.event.topic().name(),
            Self::NotOurs | Self::Unheard | Self::Unreadable(_) => "unknown",
        }
    }
}

/// Reads an event as its entry names it.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn envelope(topic: Topic, event_id: &str, json: &str) -> Result<Envelope, String> {
    let envelope: Envelope = serde_json::from_str(json).map_err(|error| format!("it cannot be read: {error}"))?;
    if envelope.event.topic() != topic {
        return Err(format!("it tells of {}", envelope.event.topic().name()));
    }
    if envelope.id.to_string() != event_id {
        return Err("its id is not that of its entry".into());
    }
    Ok(envelope)
}
