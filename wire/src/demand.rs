//! Reports of workers, both ways.

use std::{sync::Arc, time::Duration};

use wakegate_core::{Instance, Key, KeyReport, Report};

use crate::{DecodeError, routes::name, v1};

impl From<&Instance> for v1::Instance {
    fn from(instance: &Instance) -> Self {
        Self {
            proxy: instance.proxy.as_ref().to_owned(),
            worker: instance.worker,
            boot_id: instance.boot_id,
            release: String::new(),
            protocol: 0,
        }
    }
}

impl TryFrom<v1::Instance> for Instance {
    type Error = DecodeError;

    fn try_from(instance: v1::Instance) -> Result<Self, DecodeError> {
        Ok(Self {
            proxy: Arc::from(name("instance", "proxy", &instance.proxy)?),
            worker: instance.worker,
            boot_id: instance.boot_id,
        })
    }
}

impl From<&Report> for v1::ReportRequest {
    fn from(report: &Report) -> Self {
        let Report {
            sequence,
            full,
            now,
            known_digest,
            known_keys,
            keys,
        } = report;
        let known_keys = known_keys.iter().flatten();
        Self {
            instance: None,
            sequence: *sequence,
            keys: keys.iter().map(v1::KeyReport::from).collect(),
            known_digest: *known_digest,
            known_keys: known_keys.map(|key| key.as_str().to_owned()).collect(),
            now_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            full: *full,
        }
    }
}

/// A report, and the instance that the first of a stream names.
///
/// # Errors
/// A name is missing or too long.
pub fn decode_report(
    request: v1::ReportRequest,
) -> Result<(Option<Instance>, Report), DecodeError> {
    let instance = request.instance.map(Instance::try_from).transpose()?;
    let known_keys = request.known_keys.iter();
    let known_keys = known_keys
        .map(|key| Ok(Key::from(name("report", "known_keys", key)?)))
        .collect::<Result<Vec<_>, DecodeError>>()?;
    let keys = request.keys.into_iter().map(KeyReport::try_from);
    let report = Report {
        sequence: request.sequence,
        full: request.full,
        now: Duration::from_millis(request.now_ms),
        known_digest: request.known_digest,
        // An empty list is no answer: a table without keys has the digest 0, which nobody asks about.
        known_keys: (!known_keys.is_empty()).then_some(known_keys),
        keys: keys.collect::<Result<_, _>>()?,
    };
    Ok((instance, report))
}

impl From<&KeyReport> for v1::KeyReport {
    fn from(report: &KeyReport) -> Self {
        let KeyReport {
            key,
            held,
            running,
            started,
            ended,
            shed,
            integral_ms,
        } = report;
        Self {
            key: key.as_str().to_owned(),
            held: *held,
            running: *running,
            started: *started,
            ended: *ended,
            shed: *shed,
            integral_ms: *integral_ms,
        }
    }
}

impl TryFrom<v1::KeyReport> for KeyReport {
    type Error = DecodeError;

    fn try_from(report: v1::KeyReport) -> Result<Self, DecodeError> {
        Ok(Self {
            key: Key::from(name("report", "keys.key", &report.key)?),
            held: report.held,
            running: report.running,
            started: report.started,
            ended: report.ended,
            shed: report.shed,
            integral_ms: report.integral_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_back_as_it_was_sent() {
        let report = Report {
            sequence: 7,
            full: true,
            now: Duration::from_millis(12),
            known_digest: Key::service("shop", "web").digest(),
            known_keys: Some(vec![Key::service("shop", "web")]),
            keys: vec![KeyReport {
                key: Key::service("shop", "web"),
                held: 1,
                running: 2,
                started: 9,
                ended: 6,
                shed: 1,
                integral_ms: 77,
            }],
        };
        let (instance, decoded) = decode_report(v1::ReportRequest::from(&report)).unwrap();
        assert_eq!((instance, decoded), (None, report));
    }

    #[test]
    fn a_report_without_a_name_is_refused() {
        let request = v1::ReportRequest {
            keys: vec![v1::KeyReport::default()],
            ..v1::ReportRequest::default()
        };
        let error = decode_report(request).unwrap_err();
        assert_eq!(error.to_string(), "report: keys.key is missing");
    }
}
