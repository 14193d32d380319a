//! A request that can be sent more than once.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use shop_telemetry::context;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;

use crate::metadata::{GUEST_TOKEN, PREVIOUS_ATTEMPTS, REQUEST_ID, TIMEOUT, TRACEPARENT, timeout_text};

/// Larger requests are sent once: they are not kept.
const MAX_KEPT: usize = 64 * 1024;

/// What every try of a call sends.
pub(super) struct Template {
    head: http::request::Parts,
    payload: Payload,
}

enum Payload {
    /// The whole request.
    Kept(Bytes),
    /// What is too large to keep; `None` once it was sent.
    Passing(Option<Body>),
}

impl Template {
    /// Takes the request apart and adds the context of the present task. What the request itself says counts more.
    pub(super) async fn new(request: http::Request<Body>) -> Result<Self, Status> {
        let (mut head, body) = request.into_parts();
        add_context(&mut head.headers)?;
        Ok(Self { head, payload: Payload::of(body).await? })
    }

    pub(super) fn can_repeat(&self) -> bool {
        matches!(self.payload, Payload::Kept(_))
    }

    /// The request of the next try, when `failed` tries failed before; `None` when the time is up or nothing is left.
    pub(super) fn next(&mut self, deadline: Instant, failed: u32) -> Option<http::Request<Body>> {
        let rest = deadline.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return None;
        }
        let body = match &mut self.payload {
            Payload::Kept(bytes) => Body::new(Full::new(bytes.clone())),
            Payload::Passing(body) => body.take()?,
        };
        let mut head = self.head.clone();
        head.headers.insert(TIMEOUT, HeaderValue::try_from(timeout_text(rest)).ok()?);
        if failed > 0 {
            head.headers.insert(PREVIOUS_ATTEMPTS, HeaderValue::from(failed));
        }
        Some(http::Request::from_parts(head, body))
    }
}

impl Payload {
    async fn of(mut body: Body) -> Result<Self, Status> {
        let mut kept = BytesMut::new();
        while let Some(frame) = body.frame().await {
            if let Ok(bytes) = frame?.into_data() {
                kept.extend_from_slice(&bytes);
            }
            if kept.len() > MAX_KEPT {
                let start = stream::iter([Ok(Frame::data(kept.freeze()))]);
                let body = Body::new(StreamBody::new(start.chain(BodyStream::new(body))));
                return Ok(Self::Passing(Some(body)));
            }
        }
        Ok(Self::Kept(kept.freeze()))
    }
}

fn add_context(headers: &mut HeaderMap) -> Result<(), Status> {
    if let Some(traceparent) = context::traceparent() {
        add(headers, TRACEPARENT, &traceparent)?;
    }
    let Some(context) = context::current() else { return Ok(()) };
    add(headers, REQUEST_ID, &context.request_id)?;
    for (name, secret) in [(AUTHORIZATION, context.authorization), (GUEST_TOKEN, context.guest_token)] {
        add_secret(headers, name, secret)?;
    }
    Ok(())
}

fn add(headers: &mut HeaderMap, name: HeaderName, text: &str) -> Result<(), Status> {
    let value = HeaderValue::from_str(text)
        .map_err(|_| Status::internal(format!("the context holds a {name} that no header can carry")))?;
    headers.entry(name).or_insert(value);
    Ok(())
}

fn add_secret(headers: &mut HeaderMap, name: HeaderName, secret: Option<Arc<str>>) -> Result<(), Status> {
    let Some(secret) = secret else { return Ok(()) };
    add(headers, name.clone(), &secret)?;
    // Keeps it out of the connection's compression table and of debug output.
    if let Some(value) = headers.get_mut(name) {
        value.set_sensitive(true);
    }
    Ok(())
}
