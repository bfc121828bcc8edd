//! HTTP/1.1 by hand, response by response.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time;

const SOON: Duration = Duration::from_secs(15);

/// One connection, and what came on it and was not taken yet.
#[derive(Debug)]
pub(super) struct Conversation {
    name: &'static str,
    stream: TcpStream,
    came: Vec<u8>,
}

/// One response.
#[derive(Debug)]
pub(super) struct Response {
    name: &'static str,
    body: String,
}

impl Response {
    /// An error when the body does not say `what`.
    pub(super) fn says(&self, what: &str) -> Result<()> {
        let Self { name, body } = self;
        ensure!(
            body.contains(what),
            "{name}: not the answer to {what}: {body}"
        );
        Ok(())
    }
}

impl Conversation {
    pub(super) async fn open(name: &'static str, address: SocketAddr) -> Result<Self> {
        Ok(Self {
            name,
            stream: TcpStream::connect(address).await.context("connect")?,
            came: Vec::new(),
        })
    }

    pub(super) async fn send(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        headers: &str,
    ) -> Result<()> {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n");
        self.write(head.as_bytes()).await
    }

    pub(super) async fn connect(&mut self, target: &str) -> Result<()> {
        self.send("CONNECT", target, target, "").await
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.stream.write_all(bytes).await;
        written.with_context(|| format!("{}: send", self.name))
    }

    /// An error when anything comes within `span`.
    pub(super) async fn is_quiet(&mut self, span: Duration) -> Result<()> {
        let read = time::timeout(span, self.stream.read_buf(&mut self.came)).await;
        let (name, came) = (self.name, String::from_utf8_lossy(&self.came));
        ensure!(
            read.is_err() && came.is_empty(),
            "{name}: not quiet, {read:?}: {came}"
        );
        Ok(())
    }

    /// The next response, of which only a head comes.
    pub(super) async fn hear_head(&mut self, status: u16) -> Result<()> {
        let head = self.head(status).await?;
        drop(head);
        Ok(())
    }

    /// The next response. A status below 200 has no body.
    pub(super) async fn hear(&mut self, status: u16) -> Result<Response> {
        let head = self.head(status).await?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_it = name.eq_ignore_ascii_case("content-length");
            is_it.then(|| value.trim().parse::<usize>().ok())?
        });
        let length = match (status, length) {
            (..200, _) => 0,
            (_, Some(length)) => length,
            (_, None) => bail!("{}: no content-length: {head}", self.name),
        };
        while self.came.len() < length {
            self.more().await?;
        }
        let body: Vec<_> = self.came.drain(..length).collect();
        Ok(Response {
            name: self.name,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    async fn head(&mut self, status: u16) -> Result<String> {
        const END: &[u8] = b"\r\n\r\n";
        let end = loop {
            let found = self.came.windows(END.len()).position(|bytes| bytes == END);
            match found {
                Some(end) => break end + END.len(),
                None => self.more().await?,
            }
        };
        let head: Vec<_> = self.came.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let found = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse::<u16>().ok());
        ensure!(found == Some(status), "{}: not {status}: {head}", self.name);
        Ok(head)
    }

    async fn more(&mut self) -> Result<()> {
        let read = time::timeout(SOON, self.stream.read_buf(&mut self.came)).await;
        let n_read = read.with_context(|| format!("{}: no answer came", self.name))??;
        ensure!(
            n_read > 0,
            "{}: the connection ended without an answer",
            self.name
        );
        Ok(())
    }
}
