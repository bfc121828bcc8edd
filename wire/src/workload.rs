//! Workloads, both ways.

use std::time::Duration;

use wakegate_core::{Alias, Key, Targets, Workload};

use crate::{DecodeError, routes::name, v1};

/// Names and keys of one workload. Each of its Services and routes has one or two.
const MAX_NAMES: usize = 10_000;

impl From<&Workload> for v1::Workload {
    fn from(workload: &Workload) -> Self {
        let Workload {
            id,
            namespace,
            keys,
            aliases,
            targets,
            ready_endpoints,
            replicas,
        } = workload;
        Self {
            id: id.clone(),
            namespace: namespace.clone(),
            keys: keys.iter().map(|key| key.as_str().to_owned()).collect(),
            aliases: aliases.iter().map(v1::Alias::from).collect(),
            targets: Some(targets.into()),
            ready_endpoints: *ready_endpoints,
            replicas: *replicas,
        }
    }
}

impl TryFrom<v1::Workload> for Workload {
    type Error = DecodeError;

    fn try_from(workload: v1::Workload) -> Result<Self, DecodeError> {
        let id = name("workload", "id", &workload.id)?.to_owned();
        let of = || format!("workload {id}");
        for (field, n) in [
            ("keys", workload.keys.len()),
            ("aliases", workload.aliases.len()),
        ] {
            if n > MAX_NAMES {
                let value = format!("{n} long");
                return Err(DecodeError::Value {
                    of: of(),
                    field,
                    value,
                    expected: "at most 10000 are allowed",
                });
            }
        }
        let keys = workload
            .keys
            .iter()
            .map(|key| Ok(Key::from(name(&of(), "keys", key)?)));
        let aliases = workload.aliases.iter().map(|alias| {
            Ok(Alias {
                kind: name(&of(), "aliases.kind", &alias.kind)?.to_owned(),
                name: name(&of(), "aliases.name", &alias.name)?.to_owned(),
            })
        });
        Ok(Self {
            namespace: name(&of(), "namespace", &workload.namespace)?.to_owned(),
            keys: keys.collect::<Result<_, DecodeError>>()?,
            aliases: aliases.collect::<Result<_, DecodeError>>()?,
            targets: targets(&of(), workload.targets.unwrap_or_default())?,
            ready_endpoints: workload.ready_endpoints,
            replicas: workload.replicas,
            id,
        })
    }
}

impl From<&Alias> for v1::Alias {
    fn from(alias: &Alias) -> Self {
        Self {
            kind: alias.kind.clone(),
            name: alias.name.clone(),
        }
    }
}

impl From<&Targets> for v1::Targets {
    fn from(targets: &Targets) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let Targets {
            concurrency,
            rate,
            rate_window,
            rate_granularity,
        } = targets;
        Self {
            concurrency: concurrency.unwrap_or_default(),
            rate: rate.unwrap_or_default(),
            rate_window_ms: millis(*rate_window),
            rate_granularity_ms: millis(*rate_granularity),
        }
    }
}

fn targets(of: &str, targets: v1::Targets) -> Result<Targets, DecodeError> {
    let v1::Targets {
        concurrency,
        rate,
        rate_window_ms,
        rate_granularity_ms,
    } = targets;
    let default = Targets::default();
    let time = |ms, or| {
        if ms == 0 {
            or
        } else {
            Duration::from_millis(ms)
        }
    };
    Ok(Targets {
        concurrency: target(of, "targets.concurrency", concurrency)?,
        rate: target(of, "targets.rate", rate)?,
        rate_window: time(rate_window_ms, default.rate_window),
        rate_granularity: time(rate_granularity_ms, default.rate_granularity),
    })
}

fn target(of: &str, field: &'static str, value: f64) -> Result<Option<f64>, DecodeError> {
    if value.is_finite() && value >= 0.0 {
        return Ok((value > 0.0).then_some(value));
    }
    let (of, value) = (of.to_owned(), value.to_string());
    Err(DecodeError::Value {
        of,
        field,
        value,
        expected: "not a number above zero",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload() -> Workload {
        Workload {
            id: "shop/Deployment/web".to_owned(),
            namespace: "shop".to_owned(),
            keys: vec![
                Key::service("shop", "web"),
                Key::service("shop", "web-grpc"),
            ],
            aliases: vec![Alias {
                kind: "service".to_owned(),
                name: "web".to_owned(),
            }],
            targets: Targets {
                rate: Some(2.5),
                ..Targets::default()
            },
            ready_endpoints: 3,
            replicas: Some(0),
        }
    }

    #[track_caller]
    fn refuses(spoil: impl Fn(&mut v1::Workload), expected: &str) {
        let mut message = v1::Workload::from(&workload());
        spoil(&mut message);
        assert_eq!(
            Workload::try_from(message).unwrap_err().to_string(),
            expected
        );
    }

    #[test]
    fn a_workload_comes_back_as_it_was_sent() {
        let there = v1::Workload::from(&workload());
        assert_eq!(Workload::try_from(there).unwrap(), workload());
    }

    #[test]
    fn zeros_stand_for_defaults() {
        let there = v1::Workload {
            targets: None,
            ..v1::Workload::from(&workload())
        };
        assert_eq!(
            Workload::try_from(there).unwrap().targets,
            Targets::default()
        );
    }

    #[test]
    fn a_wrong_workload_is_refused_by_name_and_field() {
        refuses(|workload| workload.id.clear(), "workload: id is missing");
        let of = "workload shop/Deployment/web";
        refuses(
            |workload| workload.keys[0].clear(),
            &format!("{of}: keys is missing"),
        );
        refuses(
            |workload| workload.namespace.clear(),
            &format!("{of}: namespace is missing"),
        );
        let targets = v1::Targets {
            rate: f64::NAN,
            ..v1::Targets::default()
        };
        refuses(
            |workload| workload.targets = Some(targets),
            &format!("{of}: targets.rate is NaN, not a number above zero"),
        );
    }
}
