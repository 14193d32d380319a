//! A wire to MongoDB that can be cut at a chosen command: before the server gets it, or after it has answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where a connection is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The command never arrives.
    Before,
    /// The command is carried out, its reply is lost.
    After,
}

/// A proxy on a port of its own.
#[derive(Clone)]
pub(crate) struct Proxy {
    port: u16,
    cuts: Arc<AtomicU32>,
    made: Arc<AtomicU32>,
}

impl Proxy {
    /// Cuts connections at the given command, as often as [`Self::arm`] says.
    pub(crate) async fn start(uri: &str, command: &'static str, cut: Cut) -> Self {
        let server = uri.split("//").nth(1).and_then(|rest| rest.split('/').next()).unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { port, cuts: Arc::default(), made: Arc::default() };
        let accepting = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(accepting.clone().pump(client, server, command, cut));
            }
        });
        proxy
    }

    pub(crate) fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }

    /// The next so many commands are cut.
    pub(crate) fn arm(&self, cuts: u32) {
        self.cuts.store(cuts, Ordering::SeqCst);
    }

    /// How often a connection was cut.
    pub(crate) fn made(&self) -> u32 {
        self.made.load(Ordering::SeqCst)
    }

    async fn pump(self, mut client: TcpStream, mut server: TcpStream, command: &'static str, cut: Cut) {
        let (mut request, mut reply) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        let mut cut_at_reply = false;
        loop {
            tokio::select! {
                read = client.read(&mut request) => {
                    let Ok(1..) = read else { return };
                    let sent = &request[..read.unwrap_or_default()];
                    // BSON ends a field's name with a zero byte; the command's own name is one.
                    let name = [command.as_bytes(), b"\0"].concat();
                    let named = sent.windows(name.len()).any(|bytes| bytes == name);
                    let counts = |left: u32| left.checked_sub(1);
                    if named && self.cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counts).is_ok() {
                        self.made.fetch_add(1, Ordering::SeqCst);
                        if cut == Cut::Before {
                            return;
                        }
                        cut_at_reply = true;
                    }
                    if server.write_all(sent).await.is_err() { return; }
                }
                read = server.read(&mut reply) => {
                    let Ok(1..) = read else { return };
                    if cut_at_reply || client.write_all(&reply[..read.unwrap_or_default()]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
