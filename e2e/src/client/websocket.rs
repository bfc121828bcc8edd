//! A WebSocket over an HTTP/1.1 upgrade.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::Response;

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// The answer to the handshake.
    pub handshake: Response,
}

/// Connects to `address` and upgrades; `url` starts with `ws://`.
pub async fn open_websocket(address: SocketAddr, url: &str) -> Result<Socket> {
    let stream = TcpStream::connect(address).await.context("connect")?;
    let opened = tokio_tungstenite::client_async(url, stream).await;
    let (stream, handshake) = opened.context("upgrade to WebSocket")?;
    Ok(Socket { stream, handshake })
}

impl Socket {
    /// Sends a text and waits for it to come back.
    pub async fn echo(&mut self, text: &str, deadline: Duration) -> Result<()> {
        self.stream
            .send(Message::text(text))
            .await
            .context("send a message")?;
        let answer = time::timeout(deadline, self.stream.next()).await;
        match answer.context("wait for the echo")? {
            Some(Ok(Message::Text(echo))) if echo.as_str() == text => Ok(()),
            other => bail!("not the echo of {text:?}: {other:?}"),
        }
    }

    /// Says good-bye.
    pub async fn close(mut self) -> Result<()> {
        self.stream.close(None).await.context("close a WebSocket")
    }
}
