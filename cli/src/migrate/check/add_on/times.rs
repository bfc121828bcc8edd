//! How long requests are held, how many, and how long they may take.

use std::time::Duration;

use wakegate_api::{GoDuration, HOLD_TIMEOUT, http_add_on::Timeout};

use crate::migrate::{
    check::settings::{Setting, Settings},
    objects::AddOn,
    rules::{
        Finding, Rule,
        objects::{
            HOLD_ENDS, HOLD_HOUR, HOLD_TOO_LONG, LONG_HOLD, PENDING_ENV, PENDING_PER_WORKER,
            READINESS_ENV, REQUEST_ENV,
        },
    },
};

/// Envoy's, where nobody says.
const STREAM_IDLE_TIMEOUT: Duration = Duration::from_mins(5);

const ON_ROUTE: &str =
    "set it on the route in the gateway, as in rules[].timeouts.request of an HTTPRoute";
const NEEDS_ROUTE: &str =
    "write an InterceptorRoute of the same name, which has the field, where fewer should be held";

/// As it is written in an object.
pub(super) fn text(timeout: Option<Timeout>) -> String {
    match timeout {
        None => String::new(),
        Some(Timeout::Off) => "0s".to_owned(),
        Some(Timeout::After(duration)) => GoDuration::from(duration).as_str().to_owned(),
    }
}

pub(super) fn check(settings: &Settings, object: &AddOn) -> Vec<Finding> {
    let mut findings = hold(settings, object);
    let is_route = object.is_route();
    if let (None, Some(setting)) = (object.reading.timeouts.request, &settings.request) {
        let way = if is_route {
            "set it to <value>"
        } else {
            ON_ROUTE
        };
        let field = if is_route {
            "spec.timeouts.request"
        } else {
            ""
        };
        findings.push(from_env(&REQUEST_ENV, field, setting, way));
    }
    let field = "spec.coldStart.maxPendingRequests";
    match (object.reading.cold_start.max_pending, &settings.max_pending) {
        (Some(most), _) => {
            let most = most.to_string();
            findings.push(PENDING_PER_WORKER.at(field, &[("value", &most)]));
        }
        (None, Some(setting)) => {
            let (field, way) = if is_route {
                (
                    field,
                    "set it to <value>, or less, because it counts for each worker",
                )
            } else {
                ("", NEEDS_ROUTE)
            };
            findings.push(from_env(&PENDING_ENV, field, setting, way));
        }
        (None, None) => {}
    }
    findings
}

fn hold(settings: &Settings, object: &AddOn) -> Vec<Finding> {
    let field = if object.is_route() {
        "spec.timeouts.readiness"
    } else {
        "spec.timeouts.conditionWait"
    };
    // A placeholder that answers at once leaves nobody waiting.
    if !object.reading.cold_start.holds() {
        return Vec::new();
    }
    let longest = *HOLD_TIMEOUT.end();
    let (finding, hold) = match object.reading.timeouts.readiness {
        None => match &settings.readiness {
            Some(setting) => {
                let finding = from_env(&READINESS_ENV, field, setting, "");
                (
                    Some(finding),
                    GoDuration::from(setting.value.as_str())
                        .parse()
                        .unwrap_or_default(),
                )
            }
            None => (Some(HOLD_ENDS.at(field, &[])), Duration::ZERO),
        },
        Some(Timeout::Off) => (Some(HOLD_HOUR.at(field, &[])), longest),
        Some(Timeout::After(hold)) if hold > longest => {
            let value = text(object.reading.timeouts.readiness);
            (Some(HOLD_TOO_LONG.at(field, &[("value", &value)])), longest)
        }
        Some(Timeout::After(hold)) => (None, hold),
    };
    let is_long = hold >= STREAM_IDLE_TIMEOUT;
    let hold = GoDuration::from(hold.min(longest));
    let long = is_long.then(|| LONG_HOLD.at(field, &[("hold", hold.as_str())]));
    finding.into_iter().chain(long).collect()
}

fn from_env(rule: &'static Rule, field: &str, setting: &Setting, way: &str) -> Finding {
    let Setting { env, value } = setting;
    let way = way.replace("<value>", value);
    rule.at(field, &[("env", env), ("value", value), ("way", &way)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_hold_is_the_one_that_the_rules_name() {
        assert_eq!(*HOLD_TIMEOUT.end(), Duration::from_hours(1));
        assert!(HOLD_HOUR.text.contains("1 h") && HOLD_TOO_LONG.text.contains("1 h"));
    }
}
