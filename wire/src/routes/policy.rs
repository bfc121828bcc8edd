//! A policy, both ways.

use std::time::Duration;

use wakegate_core::{ColdStartHeader, NoWake, NoWakeMatch, Policy};

use super::{
    route::header_match,
    static_answer::{placeholder, static_routes},
};
use crate::{DecodeError, v1};

impl From<&Policy> for v1::Policy {
    fn from(policy: &Policy) -> Self {
        Self {
            hold_timeout_ms: millis(policy.hold_timeout),
            max_held: policy.max_held,
            overflow_status: u32::from(policy.overflow_status),
            no_wake: policy.no_wake.iter().map(v1::NoWake::from).collect(),
            keda_http_header: policy.cold_start_header == ColdStartHeader::KedaHttp,
            waiting_page: policy.waiting_page,
            request_timeout_ms: policy.request_timeout.map(millis),
            placeholder: policy.placeholder.as_ref().map(v1::Placeholder::from),
            static_routes: policy
                .static_routes
                .iter()
                .map(v1::StaticRoute::from)
                .collect(),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn to_policy(of: &str, policy: v1::Policy) -> Result<Policy, DecodeError> {
    let no_wake = policy.no_wake.into_iter().map(|rule| no_wake(of, rule));
    Ok(Policy {
        hold_timeout: Duration::from_millis(policy.hold_timeout_ms),
        max_held: policy.max_held,
        overflow_status: status(of, "policy.overflow_status", policy.overflow_status, 503)?,
        no_wake: no_wake.collect::<Result<_, _>>()?,
        cold_start_header: if policy.keda_http_header {
            ColdStartHeader::KedaHttp
        } else {
            ColdStartHeader::Wakegate
        },
        waiting_page: policy.waiting_page,
        request_timeout: policy.request_timeout_ms.map(Duration::from_millis),
        placeholder: policy
            .placeholder
            .map(|it| placeholder(of, it))
            .transpose()?,
        static_routes: static_routes(of, policy.static_routes)?,
    })
}

/// A status that Envoy can send: it refuses a local reply with anything else.
fn status(of: &str, field: &'static str, status: u32, default: u16) -> Result<u16, DecodeError> {
    match u16::try_from(status) {
        Ok(0) => Ok(default),
        Ok(status @ 200..=599) => Ok(status),
        Ok(_) | Err(_) => Err(DecodeError::Value {
            of: of.to_owned(),
            field,
            value: status.to_string(),
            expected: "a status is 200 to 599",
        }),
    }
}

impl From<&NoWake> for v1::NoWake {
    fn from(rule: &NoWake) -> Self {
        let what = match &rule.what {
            NoWakeMatch::UserAgentPrefix(agent) => {
                v1::no_wake::What::UserAgentPrefix(agent.clone())
            }
            NoWakeMatch::PathPrefix(path) => v1::no_wake::What::PathPrefix(path.clone()),
            NoWakeMatch::Method(method) => v1::no_wake::What::Method(method.clone()),
            NoWakeMatch::Header(header) => v1::no_wake::What::Header(header.into()),
        };
        Self {
            what: Some(what),
            status: u32::from(rule.status),
        }
    }
}

fn no_wake(of: &str, rule: v1::NoWake) -> Result<NoWake, DecodeError> {
    let what = match rule.what {
        Some(v1::no_wake::What::UserAgentPrefix(agent)) => NoWakeMatch::UserAgentPrefix(agent),
        Some(v1::no_wake::What::PathPrefix(path)) => NoWakeMatch::PathPrefix(path),
        Some(v1::no_wake::What::Method(method)) => NoWakeMatch::Method(method),
        Some(v1::no_wake::What::Header(header)) => NoWakeMatch::Header(header_match(of, header)?),
        None => return Err(DecodeError::missing(of, "policy.no_wake.what")),
    };
    Ok(NoWake {
        what,
        status: status(of, "policy.no_wake.status", rule.status, 200)?,
    })
}
