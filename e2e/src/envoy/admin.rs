//! Envoy's admin endpoint, and the Prometheus text that any of the programs serves.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::client::{Answer, Version, fetch, get};

/// Envoy's admin endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Admin {
    address: SocketAddr,
}

/// Prometheus samples: the name with its labels, and the value.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    values: BTreeMap<String, f64>,
}

impl Admin {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn is_live(&self) -> bool {
        self.ask("/ready")
            .await
            .is_ok_and(|answer| answer.status == 200)
    }

    /// Where the one listener is, once it is bound.
    pub(super) async fn listener(&self) -> Option<SocketAddr> {
        let listeners = self.ask("/listeners?format=json").await.ok()?.json().ok()?;
        let socket = listeners.pointer("/listener_statuses/0/local_address/socket_address")?;
        let address = socket.get("address")?.as_str()?.parse().ok()?;
        let port = u16::try_from(socket.get("port_value")?.as_u64()?).ok()?;
        Some(SocketAddr::new(address, port))
    }

    /// How many healthy hosts a cluster has, as Envoy's workers see it.
    pub async fn n_healthy(&self, cluster: &str) -> Result<u64> {
        let name = format!("cluster.{cluster}.membership_healthy");
        let stats = self.ask("/stats?format=json&type=Gauges").await?.json()?;
        let stats = stats
            .get("stats")
            .and_then(Value::as_array)
            .context("a list of stats")?;
        let mut found = stats
            .iter()
            .filter(|stat| stat.get("name").is_some_and(|n| *n == name));
        let value = found
            .next()
            .and_then(|stat| stat.get("value"))
            .and_then(Value::as_u64);
        value.with_context(|| format!("Envoy has no {name}"))
    }

    /// All statistics.
    pub async fn samples(&self) -> Result<Samples> {
        samples(self.address, "/stats/prometheus").await
    }

    async fn ask(&self, path: &str) -> Result<Answer> {
        ask(self.address, path).await
    }
}

impl Samples {
    /// The sum over all samples of that name, whatever their labels; 0 when there is none.
    pub fn sum(&self, name: &str) -> f64 {
        let of_that_name = self.values.iter().filter(|(sample, _)| {
            sample
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
        });
        of_that_name.map(|(_, value)| value).sum()
    }

    /// All samples whose name starts with `prefix`, for a message.
    pub fn starting_with(&self, prefix: &str) -> String {
        let found = self
            .values
            .iter()
            .filter(|(sample, _)| sample.starts_with(prefix));
        found
            .map(|(sample, value)| format!("{sample} {value}"))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Reads Prometheus text from `path`.
pub async fn samples(address: SocketAddr, path: &str) -> Result<Samples> {
    let text = ask(address, path).await?.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let values = lines.filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    });
    Ok(Samples {
        values: values.collect(),
    })
}

async fn ask(address: SocketAddr, path: &str) -> Result<Answer> {
    let answer = fetch(
        Version::H1,
        address,
        get(&format!("http://localhost{path}"))?,
    )
    .await?;
    ensure!(
        answer.status < 500,
        "{path} is answered with {}",
        answer.status
    );
    Ok(answer)
}
