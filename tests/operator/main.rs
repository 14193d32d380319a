//! The operator's own code against a real API server, with its controllers but without a node (tests/operator/run).
//!
//! Each test has a namespace of its own, where restricted Pod Security is enforced, and runs an operator of its own that
//! watches nothing else. What a node would do, `kubelet` does; what the shop would answer, `answers` does.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod admission;
mod answers;
mod check;
mod deletion;
mod kubelet;
mod manifests;
mod place;
mod ready;
mod repair;
mod restart;
mod schemas;
mod secrets;
mod steady;
