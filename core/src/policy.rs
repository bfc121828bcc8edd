//! How a route holds: for how long, how many, what wakes nothing, and what is answered in place of it.

mod static_answer;
mod static_route;

use std::{sync::Arc, time::Duration};

use crate::HeaderMatch;

pub use self::static_answer::{Body, File, StaticAnswer, StaticAnswerError};
pub(crate) use self::static_route::is_segment_prefix;
pub use self::static_route::{RequestMatch, StaticRoute};

/// What belongs to a route beside its match and its backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The longest that one request is held.
    pub hold_timeout: Duration,
    /// Held requests of this route in one worker.
    pub max_held: u32,
    /// The status of an answer when there is no room to hold.
    pub overflow_status: u16,
    /// Requests that wake nothing and enter no number; the first that matches counts.
    pub no_wake: Vec<NoWake>,
    /// Which header tells a client that it met a cold start.
    pub cold_start_header: ColdStartHeader,
    /// Whether a browser that cannot be served gets a page that tries again.
    pub waiting_page: bool,
    /// For how long a request may take, from its headers to the end of its response, its hold included.
    pub request_timeout: Option<Duration>,
    /// What is answered in place of a hold.
    pub placeholder: Option<Placeholder>,
    /// Requests that are answered and not counted; the first that matches counts, before `no_wake`.
    pub static_routes: Vec<StaticRoute>,
}

/// What a request to a backend that is asleep is answered. It counts as one that started and ended, and so
/// wakes the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// The answer.
    pub answer: Arc<StaticAnswer>,
    /// Whether requests are held as long as there is room, and only one beyond gets the answer.
    pub overflow_only: bool,
}

/// A request that wakes nothing: it passes when the backend is ready, and is answered when it is not.
#[derive(Clone, Debug, PartialEq)]
pub struct NoWake {
    /// How it is recognised.
    pub what: NoWakeMatch,
    /// The status of the answer while the backend is asleep.
    pub status: u16,
}

/// How a request that wakes nothing is recognised.
#[derive(Clone, Debug, PartialEq)]
pub enum NoWakeMatch {
    /// The `user-agent` starts with this, such as `kube-probe/`.
    UserAgentPrefix(String),
    /// The path starts with these segments.
    PathPrefix(String),
    /// The method, upper case.
    Method(String),
    /// A header.
    Header(HeaderMatch),
}

/// Which header tells a client that it met a cold start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColdStartHeader {
    /// `x-wakegate-cold-start: true`, on held requests alone.
    Wakegate,
    /// `X-KEDA-HTTP-Cold-Start: true|false`, on every response of the route, as the KEDA HTTP Add-on
    /// sends it.
    KedaHttp,
}

/// Health checks that reach a route without meaning it: the kubelet's, and those of the load balancers
/// of Google Cloud and AWS.
const HEALTH_CHECKERS: [&str; 3] = ["kube-probe/", "GoogleHC/", "ELB-HealthChecker/"];

impl Default for Policy {
    fn default() -> Self {
        Self {
            hold_timeout: Duration::from_mins(1),
            max_held: 1_000,
            overflow_status: 503,
            no_wake: NoWake::health_checkers(),
            cold_start_header: ColdStartHeader::Wakegate,
            waiting_page: false,
            request_timeout: None,
            placeholder: None,
            static_routes: Vec::new(),
        }
    }
}

impl Policy {
    /// The longest that one request is held, of all that bounds it.
    pub fn hold_limit(&self) -> Duration {
        self.request_timeout
            .map_or(self.hold_timeout, |timeout| timeout.min(self.hold_timeout))
    }
}

impl NoWake {
    /// The rules that every route starts with.
    pub fn health_checkers() -> Vec<Self> {
        HEALTH_CHECKERS
            .iter()
            .map(|agent| Self {
                what: NoWakeMatch::UserAgentPrefix((*agent).to_owned()),
                status: 200,
            })
            .collect()
    }
}
