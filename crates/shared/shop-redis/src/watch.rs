//! Notices a connection that is dead without a word: a server that hangs, or packets that go nowhere.
//!
//! What belongs here: asking now and then, and connecting anew when there is no answer. The client's own check for this
//! starts over with every command that it sends, so that a busy connection would never be found dead.

use std::time::Duration;

use fred::interfaces::ClientLike;
use fred::types::Value;
use tokio::time::{MissedTickBehavior, interval, timeout};

const EVERY: Duration = Duration::from_secs(1);
/// A server that is this late is not given up by a request, which has long gone, but by its connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// Watches a connection for ever.
pub(crate) async fn watch<C: ClientLike>(client: C) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if client.is_connected() && !answers(&client).await {
            reconnect(&client).await;
        }
    }
}

/// Ends the connection and waits until there is a new one.
pub(crate) async fn reconnect<C: ClientLike>(client: &C) {
    tracing::warn!("Connecting to Redis anew");
    if let Err(error) = Box::pin(client.force_reconnection()).await {
        tracing::warn!(%error, "Failed to connect to Redis anew");
    }
}

async fn answers<C: ClientLike>(client: &C) -> bool {
    // The client's own deadline may be shorter, and an overloaded server is not a dead one: ask until patience ends.
    let asking = async {
        while Box::pin(client.ping::<Value>(None)).await.is_err() {
            if !client.is_connected() {
                return;
            }
        }
    };
    timeout(PATIENCE, asking).await.is_ok()
}
