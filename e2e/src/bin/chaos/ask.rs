//! One request, and whether its answer is its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use http::Request;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time;
use wakegate_e2e::Service;
use wakegate_e2e::client::{Answer, Body, H1, H2, full, get, open_websocket, post, read};

use crate::tally::Outcome;

/// An echo over a WebSocket that is open.
const ECHO_LIMIT: Duration = Duration::from_secs(5);

/// A request that can be told from all others by its path.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) service: Arc<Service>,
    pub(crate) path: String,
    /// `None` is a GET.
    pub(crate) body: Option<String>,
}

impl Asked {
    pub(crate) fn get(service: &Arc<Service>, id: u64) -> Self {
        Self {
            service: Arc::clone(service),
            path: format!("/get/{id}"),
            body: None,
        }
    }

    pub(crate) fn post(service: &Arc<Service>, id: u64) -> Self {
        Self {
            service: Arc::clone(service),
            path: format!("/post/{id}"),
            body: Some(format!("body of {id} ").repeat(100)),
        }
    }

    pub(crate) fn request(&self) -> Result<Request<Body>> {
        let url = self.service.url(&self.path);
        match &self.body {
            None => get(&url),
            Some(body) => post(&url, full(body.clone())),
        }
    }

    /// Whether the answer says what was asked.
    pub(crate) fn judge(&self, answer: &Answer) -> Outcome {
        if answer.status != 200 {
            return Outcome::Status(answer.status);
        }
        let Ok(told) = answer.json() else {
            return Outcome::Wrong("not the app's answer".to_owned());
        };
        let text = |pointer| told.pointer(pointer).and_then(Value::as_str);
        let number = |pointer| told.pointer(pointer).and_then(Value::as_u64);
        if text("/path") != Some(&self.path) {
            return Outcome::Wrong("the answer to another request".to_owned());
        }
        let digest = Sha256::digest(self.body.as_deref().unwrap_or_default());
        let digest = digest
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        if text("/body/sha256") != Some(&digest) {
            return Outcome::Wrong("another body arrived".to_owned());
        }
        Outcome::Right {
            was_held: answer.header("x-wakegate-cold-start") == "true",
            delivery: number("/process").zip(number("/sequence")),
        }
    }
}

/// Within `limit`, else it hung.
pub(crate) async fn within(limit: Duration, asking: impl Future<Output = Outcome>) -> Outcome {
    let ended = time::timeout(limit, asking).await;
    ended.unwrap_or(Outcome::Hung)
}

/// On this connection. What is returned beside the outcome is the connection, when it can be used on.
pub(crate) async fn on_h1(mut connection: H1, asked: &Asked) -> (Outcome, Option<H1>) {
    let answered = async { read(connection.send(asked.request()?).await?).await };
    match answered.await {
        Ok(answer) => {
            let is_last = answer.header("connection") == "close";
            (asked.judge(&answer), (!is_last).then_some(connection))
        }
        Err(error) => (broken(&error), None),
    }
}

/// On this connection.
pub(crate) async fn on_h2(connection: &H2, asked: &Asked) -> Outcome {
    let answered = async { read(connection.send(asked.request()?).await?).await };
    match answered.await {
        Ok(answer) => asked.judge(&answer),
        Err(error) => broken(&error),
    }
}

/// On a connection of its own over HTTP/1.1.
pub(crate) async fn once(address: SocketAddr, asked: &Asked) -> Outcome {
    match H1::open(address).await {
        Ok(connection) => on_h1(connection, asked).await.0,
        Err(error) => broken(&error),
    }
}

/// Opens a WebSocket, says one word and leaves.
pub(crate) async fn websocket(address: SocketAddr, service: &Service, word: &str) -> Outcome {
    let url = format!("ws://{}/ws", service.host());
    let mut socket = match open_websocket(address, &url).await {
        Ok(socket) => socket,
        Err(error) => return refused(&error),
    };
    let headers = socket.handshake.headers();
    let was_held = headers.contains_key("x-wakegate-cold-start");
    if socket.echo(word, ECHO_LIMIT).await.is_err() {
        // It was answered, and its app or its connection went away after that.
        return Outcome::Status(101);
    }
    // The echo was the answer; how the other side says good-bye is none.
    drop(socket.close().await);
    Outcome::Right {
        was_held,
        delivery: None,
    }
}

/// A handshake that got another answer than 101, or none.
pub(crate) fn refused(error: &anyhow::Error) -> Outcome {
    use tokio_tungstenite::tungstenite::Error;
    match error.downcast_ref::<Error>() {
        Some(Error::Http(response)) => Outcome::Status(response.status().as_u16()),
        Some(_) | None => broken(error),
    }
}

pub(crate) fn broken(error: &anyhow::Error) -> Outcome {
    Outcome::Broken(format!("{error:#}"))
}
