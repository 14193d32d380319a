//! The body of an answer: keeps to the deadline and notes the outcome, which gRPC sends last.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::metadata;
use crate::metrics::Observation;

/// Passes a body through until its deadline.
pub(super) struct Answer {
    body: Body,
    deadline: Pin<Box<Sleep>>,
    observation: Observation,
}

impl Answer {
    pub(super) fn new(
        head: &http::response::Parts,
        body: Body,
        deadline: Instant,
        mut observation: Observation,
    ) -> Self {
        // An error without a reply stands in the headers already.
        if let Some(code) = code(&head.headers) {
            observation.ended(code);
        } else if body.is_end_stream() {
            observation.ended(Code::Unknown);
        }
        Self { body, deadline: Box::pin(sleep_until(deadline)), observation }
    }

    fn fail(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.observation.ended(status.code());
        // What comes after an error is of no use; dropping the body resets the stream.
        self.body = Body::empty();
        Poll::Ready(Some(Err(status)))
    }
}

fn code(headers: &http::HeaderMap) -> Option<Code> {
    headers.get(metadata::STATUS).map(|status| Code::from_bytes(status.as_bytes()))
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(code) = frame.trailers_ref().and_then(code) {
                    this.observation.ended(code);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let mut status = Status::unavailable("the connection to the peer broke");
                status.set_source(std::sync::Arc::new(error));
                this.fail(status)
            }
            Poll::Ready(None) => {
                this.observation.ended(Code::Unknown);
                Poll::Ready(None)
            }
            Poll::Pending => {
                if this.deadline.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                let status = Status::deadline_exceeded(format!("{} did not answer in time", this.observation.peer));
                this.fail(status)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use shop_telemetry::metrics::{Metrics, render};
    use tracing::Span;

    use super::*;
    use crate::metrics::CallMetrics;

    fn answer(metrics: &Metrics, headers: http::HeaderMap, body: Body) -> Answer {
        let calls = CallMetrics::register(metrics).unwrap();
        let observation = Observation::start(calls, "catalog", "m".into(), Span::none());
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.headers = headers;
        Answer::new(&head, body, Instant::now() + Duration::from_secs(2), observation)
    }

    fn outcome(metrics: &Metrics, code: &str) -> bool {
        let line = format!(r#"mesh_requests_total{{code="{code}",method="m",peer="catalog",service="t"}} 1"#);
        render(std::slice::from_ref(metrics)).contains(&line)
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_stops_half_way_ends_at_the_deadline() {
        let metrics = Metrics::new("t");
        let start = stream::iter([Ok::<_, Status>(Frame::data(Bytes::from_static(b"half")))]);
        let body = Body::new(StreamBody::new(start.chain(stream::pending())));
        let mut answer = answer(&metrics, http::HeaderMap::new(), body);
        let begun = Instant::now();

        assert!(answer.frame().await.unwrap().is_ok());
        assert_eq!(answer.frame().await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
        assert_eq!(begun.elapsed().as_secs(), 2);
        assert!(answer.frame().await.is_none());
        drop(answer);
        assert!(outcome(&metrics, "deadline_exceeded"));
    }

    #[tokio::test]
    async fn the_outcome_is_what_the_headers_or_trailers_say() {
        let status = |code: &str| http::HeaderMap::from_iter([(metadata::STATUS, code.parse().unwrap())]);

        let metrics = Metrics::new("t");
        drop(answer(&metrics, status("5"), Body::empty()));
        assert!(outcome(&metrics, "not_found"));

        let metrics = Metrics::new("t");
        let frames = [Ok::<_, Status>(Frame::data(Bytes::from_static(b"all"))), Ok(Frame::trailers(status("0")))];
        let body = Body::new(StreamBody::new(stream::iter(frames)));
        answer(&metrics, http::HeaderMap::new(), body).collect().await.unwrap();
        assert!(outcome(&metrics, "ok"));

        let metrics = Metrics::new("t");
        drop(answer(
            &metrics,
            http::HeaderMap::new(),
            Body::new(StreamBody::new(stream::pending::<Result<_, Status>>())),
        ));
        assert!(outcome(&metrics, "cancelled"));
    }
}
