//! What an object of either kind asks for, in plain terms: defaults filled in, durations parsed, bounds held.
//!
//! The API server holds an object to its schema before anyone reads it. A file has nobody else, so the
//! schema's rules are checked here as well, and with them what the add-on's schema lets through and the
//! add-on then trips over. What is well-formed and cannot be in force is noted and left out.

mod error;
mod http_scaled_object;
mod interceptor_route;
mod metrics;
mod port;
mod requests;
mod response;
mod static_route;

use std::{num::NonZeroU32, time::Duration};

pub use self::error::{Problem, ReadError};
pub use self::metrics::{Metrics, RequestRate};
pub use self::port::{Port, ServicePort};
pub use self::requests::{Header, HostPattern, Requests};
pub use self::response::{Body, Response};
pub use self::static_route::{ResponseMode, StaticAnswer};

use crate::{GoDuration, GoDurationError, ScaleTarget};

/// What an object asks for, the same for both kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the requests go to.
    pub target: ServicePort,
    /// The requests: those that one of these means. An object without any routes nothing.
    pub requests: Vec<Requests>,
    /// What the target scales by.
    pub metrics: Metrics,
    /// What becomes of requests while no endpoint is ready.
    pub cold_start: ColdStart,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// Requests that scale nothing, each with its answer. The first that means a request counts.
    pub static_answers: Vec<StaticAnswer>,
    /// How the workload scales; an HTTPScaledObject alone says so.
    pub scaling: Option<Scaling>,
    /// What it asks for and does not get.
    pub not_in_force: Vec<NotInForce>,
}

/// What becomes of requests while no endpoint is ready. They are held where there is nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColdStart {
    /// What would get the requests that were held too long. It is never in force, and noted as such.
    pub fallback: Option<ServicePort>,
    /// The answer; [`ColdStart::holds`] says to which requests.
    pub placeholder: Option<Response>,
    /// The most requests that are held at once. In the add-on, for each interceptor.
    pub max_pending: Option<NonZeroU32>,
    /// What requests beyond get.
    pub overflow: ColdStartOverflow,
}

/// What requests get for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColdStartOverflow {
    /// A 503.
    #[default]
    Reject,
    /// The placeholder.
    Placeholder,
}

/// How long things may take. What is not said is for the settings of the whole installation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Until an endpoint is ready.
    pub readiness: Option<Timeout>,
    /// A request as a whole, the wait for an endpoint included.
    pub request: Option<Timeout>,
    /// From when a request is sent on until its answer's headers. It is never in force, and noted as such.
    pub response_header: Option<Timeout>,
}

/// How long one thing may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// As long as it takes: `0s`, or below.
    Off,
    /// So long; more than zero.
    After(Duration),
}

/// How the workload scales, with KEDA's defaults where the object does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scaling {
    /// The workload, where it has a name.
    pub workload: Option<ScaleTarget>,
    /// Replicas that always stay; 0 by default.
    pub min_replicas: u32,
    /// The most replicas, at least 1 and at least `min_replicas`; 100 by default.
    pub max_replicas: NonZeroU32,
    /// How long without demand before zero; 300 s by default.
    pub cooldown: Duration,
    /// How long after the ScaledObject was made before zero; none by default.
    pub initial_cooldown: Duration,
}

/// A part of an object that is well-formed and has no effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotInForce {
    /// Its path, such as `spec.coldStart.fallback`.
    pub field: String,
    /// Why it has none, and what to do instead.
    pub why: &'static str,
}

/// Nobody but Envoy's own configuration says where a request goes.
const NO_FALLBACK: &str = "the filter holds requests and does not choose their cluster: a request that is held \
                           too long is answered with a 504; give the route a second backend in Envoy instead";
/// The filter sees an answer's headers and has no clock on them.
const NO_RESPONSE_HEADER: &str = "once a request goes on, Envoy's own timeouts count: set the timeout of the route \
                                  there";

impl ColdStart {
    /// Whether requests are held, and the placeholder is for those that there is no room for. Else a
    /// placeholder answers every one of them at once.
    pub fn holds(&self) -> bool {
        let is_for_overflow =
            self.max_pending.is_some() && self.overflow == ColdStartOverflow::Placeholder;
        self.placeholder.is_none() || is_for_overflow
    }
}

impl Timeout {
    fn read(field: &str, text: Option<&GoDuration>) -> Result<Option<Self>, ReadError> {
        let read = |text: &GoDuration| match text.parse() {
            Ok(duration) if !duration.is_zero() => Ok(Self::After(duration)),
            // The add-on starts no timer for what is below zero either.
            Ok(_) | Err(GoDurationError::Negative) => Ok(Self::Off),
            Err(error) => Err(ReadError::new(field, error)),
        };
        text.map(read).transpose()
    }
}

impl NotInForce {
    fn new(field: impl Into<String>, why: &'static str) -> Self {
        Self {
            field: field.into(),
            why,
        }
    }
}
