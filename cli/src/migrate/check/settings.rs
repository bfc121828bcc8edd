//! What the interceptor's environment says for all routes.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Container};
use wakegate_api::GoDuration;

use crate::migrate::objects::{Objects, Part};

/// A variable and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) env: &'static str,
    pub(super) value: String,
}

/// What is set for all routes, where it is more than nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// Whether there is an interceptor to look at.
    pub(super) is_seen: bool,
    pub(super) readiness: Option<Setting>,
    pub(super) request: Option<Setting>,
    pub(super) max_pending: Option<Setting>,
}

/// The older name counts before the newer.
pub(super) const READINESS: [&str; 2] =
    ["KEDA_CONDITION_WAIT_TIMEOUT", "KEDA_HTTP_READINESS_TIMEOUT"];
pub(super) const RESPONSE_HEADER: [&str; 2] = [
    "KEDA_RESPONSE_HEADER_TIMEOUT",
    "KEDA_HTTP_RESPONSE_HEADER_TIMEOUT",
];
pub(super) const REQUEST: &str = "KEDA_HTTP_REQUEST_TIMEOUT";
pub(super) const MAX_PENDING: &str = "KEDA_HTTP_COLD_START_MAX_PENDING_REQUESTS";

impl Settings {
    pub(super) fn of(objects: &Objects) -> Self {
        let Some((_, interceptor)) = objects.parts(Part::Interceptor).next() else {
            return Self::default();
        };
        Self {
            is_seen: true,
            readiness: duration(interceptor, &READINESS),
            request: duration(interceptor, &[REQUEST]),
            max_pending: said(interceptor, MAX_PENDING)
                .filter(|it| it.value.parse::<u32>() != Ok(0)),
        }
    }
}

/// The first of these that is a time above zero.
pub(super) fn duration(deployment: &Deployment, envs: &[&'static str]) -> Option<Setting> {
    let mut said = envs.iter().filter_map(|env| said(deployment, env));
    said.find(|setting| {
        let duration = GoDuration::from(setting.value.as_str()).parse();
        duration.is_ok_and(|duration| !duration.is_zero())
    })
}

/// What stands in the Deployment itself.
pub(super) fn said(deployment: &Deployment, env: &'static str) -> Option<Setting> {
    let mut all = containers(deployment)
        .filter_map(|it| it.env.as_ref())
        .flatten();
    let value = all.find(|it| it.name == env)?.value.clone()?;
    let value = value.trim().to_owned();
    (!value.is_empty()).then_some(Setting { env, value })
}

pub(super) fn containers(deployment: &Deployment) -> impl Iterator<Item = &Container> {
    let spec = deployment.spec.iter();
    let pods = spec.filter_map(|spec| spec.template.spec.as_ref());
    pods.flat_map(|pod| &pod.containers)
}
