//! Load by well-kept generators: wrk as fast as it is answered over HTTP/1.1, oha over HTTP/2, and oha for
//! latency, which it counts from when a request was due.

mod oha;
mod wrk;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wakegate_e2e::client::Version;
use wakegate_e2e::until;

use crate::proxy::start_on;

/// Enough to keep one worker busy at all times.
const N_CONNECTIONS: usize = 32;
/// Over HTTP/2 the same number of requests, over fewer connections.
const N_H2_CONNECTIONS: usize = 8;
/// For latency: enough that a free one is always there when the next request is due.
const N_OPEN_CONNECTIONS: usize = 64;

const TARGET: &str = "/catalog/items?page=2";

/// What a browser sends.
const HEADERS: [(&str, &str); 5] = [
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ),
    (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br"),
    ("cookie", "session=8b2f4e0a5c7d4f1e9a3b6c8d0e2f4a6b"),
];

/// What the requests are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) version: Version,
    pub(crate) method: Method,
}

/// A small GET, or a POST with a body of 100 KB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

/// What one run as fast as possible saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) n_requests: f64,
    pub(crate) per_second: f64,
}

/// What one run at a fixed rate saw, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

/// The generators with their files.
#[derive(Debug)]
pub(crate) struct Load {
    wrk: PathBuf,
    oha: PathBuf,
    folder: PathBuf,
    hosts: Vec<String>,
    core: usize,
}

impl Load {
    /// For requests to `hosts`, on `core`.
    pub(crate) fn new(
        (wrk, oha): (&Path, &Path),
        folder: &Path,
        hosts: Vec<String>,
        core: usize,
    ) -> Result<Self> {
        let load = Self {
            wrk: wrk.to_owned(),
            oha: oha.to_owned(),
            folder: folder.to_owned(),
            hosts,
            core,
        };
        fs::write(load.file("body"), vec![b'x'; 100_000]).context("write a body")?;
        load.write_for_wrk()?;
        load.write_for_oha()?;
        Ok(load)
    }

    /// Requests as fast as they are answered, for `span`; an error when one was not answered with 200.
    pub(crate) async fn closed(
        &self,
        kind: Kind,
        address: SocketAddr,
        span: Duration,
    ) -> Result<Seen> {
        match kind.version {
            Version::H1 => self.run_wrk(kind.method, address, span).await,
            Version::H2 => self.run_oha(kind, address, span, None).await?.seen(),
        }
    }

    /// Requests a second that [`open`](Self::open)'s generator gets answered when it is not held back.
    pub(crate) async fn limit(
        &self,
        kind: Kind,
        address: SocketAddr,
        span: Duration,
    ) -> Result<f64> {
        let report = self.run_oha(kind, address, span, None).await?;
        Ok(report.seen()?.per_second)
    }

    /// `per_second` requests a second for `span`, whether or not the earlier ones were answered.
    pub(crate) async fn open(
        &self,
        kind: Kind,
        address: SocketAddr,
        span: Duration,
        per_second: f64,
    ) -> Result<Latency> {
        let report = self.run_oha(kind, address, span, Some(per_second)).await?;
        report.latency()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs a generator to its end and returns what it printed.
    async fn run(&self, program: &Path, args: Vec<String>, span: Duration) -> Result<String> {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let log = self.file(&format!("{name}.log"));
        fs::write(&log, "").context("empty the generator's log")?;
        let mut process = start_on(self.core, program, args, &log)?;
        let limit = span + Duration::from_secs(30);
        let what = format!("{name} ends");
        let status = until(limit, &what, || process.ended().transpose()).await??;
        let text = process.log();
        ensure!(status.success(), "{name} ended with {status}: {text}");
        Ok(text)
    }
}

impl Kind {
    /// As a line names it.
    pub(crate) fn text(self) -> &'static str {
        match (self.version, self.method) {
            (Version::H1, Method::Get) => "HTTP/1.1 GET",
            (Version::H1, Method::Post) => "HTTP/1.1 POST of 100 KB",
            (Version::H2, Method::Get) => "HTTP/2 GET",
            (Version::H2, Method::Post) => "HTTP/2 POST of 100 KB",
        }
    }
}
