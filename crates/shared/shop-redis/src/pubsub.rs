//! Hearing what is published. What belongs here: one connection for all channels of the process, subscribing again after
//! it was lost, and telling listeners that they may have missed something. What does not: what a message means.

use std::collections::HashMap;
use std::time::Duration;

use fred::clients::SubscriberClient;
use fred::error::Error;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::{Message, MultipleStrings, Value};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::watch;

/// Messages that wait for one slow listener before it is told [`Notice::Lost`] instead.
pub(crate) const CAPACITY: usize = 1_024;

/// How often a subscription that found no connection is tried again.
const LOOK: Duration = Duration::from_millis(200);

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something was published.
    Message(String),
    /// The subscription begins here, or begins anew: whatever was published before may have been missed.
    Lost,
}

/// One listener of one channel. The first notice is [`Notice::Lost`], once Redis has accepted the subscription.
#[derive(Debug)]
pub struct Subscription(broadcast::Receiver<Notice>);

impl Subscription {
    /// The next notice; `None` when the last clone of the [`crate::Redis`] is gone. May be dropped at any time.
    pub async fn next(&mut self) -> Option<Notice> {
        match self.0.recv().await {
            Ok(notice) => Some(notice),
            Err(RecvError::Lagged(_)) => Some(Notice::Lost),
            Err(RecvError::Closed) => None,
        }
    }

    /// Forgets what was not taken yet: for a listener that wants to know that something happened, not what.
    pub fn drain(&mut self) {
        while let Ok(_) | Err(TryRecvError::Lagged(_)) = self.0.try_recv() {}
    }
}

/// A channel that somebody wants to hear.
pub(crate) struct Listener {
    channel: String,
    sender: broadcast::Sender<Notice>,
}

pub(crate) fn subscribe(listeners: &mpsc::UnboundedSender<Listener>, channel: String) -> Subscription {
    let (sender, receiver) = broadcast::channel(CAPACITY);
    // The dispatcher lives as long as a `Redis` does; should it be gone, the receiver says so.
    let _ = listeners.send(Listener { channel, sender });
    Subscription(receiver)
}

/// The listeners of each channel.
type Listeners = HashMap<String, Vec<broadcast::Sender<Notice>>>;

/// Carries messages to listeners until nobody can subscribe any more.
pub(crate) async fn dispatch(client: &SubscriberClient, mut requests: mpsc::UnboundedReceiver<Listener>) {
    let mut messages = client.message_rx();
    let mut reconnects = client.reconnect_rx();
    let mut listeners = Listeners::new();
    let mut owed: Option<Instant> = None;
    client.connect();
    loop {
        tokio::select! {
            request = requests.recv() => {
                let Some(Listener { channel, sender }) = request else { return };
                listeners.entry(channel.clone()).or_default().push(sender);
                // While the server is away, and when it has just come, all channels are subscribed to together.
                if client.is_connected() && reconnects.is_empty() && subscribe_to(client, channel.clone()).await {
                    // An older listener of the same channel hears it too, which costs it a refill and nothing else.
                    tell(&mut listeners, &channel, &Notice::Lost);
                } else {
                    owed = Some(Instant::now() + LOOK);
                }
            }
            // The client may say that it is connected a moment after it has told of it.
            () = sleep_until(owed.unwrap_or_else(Instant::now)), if owed.is_some() => {
                let done = client.is_connected() && resubscribe(client, &mut listeners).await;
                owed = (!done).then(|| Instant::now() + LOOK);
            }
            message = messages.recv() => match message {
                Ok(message) => hear(&mut listeners, &message),
                Err(RecvError::Lagged(_)) => tell_all(&mut listeners, &Notice::Lost),
                Err(RecvError::Closed) => return,
            },
            reconnected = reconnects.recv() => {
                if matches!(reconnected, Err(RecvError::Closed)) {
                    return;
                }
                let done = resubscribe(client, &mut listeners).await;
                owed = (!done).then(|| Instant::now() + LOOK);
            }
        }
    }
}

async fn subscribe_to(client: &SubscriberClient, channels: impl Into<MultipleStrings> + Send) -> bool {
    match accepted(client, channels.into()).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "Failed to subscribe; connecting anew");
            watch::reconnect(client).await;
            false
        }
    }
}

/// Subscribes, and returns once the server has done it. The client calls a subscription done when it is written, so that
/// what another connection publishes then may still come first; an answer on the same connection comes after it.
async fn accepted(client: &SubscriberClient, channels: MultipleStrings) -> Result<(), Error> {
    client.subscribe(channels).await?;
    client.ping::<Value>(None).await.map(drop)
}

/// Subscribes to everything and says so only then, so that nothing is missed between the notice and the subscription.
/// False when it has to be tried again.
async fn resubscribe(client: &SubscriberClient, listeners: &mut Listeners) -> bool {
    forget_the_gone(listeners);
    let channels: Vec<String> = listeners.keys().cloned().collect();
    if !channels.is_empty() && !subscribe_to(client, channels).await {
        return false;
    }
    tell_all(listeners, &Notice::Lost);
    true
}

fn hear(listeners: &mut Listeners, message: &Message) {
    if let Some(text) = message.value.as_string() {
        tell(listeners, &message.channel, &Notice::Message(text));
    }
}

fn tell(listeners: &mut Listeners, channel: &str, notice: &Notice) {
    if let Some(senders) = listeners.get_mut(channel) {
        senders.retain(|sender| sender.send(notice.clone()).is_ok());
    }
}

fn tell_all(listeners: &mut Listeners, notice: &Notice) {
    for senders in listeners.values_mut() {
        senders.retain(|sender| sender.send(notice.clone()).is_ok());
    }
}

fn forget_the_gone(listeners: &mut Listeners) {
    listeners.retain(|_, senders| {
        senders.retain(|sender| sender.receiver_count() > 0);
        !senders.is_empty()
    });
}
