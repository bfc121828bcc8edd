//! WebSocket over an HTTP/1.1 upgrade: every message comes back.

use futures::{SinkExt, StreamExt};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{App, Body, http::plain};

pub(super) fn echo(app: &App, mut request: Request<Incoming>) -> Response<Body> {
    let Some(key) = request.headers().get("sec-websocket-key") else {
        return plain(400, "a WebSocket handshake has a key\n");
    };
    let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) else {
        return plain(400, "no such key\n");
    };
    let upgrade = hyper::upgrade::on(&mut request);
    app.upgraded.lock().spawn(async move {
        match upgrade.await {
            Ok(upgraded) => converse(TokioIo::new(upgraded)).await,
            Err(error) => tracing::warn!(%error, "upgrade failed"),
        }
    });
    let mut response = plain(101, "");
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert("connection", HeaderValue::from_static("upgrade"));
    headers.insert("upgrade", HeaderValue::from_static("websocket"));
    headers.insert("sec-websocket-accept", accept);
    response
}

async fn converse(stream: TokioIo<hyper::upgrade::Upgraded>) {
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        let is_content = message.is_text() || message.is_binary();
        if is_content && socket.send(message).await.is_err() {
            break;
        }
    }
}
