//! Plain HTTP: what reached the app, told or sent back.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::{self, Instant};

use super::{App, Body, BoxError};

pub(super) fn plain(status: u16, text: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    response
}

pub(super) async fn answer(request: Request<Incoming>, sequence: u64) -> Response<Body> {
    match request.uri().path() {
        "/order" => plain(200, sequence.to_string()),
        "/slow" => {
            time::sleep(Duration::from_millis(
                number(&request, "ms").unwrap_or(1_000),
            ))
            .await;
            describe(request, sequence).await
        }
        "/status" => {
            let status = number(&request, "code").and_then(|code| u16::try_from(code).ok());
            plain(status.unwrap_or(200), "as you wish\n")
        }
        "/echo" => Response::new(request.into_body().map_err(BoxError::from).boxed_unsync()),
        "/sse" => events(&request),
        _ => describe(request, sequence).await,
    }
}

/// For a readiness probe.
pub(super) fn ready(app: &App) -> Response<Body> {
    if Instant::now() < *app.unready_until.lock() {
        plain(503, "told to be not ready\n")
    } else {
        plain(200, "ready\n")
    }
}

/// For `ms` from now on, the app is not ready.
pub(super) fn unready(app: &App, request: &Request<Incoming>) -> Response<Body> {
    let span = Duration::from_millis(number(request, "ms").unwrap_or(1_000));
    *app.unready_until.lock() = Instant::now() + span;
    plain(200, "not ready\n")
}

/// For `ms` from now on, everything is answered with 503.
pub(super) fn fail(app: &App, request: &Request<Incoming>) -> Response<Body> {
    let span = Duration::from_millis(number(request, "ms").unwrap_or(1_000));
    *app.failing_until.lock() = Instant::now() + span;
    plain(200, "failing\n")
}

/// A number of the query.
fn number(request: &Request<Incoming>, name: &str) -> Option<u64> {
    let mut pairs = request
        .uri()
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.parse().ok())
}

/// `n` server-sent events, `ms` apart.
fn events(request: &Request<Incoming>) -> Response<Body> {
    let n_events = number(request, "n").unwrap_or(5);
    let apart = Duration::from_millis(number(request, "ms").unwrap_or(100));
    let events = stream::unfold(0, move |sent| async move {
        if sent == n_events {
            return None;
        }
        if sent > 0 {
            time::sleep(apart).await;
        }
        let event = Frame::data(Bytes::from(format!("id: {sent}\ndata: tick\n\n")));
        Some((Ok::<_, BoxError>(event), sent + 1))
    });
    let mut response = Response::new(StreamBody::new(events).boxed_unsync());
    response.headers_mut().insert(
        "content-type",
        http::HeaderValue::from_static("text/event-stream"),
    );
    response
}

/// Method, path, headers and a digest of the body, as JSON.
async fn describe(request: Request<Incoming>, sequence: u64) -> Response<Body> {
    let (head, mut body) = request.into_parts();
    let mut digest = Sha256::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => {
                length += data.len();
                digest.update(&data);
            }
            Ok(Err(_trailers)) => {}
            Err(error) => return plain(400, format!("body ended early: {error}\n")),
        }
    }
    let text = json!({
        "process": std::process::id(),
        "sequence": sequence,
        "method": head.method.as_str(),
        "path": head.uri.path_and_query().map(http::uri::PathAndQuery::as_str),
        "version": format!("{:?}", head.version),
        "headers": header_values(&head.headers),
        "body": { "length": length, "sha256": hex(&digest.finalize()) },
    });
    let mut response = plain(200, format!("{text}\n"));
    response.headers_mut().insert(
        "content-type",
        http::HeaderValue::from_static("application/json"),
    );
    response
}

/// Header values with every byte that is not printable ASCII escaped.
fn header_values(headers: &HeaderMap) -> BTreeMap<&str, Vec<String>> {
    let mut values = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in headers {
        values
            .entry(name.as_str())
            .or_default()
            .push(value.as_bytes().escape_ascii().to_string());
    }
    values
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
