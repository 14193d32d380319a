//! Bytes by path and query, over HTTP.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use actix_web::http::header::ContentType;
use actix_web::web::{self, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use anyhow::Context as _;
use bytes::Bytes;

/// What is answered, by path and query.
type Answers = HashMap<String, Bytes>;

/// As many as a service has.
const WORKERS: usize = 2;

/// Serves until the process is told to end.
///
/// # Errors
/// When the answers cannot be read or nothing can listen there.
pub(crate) async fn run(answers: &Path, address: SocketAddr) -> anyhow::Result<()> {
    let text = std::fs::read(answers).with_context(|| format!("failed to read {}", answers.display()))?;
    let texts: HashMap<String, String> =
        serde_json::from_slice(&text).with_context(|| format!("{} holds no answers", answers.display()))?;
    let answers = Data::new(texts.into_iter().map(|(target, text)| (target, text.into())).collect::<Answers>());
    let server = HttpServer::new(move || App::new().app_data(answers.clone()).default_service(web::to(answer)));
    server.workers(WORKERS).bind(address).with_context(|| format!("nothing can listen on {address}"))?.run().await?;
    Ok(())
}

async fn answer(request: HttpRequest, answers: Data<Answers>) -> HttpResponse {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    match answers.get(target) {
        Some(bytes) => HttpResponse::Ok().content_type(ContentType::json()).body(bytes.clone()),
        None => HttpResponse::NotFound().finish(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_and_read_body, call_service, init_service};

    use super::*;

    #[actix_web::test]
    async fn a_target_has_its_bytes_and_others_have_none() {
        let answers: Answers = [("/a?b=1".to_owned(), Bytes::from("[1]"))].into();
        let app = App::new().app_data(Data::new(answers)).default_service(web::to(answer));
        let app = init_service(app).await;
        let found = call_and_read_body(&app, TestRequest::get().uri("/a?b=1").to_request()).await;
        assert_eq!(found, "[1]");
        let missing = call_service(&app, TestRequest::get().uri("/a").to_request()).await;
        assert_eq!(missing.status(), 404);
    }
}
