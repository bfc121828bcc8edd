//! oha: both protocols, at a fixed rate as well, with latency corrected for coordinated omission.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use wakegate_e2e::client::Version;

use super::{
    HEADERS, Kind, Latency, Load, Method, N_CONNECTIONS, N_H2_CONNECTIONS, N_OPEN_CONNECTIONS,
    Seen, TARGET,
};

/// What it says of a request that was under way when its time was up.
const CUT_SHORT: &str = "aborted due to deadline";

/// Its JSON, as far as it is used here. Times are in seconds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    summary: Summary,
    latency_percentiles: Percentiles,
    status_code_distribution: BTreeMap<String, u32>,
    error_distribution: BTreeMap<String, u32>,
}

#[derive(Debug, Deserialize)]
struct Summary {
    total: f64,
}

#[derive(Debug, Deserialize)]
struct Percentiles {
    p50: Option<f64>,
    p99: Option<f64>,
    #[serde(rename = "p99.9")]
    p999: Option<f64>,
}

impl Load {
    pub(super) fn write_for_oha(&self) -> Result<()> {
        let urls: Vec<_> = self
            .hosts
            .iter()
            .map(|host| format!("http://{host}{TARGET}"))
            .collect();
        fs::write(self.file("urls"), urls.join("\n")).context("write the URLs")
    }

    /// Without a rate as fast as possible.
    pub(super) async fn run_oha(
        &self,
        kind: Kind,
        address: SocketAddr,
        span: Duration,
        per_second: Option<f64>,
    ) -> Result<Report> {
        let mut args: Vec<String> = ["--no-tui", "--output-format=json", "--urls-from-file"]
            .map(str::to_owned)
            .to_vec();
        args.push(format!("-z{}ms", span.as_millis()));
        args.extend(n_requests(kind.version, per_second.is_some()));
        if let Some(per_second) = per_second {
            args.extend([
                format!("-q{per_second:.0}"),
                "--latency-correction".to_owned(),
                "--wait-ongoing-requests-after-deadline".to_owned(),
            ]);
        }
        if kind.version == Version::H2 {
            args.push("--http2".to_owned());
        }
        if kind.method == Method::Post {
            args.extend([
                "-mPOST".to_owned(),
                format!("-D{}", self.file("body").display()),
            ]);
        }
        args.extend(HEADERS.map(|(name, value)| format!("-H{name}: {value}")));
        // Names need no resolver: all lead to the one address.
        let here = format!("{}:{}", address.ip(), address.port());
        let hosts = self.hosts.iter();
        args.extend(hosts.map(|host| format!("--connect-to={host}:80:{here}")));
        args.push(self.file("urls").display().to_string());
        Report::read(&self.run(&self.oha, args, span).await?)
    }
}

/// Connections, and requests on each.
fn n_requests(version: Version, is_open: bool) -> Vec<String> {
    match (version, is_open) {
        (Version::H1, false) => vec![format!("-c{N_CONNECTIONS}")],
        (Version::H1, true) => vec![format!("-c{N_OPEN_CONNECTIONS}")],
        (Version::H2, is_open) => {
            let n = if is_open {
                N_OPEN_CONNECTIONS
            } else {
                N_CONNECTIONS
            };
            let each = n / N_H2_CONNECTIONS;
            vec![format!("-c{N_H2_CONNECTIONS}"), format!("-p{each}")]
        }
    }
}

impl Report {
    fn read(text: &str) -> Result<Self> {
        let start = text.find('{').context("oha prints JSON")?;
        let json = text.get(start..).context("oha prints JSON")?;
        serde_json::from_str(json).with_context(|| format!("read oha's JSON: {text}"))
    }

    /// An error when something was not answered with 200.
    fn n_answered(&self) -> Result<f64> {
        let errors = self
            .error_distribution
            .iter()
            .find(|(what, _)| *what != CUT_SHORT);
        ensure!(errors.is_none(), "oha saw errors: {errors:?}");
        let other = self
            .status_code_distribution
            .iter()
            .find(|(status, _)| *status != "200");
        ensure!(other.is_none(), "oha was answered with {other:?}");
        let n = self.status_code_distribution.get("200").copied();
        n.map(f64::from).context("oha was answered")
    }

    pub(super) fn seen(&self) -> Result<Seen> {
        let n_requests = self.n_answered()?;
        Ok(Seen {
            n_requests,
            per_second: n_requests / self.summary.total,
        })
    }

    pub(super) fn latency(&self) -> Result<Latency> {
        self.n_answered()?;
        let millis = |seconds: Option<f64>| seconds.map(|it| it * 1e3).context("oha has times");
        let Percentiles { p50, p99, p999 } = self.latency_percentiles;
        Ok(Latency {
            p50: millis(p50)?,
            p99: millis(p99)?,
            p999: millis(p999)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(statuses: &str, errors: &str) -> Report {
        let text = format!(
            r#"{{"summary": {{"successRate": 1.0, "total": 2.0}},
            "latencyPercentiles": {{"p50": 0.001, "p99": 0.002, "p99.9": 0.004}},
            "statusCodeDistribution": {statuses}, "errorDistribution": {errors}}}"#
        );
        Report::read(&text).unwrap()
    }

    #[test]
    fn answers_and_percentiles_are_read() {
        let report = report(r#"{"200": 3000}"#, r#"{"aborted due to deadline": 7}"#);
        let (seen, latency) = (report.seen().unwrap(), report.latency().unwrap());
        assert_eq!((seen.n_requests, seen.per_second), (3_000.0, 1_500.0));
        assert_eq!((latency.p50, latency.p99, latency.p999), (1.0, 2.0, 4.0));
    }

    #[test]
    fn other_answers_and_errors_are_errors() {
        assert!(report(r#"{"200": 3000, "503": 1}"#, "{}").seen().is_err());
        let refused = report(r#"{"200": 3000}"#, r#"{"connection refused": 1}"#);
        assert!(refused.seen().is_err());
        assert!(report("{}", "{}").latency().is_err());
    }

    #[test]
    fn the_same_number_is_under_way_over_both_protocols() {
        assert_eq!(n_requests(Version::H1, false), ["-c32"]);
        assert_eq!(n_requests(Version::H2, false), ["-c8", "-p4"]);
        assert_eq!(n_requests(Version::H2, true), ["-c8", "-p8"]);
    }
}
