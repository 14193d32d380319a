//! The real MongoDB and Redis that tests use.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Names the MongoDB replica set of the tests.
pub const MONGODB_URI: &str = "SHOPMESH_TEST_MONGODB_URI";
/// Names the Redis of the tests.
pub const REDIS_URL: &str = "SHOPMESH_TEST_REDIS_URL";

/// The connection string of the tests' MongoDB.
///
/// # Panics
/// When nothing listens there: the message says how to start it.
#[must_use]
pub fn mongodb_uri() -> String {
    let uri =
        read(MONGODB_URI).unwrap_or_else(|| "mongodb://127.0.0.1:27117/?replicaSet=rs0&directConnection=true".into());
    must_listen("MongoDB", MONGODB_URI, &uri);
    uri
}

/// The URL of the tests' Redis.
///
/// # Panics
/// When nothing listens there: the message says how to start it.
#[must_use]
pub fn redis_url() -> String {
    let url = read(REDIS_URL).unwrap_or_else(|| "redis://127.0.0.1:6479/0".into());
    must_listen("Redis", REDIS_URL, &url);
    url
}

fn read(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests find their servers by environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn must_listen(what: &str, variable: &str, url: &str) {
    let authority = url.split("://").nth(1).unwrap_or(url).split(['/', '?']).next().unwrap_or_default();
    let address = authority.rsplit('@').next().unwrap_or_default().split(',').next().unwrap_or_default();
    let reached = address
        .to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next())
        .is_some_and(|address| TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok());
    assert!(reached, "no {what} for tests at {address}: run `make deps servers-up`, or point {variable} at one");
}
