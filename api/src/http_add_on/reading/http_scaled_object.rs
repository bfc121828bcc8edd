//! HTTPScaledObject -> [`Reading`].

use std::{num::NonZeroU32, time::Duration};

use super::{
    ColdStart, Metrics, NO_FALLBACK, NO_RESPONSE_HEADER, NotInForce, ReadError, Reading, Requests,
    Scaling, ServicePort, Timeout, Timeouts,
    error::{Problem, not_empty, within},
    requests::Parts,
};
use crate::{
    GoDuration, ScaleTarget,
    http_add_on::{
        ColdStartTimeoutFailoverRef, HttpScaledObjectSpec, HttpTimeouts, Replicas, ScaleTargetRef,
        http_scaled_object::DEFAULT_FAILOVER_SECS,
    },
};

/// KEDA's, where nobody says.
const DEFAULT_MIN: u32 = 0;
const DEFAULT_MAX: u32 = 100;
const DEFAULT_COOLDOWN: Duration = Duration::from_mins(5);
const DEFAULT_INITIAL_COOLDOWN: Duration = Duration::ZERO;

const MOST: i64 = i32::MAX as i64;

impl HttpScaledObjectSpec {
    /// What it asks for.
    ///
    /// # Errors
    /// The first field that the API server would refuse, or that nobody could act on.
    pub fn read(&self) -> Result<Reading, ReadError> {
        let Self {
            hosts,
            path_prefixes,
            headers,
            scale_target_ref,
            cold_start_timeout_failover_ref: failover,
            replicas,
            target_pending_requests,
            scaledown_period,
            initial_cooldown_period,
            scaling_metric,
            timeouts,
        } = self;
        let mut notes = Vec::new();
        let target = target(scale_target_ref)?;
        let parts = Parts {
            hosts,
            hosts_field: "spec.hosts".to_owned(),
            paths: path_prefixes.iter().map(String::as_str).collect(),
            headers,
            headers_field: "spec.headers".to_owned(),
        };
        let requests = Requests::read(&parts, &mut notes)?;
        let metric = scaling_metric.as_ref();
        let metrics = Metrics::read_http(metric, *target_pending_requests, &mut notes)?;
        let mut timeouts = read_timeouts(timeouts.as_ref(), &mut notes)?;
        let mut cold_start = ColdStart::default();
        if let Some(failover) = failover {
            cold_start.fallback = Some(fallback(failover)?);
            // Counts before the other, as long as it is any time at all.
            timeouts.readiness = failover_after(failover).or(timeouts.readiness);
            let field = "spec.coldStartTimeoutFailoverRef";
            notes.push(NotInForce::new(field, NO_FALLBACK));
        }
        let (min_replicas, max_replicas) = read_replicas(replicas.as_ref())?;
        let cooldown = secs("spec.scaledownPeriod", *scaledown_period)?;
        let initial = secs("spec.initialCooldownPeriod", *initial_cooldown_period)?;
        Ok(Reading {
            target,
            requests: requests.into_iter().collect(),
            metrics,
            cold_start,
            timeouts,
            static_answers: Vec::new(),
            scaling: Some(Scaling {
                workload: workload(scale_target_ref),
                min_replicas,
                max_replicas,
                cooldown: cooldown.unwrap_or(DEFAULT_COOLDOWN),
                initial_cooldown: initial.unwrap_or(DEFAULT_INITIAL_COOLDOWN),
            }),
            not_in_force: notes,
        })
    }
}

fn target(target: &ScaleTargetRef) -> Result<ServicePort, ReadError> {
    const FIELD: &str = "spec.scaleTargetRef";
    let service = not_empty(format_args!("{FIELD}.service"), &target.service)?;
    ServicePort::read(FIELD, service, (target.port, target.port_name.as_deref()))
}

fn fallback(failover: &ColdStartTimeoutFailoverRef) -> Result<ServicePort, ReadError> {
    const FIELD: &str = "spec.coldStartTimeoutFailoverRef";
    let ColdStartTimeoutFailoverRef {
        service,
        port,
        port_name,
        timeout_seconds: _,
    } = failover;
    let service = not_empty(format_args!("{FIELD}.service"), service)?;
    ServicePort::read(FIELD, service, (*port, port_name.as_deref()))
}

fn failover_after(failover: &ColdStartTimeoutFailoverRef) -> Option<Timeout> {
    let secs = failover.timeout_seconds.unwrap_or(DEFAULT_FAILOVER_SECS);
    let secs = u64::try_from(secs).ok().filter(|secs| *secs > 0)?;
    Some(Timeout::After(Duration::from_secs(secs)))
}

/// Of an HTTPScaledObject, zero and less are as good as nothing said.
fn read_timeouts(
    timeouts: Option<&HttpTimeouts>,
    notes: &mut Vec<NotInForce>,
) -> Result<Timeouts, ReadError> {
    let Some(HttpTimeouts {
        condition_wait,
        response_header,
    }) = timeouts
    else {
        return Ok(Timeouts::default());
    };
    let read = |field: &str, text: &Option<GoDuration>| {
        // Nothing is off here: only what is above zero counts.
        let timeout = Timeout::read(field, text.as_ref())?;
        Ok::<_, ReadError>(timeout.filter(|it| *it != Timeout::Off))
    };
    let readiness = read("spec.timeouts.conditionWait", condition_wait)?;
    let response_header = read("spec.timeouts.responseHeader", response_header)?;
    if response_header.is_some() {
        let field = "spec.timeouts.responseHeader";
        notes.push(NotInForce::new(field, NO_RESPONSE_HEADER));
    }
    Ok(Timeouts {
        readiness,
        request: None,
        response_header,
    })
}

fn workload(target: &ScaleTargetRef) -> Option<ScaleTarget> {
    let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    Some(ScaleTarget {
        name: said(&target.name)?,
        api_version: said(&target.api_version),
        kind: said(&target.kind).unwrap_or_else(|| "Deployment".to_owned()),
    })
}

/// The least and the most.
fn read_replicas(replicas: Option<&Replicas>) -> Result<(u32, NonZeroU32), ReadError> {
    const MIN: &str = "spec.replicas.min";
    let (min, max) = replicas.map_or((None, None), |it| (it.min, it.max));
    let min = min.map(|min| within(MIN, min.into(), 0..=MOST));
    let max = max.map(|max| within("spec.replicas.max", max.into(), 1..=MOST));
    let min = min.transpose()?.unwrap_or(DEFAULT_MIN);
    let max = max.transpose()?.unwrap_or(DEFAULT_MAX);
    if min > max {
        return Err(ReadError::new(MIN, Problem::MinAboveMax { min, max }));
    }
    // Within the bounds, so it is not zero.
    Ok((min, NonZeroU32::new(max).unwrap_or(NonZeroU32::MIN)))
}

fn secs(field: &str, secs: Option<i32>) -> Result<Option<Duration>, ReadError> {
    let secs = secs.map(|secs| within(field, secs.into(), 0..=MOST));
    Ok(secs.transpose()?.map(Duration::from_secs))
}
