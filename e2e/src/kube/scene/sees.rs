//! What a scene waits for in its own namespace.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::{SOON, Scene, WAKE};
use crate::eventually::eventually_is;
use crate::kube::watched::{Kind, throughout_object, until_any, until_object};

/// An event, as `kubectl describe` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// `Normal` or `Warning`.
    pub severity: String,
    /// One word.
    pub reason: String,
    /// For people.
    pub message: String,
}

impl Scene<'_> {
    /// Waits until `look` finds what it wants in an object, which is `None` while it is not there.
    pub async fn object<T>(
        &self,
        kind: Kind,
        name: &str,
        what: &str,
        look: impl FnMut(Option<&Value>) -> Option<T>,
    ) -> Result<T> {
        self.object_within((kind, name), what, SOON, look).await
    }

    /// The same with a deadline of its own.
    pub async fn object_within<T>(
        &self,
        (kind, name): (Kind, &str),
        what: &str,
        deadline: Duration,
        look: impl FnMut(Option<&Value>) -> Option<T>,
    ) -> Result<T> {
        let api = kind.api(self.client(), self.namespace()?);
        let what = format!("{kind} {name}: {what}");
        until_object(api, name, &what, deadline, look).await
    }

    /// Holds a condition of an object for a while.
    pub async fn object_throughout(
        &self,
        (kind, name): (Kind, &str),
        what: &str,
        span: Duration,
        is_so: impl FnMut(Option<&Value>) -> bool,
    ) -> Result<()> {
        let api = kind.api(self.client(), self.namespace()?);
        let what = format!("{kind} {name}: {what}");
        throughout_object(api, name, &what, span, is_so).await
    }

    /// Waits until an object is gone.
    pub async fn is_gone(&self, kind: Kind, name: &str) -> Result<()> {
        let look = |object: Option<&Value>| object.is_none().then_some(());
        self.object(kind, name, "is gone", look).await
    }

    /// Waits until a workload is meant to have so many replicas, which is what `/scale` says, and has them.
    pub async fn is_at(&self, kind: Kind, name: &str, n_replicas: u64) -> Result<()> {
        self.is_at_within((kind, name), n_replicas, WAKE).await
    }

    /// The same with a deadline of its own.
    pub async fn is_at_within(
        &self,
        (kind, name): (Kind, &str),
        n_replicas: u64,
        deadline: Duration,
    ) -> Result<()> {
        let what = format!("is at {n_replicas}");
        let look = |object: Option<&Value>| {
            let object = object?;
            let count = |pointer| object.pointer(pointer).and_then(Value::as_u64);
            let is_at = count("/spec/replicas") == Some(n_replicas)
                && count("/status/replicas").unwrap_or(0) == n_replicas;
            is_at.then_some(())
        };
        self.object_within((kind, name), &what, deadline, look)
            .await
    }

    /// Waits until a Deployment is meant to have so many replicas, and has them.
    pub async fn deployment_is_at(&self, name: &str, n_replicas: u64) -> Result<()> {
        self.is_at(Kind::DEPLOYMENT, name, n_replicas).await
    }

    /// Waits until Envoy has no endpoint for a URL. A pod that was told to end may have gone a moment before that,
    /// and its workload counts it no more from when it was told: who asks in between is answered 503, with
    /// Wakegate as without.
    pub async fn is_asleep(&self, url: &str) -> Result<()> {
        let (admin, namespace) = (self.envoy()?.admin(), self.namespace()?);
        let hosts = self.hosts.iter().filter(|host| host.is_of(url));
        for cluster in hosts.flat_map(|host| host.clusters(namespace)) {
            let what = format!("endpoints of {cluster} in Envoy");
            let look = async || admin.n_healthy(&cluster).await;
            eventually_is(WAKE, &what, 0, look).await?;
        }
        Ok(())
    }

    /// Holds for a while that a Deployment is meant to have so many replicas.
    pub async fn deployment_stays_at(
        &self,
        name: &str,
        n_replicas: u64,
        span: Duration,
    ) -> Result<()> {
        let what = format!("is at {n_replicas}");
        let is_so = |object: Option<&Value>| {
            let replicas = object.and_then(|it| it.pointer("/spec/replicas")?.as_u64());
            replicas == Some(n_replicas)
        };
        let deployment = (Kind::DEPLOYMENT, name);
        self.object_throughout(deployment, &what, span, is_so).await
    }

    /// Waits until a workload has a `ScaledObject`, and returns it. We write one only when every worker has the
    /// workload's routes.
    pub async fn scaled_object(&self, workload: &str) -> Result<Value> {
        let api = Kind::SCALED_OBJECT.api(self.client(), self.namespace()?);
        let target = "/spec/scaleTargetRef/name";
        let what = format!("a ScaledObject for {workload}");
        let look = |object: &Value| (text(object, target) == workload).then(|| object.clone());
        let tell = |object: &Value| Some(format!("one for {}", text(object, target)));
        until_any(api, &what, SOON, look, tell).await
    }

    /// The same, and returns its name.
    pub async fn scaled_object_name(&self, workload: &str) -> Result<String> {
        let object = self.scaled_object(workload).await?;
        Ok(text(&object, "/metadata/name").to_owned())
    }

    /// Waits for a condition in `status` to be so, and returns it.
    pub async fn condition(
        &self,
        kind: Kind,
        name: &str,
        (condition, status): (&str, &str),
    ) -> Result<Value> {
        let look = |object: Option<&Value>| {
            let conditions = object?.pointer("/status/conditions")?.as_array()?;
            let is_it =
                |it: &&Value| text(it, "/type") == condition && text(it, "/status") == status;
            conditions.iter().find(is_it).cloned()
        };
        let what = format!("{condition} is {status}");
        self.object(kind, name, &what, look).await
    }

    /// Waits for an event about an object of one of its namespaces.
    pub async fn event(
        &self,
        at: usize,
        (kind, name): (&str, &str),
        what: &str,
        mut is_it: impl FnMut(&Told) -> bool,
    ) -> Result<Told> {
        let api = Kind::EVENT.api(self.client(), self.namespace_at(at)?);
        let about = |event: &Value| {
            let is_about = text(event, "/involvedObject/kind") == kind
                && text(event, "/involvedObject/name") == name;
            is_about.then(|| Told {
                severity: text(event, "/type").to_owned(),
                reason: text(event, "/reason").to_owned(),
                message: text(event, "/message").to_owned(),
            })
        };
        let what = format!("an event about {kind} {name}: {what}");
        let look = |event: &Value| about(event).filter(|told| is_it(told));
        let tell = |event: &Value| about(event).map(|told| format!("{told:?}"));
        until_any(api, &what, SOON, look, tell).await
    }

    /// Waits for a Warning about an object whose message has all of `words`.
    pub async fn warning(&self, kind: &str, name: &str, words: &[&str]) -> Result<Told> {
        self.warning_at(0, (kind, name), words).await
    }

    /// The same in another of its namespaces.
    pub async fn warning_at(&self, at: usize, about: (&str, &str), words: &[&str]) -> Result<Told> {
        let what = format!("a Warning with {words:?}");
        let is_it = |told: &Told| {
            told.severity == "Warning" && words.iter().all(|word| told.message.contains(word))
        };
        self.event(at, about, &what, is_it).await
    }
}

/// A string of an object; empty where there is none.
fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    let text = object.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default()
}
