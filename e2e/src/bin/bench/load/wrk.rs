//! wrk: one request after the other on each of its connections, for all hosts in turns.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::{HEADERS, Load, Method, N_CONNECTIONS, Seen, TARGET};

/// Makes the requests once, takes them in turns, and prints JSON at its end.
const SCRIPT: &str = r#"
local requests, last = {}, 0
local headers = HEADERS
function init(args)
  local body
  if args[1] == "POST" then body = io.open(args[3], "rb"):read("*a") end
  for host in io.lines(args[2]) do
    -- With this spelling, or wrk adds one of its own.
    headers["Host"] = host
    requests[#requests + 1] = wrk.format(args[1], "TARGET", headers, body)
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

#[derive(Debug, Deserialize)]
struct Report {
    n_requests: f64,
    micros: f64,
    n_errors: u64,
}

impl Load {
    pub(super) fn write_for_wrk(&self) -> Result<()> {
        let mut headers = String::from("{");
        for (name, value) in HEADERS {
            write!(headers, "[{name:?}] = {value:?}, ").context("write into a string")?;
        }
        headers.push('}');
        let script = SCRIPT
            .replace("HEADERS", &headers)
            .replace("TARGET", TARGET);
        fs::write(self.file("wrk.lua"), script).context("write wrk's script")?;
        fs::write(self.file("hosts"), self.hosts.join("\n")).context("write the hosts")
    }

    pub(super) async fn run_wrk(
        &self,
        method: Method,
        address: SocketAddr,
        span: Duration,
    ) -> Result<Seen> {
        let method = match method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        let args = [
            "--threads=1".to_owned(),
            format!("--connections={N_CONNECTIONS}"),
            format!("--duration={}s", span.as_secs().max(1)),
            format!("--script={}", self.file("wrk.lua").display()),
            format!("http://{address}/"),
            "--".to_owned(),
            method.to_owned(),
            self.file("hosts").display().to_string(),
            self.file("body").display().to_string(),
        ];
        seen(&self.run(&self.wrk, args.to_vec(), span).await?)
    }
}

/// What wrk printed, as figures.
fn seen(text: &str) -> Result<Seen> {
    let json = text.lines().rev().find(|line| line.starts_with('{'));
    let json = json.with_context(|| format!("wrk has no figures: {text}"))?;
    let report: Report = serde_json::from_str(json).context("read wrk's figures")?;
    ensure!(
        report.n_errors == 0 && report.n_requests > 0.0,
        "wrk saw errors: {text}"
    );
    Ok(Seen {
        n_requests: report.n_requests,
        per_second: report.n_requests / (report.micros / 1e6),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_the_last_line_in_braces() {
        let text = "Running 2s test\n  1 threads\n\n{\"n_requests\": 3000, \"micros\": 2000000, \"n_errors\": 0}\n";
        let seen = seen(text).unwrap();
        assert_eq!((seen.n_requests, seen.per_second), (3_000.0, 1_500.0));
    }

    #[test]
    fn errors_and_silence_are_errors() {
        assert!(seen(r#"{"n_requests": 3000, "micros": 2000000, "n_errors": 1}"#).is_err());
        assert!(seen(r#"{"n_requests": 0, "micros": 2000000, "n_errors": 0}"#).is_err());
        assert!(seen("unable to connect").is_err());
    }
}
