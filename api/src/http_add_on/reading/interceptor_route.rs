//! InterceptorRoute -> [`Reading`].

use std::{num::NonZeroU32, time::Duration};

use super::{
    ColdStart, ColdStartOverflow, Metrics, NO_FALLBACK, NO_RESPONSE_HEADER, NotInForce, ReadError,
    Reading, Requests, Response, ServicePort, StaticAnswer, Timeout, Timeouts,
    error::{Problem, at, within},
};
use crate::http_add_on::{
    ColdStartSpec, InterceptorRouteSpec, InterceptorRouteTimeouts, SessionPersistence,
    cold_start::OVERFLOWS,
};

/// A placeholder's status where nobody says.
const PLACEHOLDER_STATUS: u16 = 503;

/// How long the add-on holds a request that has a fallback, and no other end to the wait.
const FALLBACK_AFTER: Duration = Duration::from_secs(30);

/// The longest name that a session's cookie may have.
const MAX_COOKIE_NAME: usize = 256;

const NO_SESSIONS: &str = "Envoy chooses the endpoint of each request: set session persistence on the route in the \
                           gateway";

impl InterceptorRouteSpec {
    /// What it asks for.
    ///
    /// # Errors
    /// The first field that the API server would refuse, or that nobody could act on.
    pub fn read(&self) -> Result<Reading, ReadError> {
        let Self {
            target,
            cold_start,
            timeouts,
            rules,
            scaling_metric,
            static_routes,
            session_persistence,
        } = self;
        let mut notes = Vec::new();
        let target = ServicePort::of_target("spec.target", target)?;
        let requests = Requests::read_all("spec.rules", rules, &mut notes)?;
        let metrics = Metrics::read("spec.scalingMetric", scaling_metric)?;
        let cold_start = cold_start.as_ref();
        let cold_start = cold_start.map_or_else(|| Ok(ColdStart::default()), read_cold_start)?;
        if cold_start.fallback.is_some() {
            notes.push(NotInForce::new("spec.coldStart.fallback", NO_FALLBACK));
        }
        let mut timeouts = timeouts
            .as_ref()
            .map_or_else(|| Ok(Timeouts::default()), read_timeouts)?;
        if timeouts.response_header.is_some() {
            let field = "spec.timeouts.responseHeader";
            notes.push(NotInForce::new(field, NO_RESPONSE_HEADER));
        }
        if cold_start.fallback.is_some() && timeouts.readiness == Some(Timeout::Off) {
            timeouts.readiness = Some(Timeout::After(FALLBACK_AFTER));
        }
        let static_answers =
            StaticAnswer::read_all("spec.staticRoutes", static_routes, &mut notes)?;
        if let Some(sessions) = session_persistence {
            check_sessions(sessions)?;
            notes.push(NotInForce::new("spec.sessionPersistence", NO_SESSIONS));
        }
        Ok(Reading {
            target,
            requests,
            metrics,
            cold_start,
            timeouts,
            static_answers,
            scaling: None,
            not_in_force: notes,
        })
    }
}

fn read_cold_start(spec: &ColdStartSpec) -> Result<ColdStart, ReadError> {
    const FIELD: &str = "spec.coldStart";
    let ColdStartSpec {
        fallback,
        placeholder,
        max_pending_requests,
        overflow,
    } = spec;
    if fallback.is_none() && placeholder.is_none() && max_pending_requests.is_none() {
        return Err(ReadError::new(FIELD, Problem::NothingSaid));
    }
    let overflow = match overflow.as_deref() {
        None | Some("Reject") => ColdStartOverflow::Reject,
        Some("Placeholder") => ColdStartOverflow::Placeholder,
        Some(other) => {
            let problem = Problem::Unknown {
                value: other.to_owned(),
                known: &OVERFLOWS,
            };
            return Err(ReadError::new(format_args!("{FIELD}.overflow"), problem));
        }
    };
    if overflow == ColdStartOverflow::Placeholder && placeholder.is_none() {
        let field = format_args!("{FIELD}.overflow");
        return Err(ReadError::new(field, Problem::NoPlaceholder));
    }
    let fallback = fallback.as_ref().map(|it| {
        let field = format!("{FIELD}.fallback.service");
        ServicePort::of_service(&field, &it.service)
    });
    let placeholder = placeholder.as_ref().map(|it| {
        let field = format!("{FIELD}.placeholder.response");
        Response::read(&field, &it.response, PLACEHOLDER_STATUS)
    });
    let max_pending = max_pending_requests.map(|most| {
        let field = format_args!("{FIELD}.maxPendingRequests");
        within(field, most.into(), 1..=i64::from(i32::MAX))
    });
    Ok(ColdStart {
        fallback: fallback.transpose()?,
        placeholder: placeholder.transpose()?,
        max_pending: max_pending.transpose()?.and_then(NonZeroU32::new),
        overflow,
    })
}

fn read_timeouts(timeouts: &InterceptorRouteTimeouts) -> Result<Timeouts, ReadError> {
    let InterceptorRouteTimeouts {
        readiness,
        request,
        response_header,
    } = timeouts;
    let response_header = response_header.as_ref();
    Ok(Timeouts {
        readiness: Timeout::read("spec.timeouts.readiness", readiness.as_ref())?,
        request: Timeout::read("spec.timeouts.request", request.as_ref())?,
        response_header: Timeout::read("spec.timeouts.responseHeader", response_header)?,
    })
}

/// Not in force, and no excuse for what the API server would refuse.
fn check_sessions(sessions: &SessionPersistence) -> Result<(), ReadError> {
    const FIELD: &str = "spec.sessionPersistence";
    let SessionPersistence {
        r#type,
        absolute_timeout,
        cookie,
    } = sessions;
    if r#type != "Cookie" {
        let problem = Problem::Unknown {
            value: r#type.clone(),
            known: &["Cookie"],
        };
        return Err(ReadError::new(format_args!("{FIELD}.type"), problem));
    }
    if let Some(timeout) = absolute_timeout {
        let field = format_args!("{FIELD}.absoluteTimeout");
        if at(field, timeout.parse())? < Duration::from_secs(1) {
            return Err(ReadError::new(field, Problem::BelowASecond));
        }
    }
    let Some(cookie) = cookie else {
        return Ok(());
    };
    let name = cookie.name.as_ref().ok_or_else(|| {
        let field = format_args!("{FIELD}.cookie.name");
        ReadError::new(field, Problem::Empty)
    })?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !(1..=MAX_COOKIE_NAME).contains(&name.len()) || !name.bytes().all(is_token) {
        let name = name.clone();
        let field = format_args!("{FIELD}.cookie.name");
        return Err(ReadError::new(field, Problem::CookieName { name }));
    }
    Ok(())
}
