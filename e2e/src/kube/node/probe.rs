//! Asks the process of a container how it is, as a kubelet does.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ::http::{HeaderName, HeaderValue, header::USER_AGENT};
use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Probe as Spec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::net::TcpStream;
use tokio::time::{self, Instant};

use crate::client::{self, H1};

/// What the rules about user agents know a kubelet by.
const KUBELET: HeaderValue = HeaderValue::from_static("kube-probe/1.36");

/// A process that has just begun to listen is found soon: a real kubelet would come back after a period.
const EAGER_PERIOD: Duration = Duration::from_millis(50);

/// Whether a container is well, in one way, as it turns out.
#[derive(Debug)]
pub(super) struct Probe {
    check: Check,
    period: Duration,
    timeout: Duration,
    thresholds: Thresholds,
    next: Instant,
    was_ready_once: bool,
}

#[derive(Debug)]
enum Check {
    Connect(SocketAddr),
    Get {
        address: SocketAddr,
        path: String,
        headers: Vec<(String, String)>,
    },
}

/// How often in a row it must succeed or fail before that counts.
#[derive(Debug)]
struct Thresholds {
    success: u32,
    failure: u32,
    n_same: u32,
    last: bool,
    is_well: bool,
}

impl Probe {
    /// One of a container's, if it is of a kind that is played here; what it says as long as nothing was asked.
    pub(super) fn new(
        spec: &Spec,
        container: &Container,
        address: Ipv4Addr,
        is_well: bool,
    ) -> Option<Self> {
        let port =
            |port: &IntOrString| Some(SocketAddr::new(address.into(), number(container, port)?));
        let check = match (&spec.http_get, &spec.tcp_socket) {
            (Some(get), _) => check_get(get, port(&get.port)?),
            (None, Some(socket)) => Check::Connect(port(&socket.port)?),
            (None, None) => return None,
        };
        let seconds = |value: Option<i32>, default| {
            let value = value.and_then(|value| u64::try_from(value).ok());
            Duration::from_secs(value.unwrap_or(default))
        };
        Some(Self {
            check,
            period: seconds(spec.period_seconds, 10),
            timeout: seconds(spec.timeout_seconds, 1),
            thresholds: Thresholds::of(spec, is_well),
            next: Instant::now() + seconds(spec.initial_delay_seconds, 0),
            was_ready_once: false,
        })
    }

    /// Waits until the container is well, or is no more.
    ///
    /// # Cancel safety
    /// A check that was under way is made again.
    pub(super) async fn change(&mut self) -> bool {
        loop {
            time::sleep_until(self.next).await;
            let is_well = time::timeout(self.timeout, self.check.succeeds()).await;
            let period = if self.was_ready_once {
                self.period
            } else {
                EAGER_PERIOD.min(self.period)
            };
            self.next = Instant::now() + period;
            if let Some(is_ready) = self.thresholds.on(is_well.unwrap_or(false)) {
                self.was_ready_once = true;
                return is_ready;
            }
        }
    }
}

impl Check {
    async fn succeeds(&self) -> bool {
        match self {
            Self::Connect(address) => TcpStream::connect(address).await.is_ok(),
            Self::Get {
                address,
                path,
                headers,
            } => get(*address, path, headers).await.unwrap_or(false),
        }
    }
}

async fn get(
    address: SocketAddr,
    path: &str,
    headers: &[(String, String)],
) -> anyhow::Result<bool> {
    let mut request = client::get(&format!("http://{address}{path}"))?;
    request.headers_mut().insert(USER_AGENT, KUBELET);
    for (name, value) in headers {
        let name: HeaderName = name.parse()?;
        request.headers_mut().insert(name, value.parse()?);
    }
    let mut connection = H1::open(address).await?;
    let response = connection.send(request).await?;
    Ok((200..400).contains(&response.status().as_u16()))
}

impl Thresholds {
    fn of(spec: &Spec, is_well: bool) -> Self {
        let at_least_one = |value: Option<i32>, default| {
            let value = value.and_then(|value| u32::try_from(value).ok());
            value.unwrap_or(default).max(1)
        };
        Self {
            success: at_least_one(spec.success_threshold, 1),
            failure: at_least_one(spec.failure_threshold, 3),
            n_same: 0,
            last: is_well,
            is_well,
        }
    }

    /// Takes in a result; says when the container has become well, or is no more.
    fn on(&mut self, is_well: bool) -> Option<bool> {
        self.n_same = if is_well == self.last {
            self.n_same + 1
        } else {
            1
        };
        self.last = is_well;
        let enough = if is_well { self.success } else { self.failure };
        if self.n_same < enough || self.is_well == is_well {
            return None;
        }
        self.is_well = is_well;
        Some(is_well)
    }
}

fn check_get(get: &HTTPGetAction, address: SocketAddr) -> Check {
    let host = get
        .host
        .as_ref()
        .and_then(|host| host.parse::<IpAddr>().ok());
    let headers = get.http_headers.iter().flatten();
    let headers = headers.map(|header| (header.name.clone(), header.value.clone()));
    Check::Get {
        address: host.map_or(address, |host| SocketAddr::new(host, address.port())),
        path: get.path.clone().unwrap_or_else(|| "/".to_owned()),
        headers: headers.collect(),
    }
}

fn number(container: &Container, port: &IntOrString) -> Option<u16> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            let port = ports.find(|port| port.name.as_ref() == Some(name))?;
            port.container_port
        }
    };
    u16::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_takes_as_many_results_in_a_row_as_the_spec_says() {
        let spec = Spec {
            success_threshold: Some(2),
            failure_threshold: Some(3),
            ..Spec::default()
        };
        let mut thresholds = Thresholds::of(&spec, false);
        let results = [
            true, false, true, true, true, false, false, true, false, false, false,
        ];
        let changes = results.map(|is_well| thresholds.on(is_well));
        let mut expected = [None; 11];
        expected[3] = Some(true);
        expected[10] = Some(false);
        assert_eq!(changes, expected);
    }
}
