//! Who may call what: every call of the shop's own document, tried by every kind of caller that the document could name.
//! Whose data somebody sees then, the tests of each service tell.

use reqwest::Method;
use tests::calls::Call;

use crate::given::Shop;

/// The kind that shows a guest token and no other.
const GUEST: &str = "guest";

/// What a kind of caller that a call does not name is answered.
fn refusal(kind: &str) -> u16 {
    match kind {
        "anonymous" | GUEST | "expired" => 401,
        _ => 403,
    }
}

async fn status(shop: &Shop, call: &Call, caller: (&str, Option<&str>)) -> u16 {
    let path = call.template.replace("{sku}", "none").replace("{provider}", "none");
    let path = path.split('/').map(|element| if element.starts_with('{') { "none" } else { element });
    let url = format!("{}{}", shop.url(), path.collect::<Vec<_>>().join("/"));
    let request = reqwest::Client::new().request(Method::from_bytes(call.method.as_bytes()).unwrap(), url);
    let request = match caller {
        (GUEST, _) => request.header("X-Guest-Token", "A".repeat(43)),
        (_, Some(token)) => request.bearer_auth(token),
        (_, None) => request,
    };
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_lets_in_whom_the_document_names_and_nobody_else() {
    let shop = Shop::open().await;
    let mut wrong = Vec::new();
    let (mut tried, calls) = (0, shop.calls().await);
    for call in &calls {
        // Fresh ones: one of the calls ends the session that makes it.
        let tokens = shop.tokens();
        assert!(!call.callers.is_empty(), "{} does not say who may call it", call.name());
        for kind in ["anonymous", GUEST, "customer", "staff", "admin", "service", "expired"] {
            let status = status(&shop, call, (kind, tokens.get(kind).map(String::as_str))).await;
            let is_let_in = call.callers.iter().any(|caller| caller == kind);
            let is_right = if is_let_in {
                // It came to the handler, which misses a body, a header, or the thing itself; or what it needs, on a machine
                // that does too much.
                matches!(status, 200..=299 | 400 | 404 | 409 | 415 | 422 | 428 | 503)
                    || is_proof_of_its_own(call, status)
            } else {
                status == refusal(kind)
            };
            tried += 1;
            if !is_right {
                wrong.push(format!("{} by {kind} gave {status}; it names {:?}", call.name(), call.callers));
            }
        }
    }
    assert_eq!(tried, calls.len() * 7);
    assert!(wrong.is_empty(), "{} of {tried} cells:\n{}", wrong.len(), wrong.join("\n"));
}

/// Two calls ask for more than a token: a session that is there, and an admin who still is one.
fn is_proof_of_its_own(call: &Call, status: u16) -> bool {
    matches!((call.template.as_str(), status), ("/api/v1/auth/refresh", 401) | ("/api/v1/users/{id}/roles", 403))
}
