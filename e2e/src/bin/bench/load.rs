//! Load by `wrk`: requests as fast as they are answered, over a fixed number of connections.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use wakegate_e2e::until;

use crate::proxy::start_on;

/// Enough to keep one worker busy at all times.
const N_CONNECTIONS: usize = 32;

/// Sends the requests for all hosts in turns, with the headers of a browser; prints JSON at its end.
const SCRIPT: &str = r#"
local requests, last = {}, 0
function init(args)
  for host in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("GET", "/catalog/items?page=2", {
      ["Host"] = host,
      ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
      ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
      ["Accept-Language"] = "en-US,en;q=0.5",
      ["Accept-Encoding"] = "gzip, deflate, br",
      ["Cookie"] = "session=8b2f4e0a5c7d4f1e9a3b6c8d0e2f4a6b",
    })
  end
end
function request()
  last = last % #requests + 1
  return requests[last]
end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format('\n{"n_requests": %d, "micros": %d, "n_errors": %d}\n', summary.requests,
    summary.duration, e.connect + e.read + e.write + e.status + e.timeout))
end
"#;

/// What one run of wrk saw.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Seen {
    pub(crate) n_requests: f64,
    micros: f64,
    n_errors: u64,
}

/// wrk with its files.
#[derive(Debug)]
pub(crate) struct Load {
    wrk: PathBuf,
    folder: PathBuf,
}

impl Seen {
    pub(crate) fn per_second(self) -> f64 {
        self.n_requests / (self.micros / 1e6)
    }
}

impl Load {
    /// For requests to `hosts` in turns.
    pub(crate) fn new(wrk: &Path, folder: &Path, hosts: &[String]) -> Result<Self> {
        fs::write(folder.join("wrk.lua"), SCRIPT).context("write wrk's script")?;
        fs::write(folder.join("hosts.txt"), hosts.join("\n")).context("write the hosts")?;
        Ok(Self {
            wrk: wrk.to_owned(),
            folder: folder.to_owned(),
        })
    }

    /// Runs for `span` on `core`; an error when any request was answered with an error.
    pub(crate) async fn run(
        &self,
        address: SocketAddr,
        span: Duration,
        core: usize,
    ) -> Result<Seen> {
        let log = self.folder.join("wrk.log");
        fs::write(&log, "").context("empty wrk's log")?;
        let args = [
            "--threads=1".to_owned(),
            format!("--connections={N_CONNECTIONS}"),
            format!("--duration={}s", span.as_secs()),
            format!("--script={}", self.folder.join("wrk.lua").display()),
            format!("http://{address}/"),
            "--".to_owned(),
            self.folder.join("hosts.txt").display().to_string(),
        ];
        let mut wrk = start_on(core, &self.wrk, args.to_vec(), &log)?;
        let limit = span + Duration::from_secs(20);
        until(limit, "wrk ends", || wrk.ended().transpose()).await??;
        let text = wrk.log();
        let json = text.lines().rev().find(|line| line.starts_with('{'));
        let json = json.with_context(|| format!("wrk has no figures: {text}"))?;
        let seen: Seen = serde_json::from_str(json).context("read wrk's figures")?;
        ensure!(
            seen.n_errors == 0 && seen.n_requests > 0.0,
            "wrk saw errors: {text}"
        );
        Ok(seen)
    }
}
