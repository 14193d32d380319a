//! A wire to Redis that can be cut.

use shop_config::Secret;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Carries everything to a Redis until it is cut, and nothing after that.
pub(crate) struct Wire {
    port: u16,
    cut: CancellationToken,
}

impl Wire {
    /// Leads to the Redis of this URL.
    pub(crate) async fn to(url: &str) -> Self {
        let authority = url.trim_start_matches("redis://").split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, cut) = (listener.local_addr().unwrap().port(), CancellationToken::new());
        let each = cut.clone();
        tokio::spawn(cut.clone().run_until_cancelled_owned(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut far = TcpStream::connect(&authority).await.unwrap();
                tokio::spawn(each.clone().run_until_cancelled_owned(async move {
                    // How it ended, both ends know.
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                }));
            }
        }));
        Self { port, cut }
    }

    /// Where it begins.
    pub(crate) fn url(&self) -> Secret {
        Secret::new(format!("redis://127.0.0.1:{}/0", self.port))
    }

    /// Cuts it: what is connected breaks, and nobody connects again.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }
}
