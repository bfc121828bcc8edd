//! Waiting for an object to be as a test wants it, by a watch: no state in between is missed, and the API
//! server is not asked a hundred times a second.

use std::fmt::{self, Display, Formatter};
use std::pin::pin;
use std::time::Duration;

use ::kube::api::{ApiResource, DynamicObject};
use ::kube::core::GroupVersionKind;
use ::kube::runtime::watcher::{self, watch_object, watcher};
use ::kube::{Api, Client};
use anyhow::{Result, bail};
use futures::StreamExt as _;
use serde_json::Value;
use tokio::time::{self, Instant};

/// After a watch that failed. An API server that is away comes back in its own time.
const PAUSE: Duration = Duration::from_millis(100);

/// A kind of objects in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    group: &'static str,
    version: &'static str,
    name: &'static str,
    plural: &'static str,
}

impl Kind {
    /// apps
    pub const DEPLOYMENT: Self = Self::new("apps", "v1", "Deployment", "deployments");
    /// apps
    pub const STATEFUL_SET: Self = Self::new("apps", "v1", "StatefulSet", "statefulsets");
    /// core
    pub const POD: Self = Self::new("", "v1", "Pod", "pods");
    /// core
    pub const EVENT: Self = Self::new("", "v1", "Event", "events");
    /// autoscaling
    pub const HPA: Self = Self::new(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
    );
    /// KEDA
    pub const SCALED_OBJECT: Self =
        Self::new("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects");
    /// The KEDA HTTP add-on
    pub const INTERCEPTOR_ROUTE: Self = Self::new(
        "http.keda.sh",
        "v1beta1",
        "InterceptorRoute",
        "interceptorroutes",
    );
    /// The KEDA HTTP add-on
    pub const HTTP_SCALED_OBJECT: Self = Self::new(
        "http.keda.sh",
        "v1alpha1",
        "HTTPScaledObject",
        "httpscaledobjects",
    );
    /// Wakegate
    pub const WAKE_POLICY: Self =
        Self::new("wakegate.dev", "v1alpha1", "WakePolicy", "wakepolicies");

    const fn new(
        group: &'static str,
        version: &'static str,
        name: &'static str,
        plural: &'static str,
    ) -> Self {
        Self {
            group,
            version,
            name,
            plural,
        }
    }

    /// The objects of this kind in a namespace.
    pub(super) fn api(self, client: Client, namespace: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk(self.group, self.version, self.name);
        let resource = ApiResource::from_gvk_with_plural(&kind, self.plural);
        Api::namespaced_with(client, namespace, &resource)
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Waits until `look` finds what it wants in an object, which is `None` while it is not there. At the deadline,
/// fails with the object as it was seen last.
pub(super) async fn until_object<T>(
    api: Api<DynamicObject>,
    name: &str,
    what: &str,
    deadline: Duration,
    mut look: impl FnMut(Option<&Value>) -> Option<T>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    let mut states = pin!(watch_object(api, name));
    let mut last = "nothing, because no watch was answered".to_owned();
    loop {
        match time::timeout_at(end, states.next()).await {
            Ok(Some(Ok(object))) => {
                let object = object.map(to_json);
                if let Some(found) = look(object.as_ref()) {
                    return Ok(found);
                }
                last = object.map_or("no such object".to_owned(), |object| object.to_string());
            }
            Ok(Some(Err(error))) => {
                last = format!("{error}; before that {last}");
                time::sleep(PAUSE).await;
            }
            Ok(None) | Err(_) => bail!("not within {deadline:?}: {what}; last seen: {last}"),
        }
    }
}

/// Holds a condition for a while: fails with the first state of an object that is not so.
pub(super) async fn throughout_object(
    api: Api<DynamicObject>,
    name: &str,
    what: &str,
    span: Duration,
    mut is_so: impl FnMut(Option<&Value>) -> bool,
) -> Result<()> {
    let end = Instant::now() + span;
    let mut states = pin!(watch_object(api, name));
    while let Ok(Some(state)) = time::timeout_at(end, states.next()).await {
        let object = state?.map(to_json);
        if !is_so(object.as_ref()) {
            let seen = object.map_or("no such object".to_owned(), |object| object.to_string());
            bail!("not throughout {span:?}: {what}; seen: {seen}");
        }
    }
    Ok(())
}

/// Waits until `look` finds what it wants in one of the objects of a kind. At the deadline, fails with what
/// `tell` says of each that was seen.
pub(super) async fn until_any<T>(
    api: Api<DynamicObject>,
    what: &str,
    deadline: Duration,
    mut look: impl FnMut(&Value) -> Option<T>,
    tell: impl Fn(&Value) -> Option<String>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    let mut events = pin!(watcher(api, watcher::Config::default()));
    let mut seen = Vec::new();
    loop {
        match time::timeout_at(end, events.next()).await {
            Ok(Some(Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)))) => {
                let object = to_json(object);
                if let Some(found) = look(&object) {
                    return Ok(found);
                }
                seen.extend(tell(&object));
            }
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(error))) => {
                seen.push(error.to_string());
                time::sleep(PAUSE).await;
            }
            Ok(None) | Err(_) => {
                bail!("not within {deadline:?}: {what}; seen: {seen:#?}")
            }
        }
    }
}

/// Without who manages which field, which is most of an object.
fn to_json(mut object: DynamicObject) -> Value {
    object.metadata.managed_fields = None;
    serde_json::to_value(object).unwrap_or_default()
}
