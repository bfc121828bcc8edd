//! Bytes on a TCP connection.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time;

/// A connection that sends what no client library would.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            stream: TcpStream::connect(address).await.context("connect")?,
        })
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await.context("send bytes")
    }

    /// Sends bytes until the peer takes none for `patience`; returns how many it took.
    pub async fn send_until_stuck(&mut self, limit: usize, patience: Duration) -> Result<usize> {
        let chunk = vec![b'x'; 16 * 1024];
        let mut sent = 0;
        while sent < limit {
            match time::timeout(patience, self.stream.write(&chunk)).await {
                Ok(written) => sent += written.context("send bytes")?,
                Err(_stuck) => break,
            }
        }
        Ok(sent)
    }

    /// Reads until the end of the stream or until `enough` says so.
    pub async fn read_until(
        &mut self,
        deadline: Duration,
        enough: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>> {
        let mut seen = Vec::new();
        let reading = async {
            while !enough(&seen) {
                if self
                    .stream
                    .read_buf(&mut seen)
                    .await
                    .context("read bytes")?
                    == 0
                {
                    break;
                }
            }
            anyhow::Ok(())
        };
        let ended = time::timeout(deadline, reading).await;
        ended.with_context(|| {
            format!("not within {deadline:?}: an answer on a bare connection")
        })??;
        Ok(seen)
    }

    /// Reads a response's head and returns its status.
    pub async fn status(&mut self, deadline: Duration) -> Result<u16> {
        let is_head = |seen: &[u8]| seen.windows(4).any(|window| window == b"\r\n\r\n");
        let seen = self.read_until(deadline, is_head).await?;
        let head = String::from_utf8_lossy(&seen).into_owned();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        status.with_context(|| format!("no status line: {head:?}"))
    }
}
