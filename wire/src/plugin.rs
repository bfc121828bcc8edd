//! The filter's configuration: JSON in Envoy's plugin configuration, checked whole before any of it
//! is used.

use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::v1;

/// What the filter is told by its plugin configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginConfig {
    /// Where routes and readiness come from.
    pub control_plane: Upstream,
    /// Where demand is reported to.
    pub scaler: Upstream,
    /// What of the control plane's table this Envoy serves; nothing is everything.
    #[serde(default)]
    pub scope: Scope,
    /// How often deadlines, reports and silence are looked at, in milliseconds.
    #[serde(default = "default_tick_ms")]
    pub tick_ms: u64,
    /// Held requests in one worker, all routes together.
    #[serde(default = "default_max_held")]
    pub max_held: u32,
    /// How Envoy's own view of a backend is asked.
    #[serde(default)]
    pub probe: Probe,
    /// What the filter adds to responses of requests that it held.
    #[serde(default)]
    pub headers: Headers,
}

/// A gRPC server, by the name of its cluster in Envoy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The cluster. It must speak HTTP/2.
    pub cluster: String,
}

/// What of the table is wanted. Each part narrows it; an empty part does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Namespaces of the objects that routes come from.
    pub namespaces: Vec<String>,
    /// `namespace/name` of one Gateway.
    pub gateway: String,
    /// One ingress class.
    pub ingress_class: String,
}

/// How Envoy's own view of a backend is asked before its requests are released.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Probe {
    /// Off, the control plane's word alone releases.
    pub enabled: bool,
    /// The method of the request that is sent.
    pub method: String,
    /// The path of the request that is sent.
    pub path: String,
}

/// Response headers of requests that were held.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Headers {
    /// Says `true` on them; empty is no such header.
    pub cold_start: String,
    /// Whether `server-timing: wakegate;dur=<held ms>` is added.
    pub server_timing: bool,
}

/// A configuration that is refused. The text names the field.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Not the JSON that is wanted.
    #[error("{path}: {source}")]
    Json {
        /// The field, as `probe.path`; `.` is the whole.
        path: String,
        /// What is wrong there.
        source: serde_json::Error,
    },
    /// A value that cannot be used.
    #[error("{path}: {value:?} {reason}")]
    Value {
        /// The field.
        path: &'static str,
        /// What it says.
        value: String,
        /// Why that cannot be.
        reason: &'static str,
    },
}

/// Ticks are for deadlines and silence, both of seconds; while there is a backlog the filter ticks each
/// millisecond by itself.
fn default_tick_ms() -> u64 {
    100
}

/// As design §9 has it: 20,000 held HTTP/2 streams cost Envoy about 240 MB.
fn default_max_held() -> u32 {
    20_000
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            enabled: true,
            method: "HEAD".to_owned(),
            path: "/".to_owned(),
        }
    }
}

impl Default for Headers {
    fn default() -> Self {
        Self {
            cold_start: "x-wakegate-cold-start".to_owned(),
            server_timing: true,
        }
    }
}

impl PluginConfig {
    /// Reads and checks `json`.
    ///
    /// # Errors
    /// The field that is wrong and why.
    ///
    /// ```
    /// # use wakegate_wire::PluginConfig;
    /// let error = PluginConfig::parse(br#"{"control_plane": {"cluster": 1}}"#).unwrap_err();
    /// assert!(error.to_string().starts_with("control_plane.cluster: invalid type"));
    /// ```
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let json = &mut serde_json::Deserializer::from_slice(json);
        let config: Self = serde_path_to_error::deserialize(json).map_err(|error| {
            let path = error.path().to_string();
            ConfigError::Json {
                path,
                source: error.into_inner(),
            }
        })?;
        config.check()?;
        Ok(config)
    }

    /// How often the filter looks after itself when nothing happens.
    pub fn tick(&self) -> Duration {
        Duration::from_millis(self.tick_ms)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |is_wrong: bool, path, value: &dyn ToString, reason| {
            let value = value.to_string();
            let error = ConfigError::Value {
                path,
                value,
                reason,
            };
            if is_wrong { Err(error) } else { Ok(()) }
        };
        let Upstream { cluster } = &self.control_plane;
        refuse(
            cluster.is_empty(),
            "control_plane.cluster",
            cluster,
            "is no cluster's name",
        )?;
        let Upstream { cluster } = &self.scaler;
        refuse(
            cluster.is_empty(),
            "scaler.cluster",
            cluster,
            "is no cluster's name",
        )?;
        let is_tick = (1..=1_000).contains(&self.tick_ms);
        refuse(!is_tick, "tick_ms", &self.tick_ms, "is not 1 to 1000")?;
        refuse(
            self.max_held == 0,
            "max_held",
            &self.max_held,
            "would hold nothing",
        )?;
        let Probe { method, path, .. } = &self.probe;
        let is_safe = ["HEAD", "GET", "OPTIONS"].contains(&method.as_str());
        refuse(
            !is_safe,
            "probe.method",
            method,
            "is not HEAD, GET or OPTIONS",
        )?;
        let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
        refuse(
            !is_path,
            "probe.path",
            path,
            "is no path of printable ASCII",
        )?;
        let header = &self.headers.cold_start;
        let is_name = header
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        refuse(
            !is_name,
            "headers.cold_start",
            header,
            "is no lower-case header name",
        )
    }
}

impl From<&Scope> for v1::Scope {
    fn from(scope: &Scope) -> Self {
        let Scope {
            namespaces,
            gateway,
            ingress_class,
        } = scope.clone();
        Self {
            namespaces,
            gateway,
            ingress_class,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(more: &str, says: Result<(), &str>) {
        let json = format!(
            r#"{{"control_plane": {{"cluster": "c"}}, "scaler": {{"cluster": "s"}} {more}}}"#
        );
        let parsed = PluginConfig::parse(json.as_bytes());
        match (&parsed, says) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(says)) if error.to_string().starts_with(says) => {}
            _ => panic!("{more}: {parsed:?}"),
        }
    }

    #[test]
    fn an_error_names_the_field_and_the_reason() {
        check("", Ok(()));
        check(r#", "tick_ms": 0"#, Err(r#"tick_ms: "0" is not 1 to 1000"#));
        check(
            r#", "tik_ms": 9"#,
            Err("tik_ms: unknown field `tik_ms`, expected one of"),
        );
        check(
            r#", "probe": {"enabled": "no"}"#,
            Err("probe.enabled: invalid type: string"),
        );
        check(
            r#", "probe": {"path": "x"}"#,
            Err(r#"probe.path: "x" is no path"#),
        );
        check(
            r#", "probe": {"method": "POST"}"#,
            Err(r#"probe.method: "POST""#),
        );
        check(
            r#", "max_held": 0"#,
            Err(r#"max_held: "0" would hold nothing"#),
        );
        check(
            r#", "headers": {"cold_start": "X Y"}"#,
            Err("headers.cold_start"),
        );
        let error = PluginConfig::parse(br#"{"scaler": {"cluster": "s"}}"#).unwrap_err();
        assert!(
            error.to_string().contains("missing field `control_plane`"),
            "{error}"
        );
        let error = PluginConfig::parse(b"").unwrap_err();
        assert!(error.to_string().contains("EOF"), "{error}");
    }
}
