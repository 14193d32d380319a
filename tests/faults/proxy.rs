//! One edge between two parties: a TCP proxy whose behaviour can be changed while connections are open.
//!
//! What belongs here: accepting, choosing whom to connect to, and forwarding under the present [`Weather`].

mod flow;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use self::flow::{Direction, flow};

/// How an edge behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// As if it were not there.
    Clear,
    /// Nothing gets through in either direction; what was sent arrives when it ends, as after lost packets.
    Blackhole,
    /// Requests arrive, answers do not, until it ends.
    RepliesLost,
    /// Connections are reset, open ones and new ones.
    Reset,
    /// The other side has vanished without a word: connections that were open stay open and dead for ever.
    HalfOpen,
    /// Every answer takes longer, by `delay` more or less `jitter`; of a hundred pieces `lost` are sent again after 200 ms.
    Slow { delay: Duration, jitter: Duration, lost: u8 },
    /// So many bytes a second in each direction.
    Throttled(u32),
}

/// Whom an edge leads to.
#[derive(Debug, Clone)]
pub(crate) enum Backends {
    /// A server.
    One(SocketAddr),
    /// The pods of a service that are ready, in turn, as a cluster address does it.
    Pods(Arc<Endpoints>, u16),
}

/// The pods of a service that take requests.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    ready: ArcSwap<Vec<Ipv4Addr>>,
    next: AtomicUsize,
}

impl Endpoints {
    /// Those that take requests now.
    pub(crate) fn ready(&self) -> Arc<Vec<Ipv4Addr>> {
        self.ready.load_full()
    }

    /// Says who takes requests from now on.
    pub(crate) fn set(&self, ready: Vec<Ipv4Addr>) {
        self.ready.store(Arc::new(ready));
    }

    fn choose(&self) -> Option<Ipv4Addr> {
        let ready = self.ready.load();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        (!ready.is_empty()).then(|| ready[turn % ready.len()])
    }
}

/// An edge. Dropping it ends its connections.
#[derive(Debug)]
pub(crate) struct Edge {
    weather: watch::Sender<Weather>,
    opened: Arc<AtomicU64>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Edge {
    /// Listens at `address` and leads to `backends`.
    ///
    /// # Errors
    /// When the address is taken.
    pub(crate) async fn open(address: SocketAddr, backends: Backends) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| format!("failed to listen at {address}"))?;
        let (weather, seen) = watch::channel(Weather::Clear);
        let opened = Arc::new(AtomicU64::new(0));
        let accepting = tokio::spawn(accept(listener, backends, seen, Arc::clone(&opened)));
        Ok(Self { weather, opened, accepting })
    }

    /// Changes how it behaves, for open connections, too.
    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Connections that were opened so far.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, backends: Backends, weather: watch::Receiver<Weather>, opened: Arc<AtomicU64>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Too many open files and the like: the caller sees a connection that nobody takes.
                let Ok((client, _)) = accepted else { continue };
                opened.fetch_add(1, Ordering::Relaxed);
                connections.spawn(connection(client, backends.clone(), weather.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Forwards until either side ends it or the weather does.
async fn connection(mut client: TcpStream, backends: Backends, mut weather: watch::Receiver<Weather>) {
    // A cut that began before this connection has it wait as a lost SYN would.
    let cut = |now: &Weather| matches!(now, Weather::Blackhole | Weather::HalfOpen);
    if weather.wait_for(|now| !cut(now)).await.is_err() {
        return;
    }
    let mut server = match connect(&backends).await {
        Some(server) if *weather.borrow() != Weather::Reset => server,
        Some(_) | None => return reset(&client),
    };
    if let Err(error) = client.set_nodelay(true).and_then(|()| server.set_nodelay(true)) {
        crate::report::say(&format!("a proxied connection is slower than it should be: {error}"));
    }
    let end = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let requests = flow(from_client, to_server, Direction::Request, weather.clone());
        let replies = flow(from_server, to_client, Direction::Reply, weather.clone());
        tokio::select! {
            ended = async { tokio::try_join!(requests, replies) } => ended.map_or(Weather::Reset, |_| Weather::Clear),
            now = weather.wait_for(|now| matches!(now, Weather::Reset | Weather::HalfOpen)) => {
                now.map_or(Weather::Reset, |now| *now)
            }
        }
    };
    match end {
        Weather::Reset => {
            reset(&client);
            reset(&server);
        }
        Weather::HalfOpen => {
            tokio::join!(swallow(&mut client), swallow(&mut server));
        }
        Weather::Clear | Weather::Blackhole | Weather::RepliesLost | Weather::Slow { .. } | Weather::Throttled(_) => {}
    }
}

/// Takes what is sent and never answers, as a machine that lost its power, until the sender gives up.
async fn swallow(connection: &mut TcpStream) {
    let mut buffer = [0; 1024];
    while connection.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
}

async fn connect(backends: &Backends) -> Option<TcpStream> {
    let address = match backends {
        Backends::One(address) => *address,
        Backends::Pods(endpoints, port) => SocketAddr::from((endpoints.choose()?, *port)),
    };
    let socket = TcpSocket::new_v4().ok()?;
    timeout(Duration::from_secs(5), socket.connect(address)).await.ok()?.ok()
}

/// Ends a connection as a refused or broken one ends: by RST.
fn reset(connection: &TcpStream) {
    if let Err(error) = connection.set_zero_linger() {
        crate::report::say(&format!("a connection that should break ends in good order: {error}"));
    }
}
