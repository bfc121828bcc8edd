//! A Service -> the workload behind it: what that is, whether it is paused, what the scaler is told.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::api::core::v1::Service;
use wakegate_api::{annotations::PREFIX, scaled_object::pauses_at_zero};
use wakegate_core::Backend;
use wakegate_wire::v1;

use super::{
    Index, ServiceId,
    scaling::{self, Scaling},
};
use crate::{
    object::{Kind, ObjectId},
    wanted::WantedScaledObject,
};

/// What scales a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WorkloadId {
    pub(super) namespace: Arc<str>,
    pub(super) kind: String,
    pub(super) name: String,
}

impl WorkloadId {
    /// `namespace/Kind/name`.
    pub(super) fn text(&self) -> Arc<str> {
        format!("{}/{}/{}", self.namespace, self.kind, self.name).into()
    }

    /// `Kind/name`.
    pub(super) fn target(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    pub(super) fn object(&self) -> Option<ObjectId> {
        let kinds = [Kind::Deployment, Kind::StatefulSet];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == self.kind)?;
        Some(ObjectId::new(
            kind,
            Arc::clone(&self.namespace),
            self.name.as_str(),
        ))
    }
}

impl Index {
    /// Makes a workload new, with the ScaledObject that it should have and the backends before it.
    pub(super) fn renew_workload(&mut self, id: &WorkloadId) {
        let mut findings = Vec::new();
        let none = BTreeSet::new();
        let members = self.members.get(id).unwrap_or(&none);
        let is_there = !members.is_empty();
        let scaling = is_there.then(|| {
            let said = self.said(members);
            scaling::merge(&id.target(), &said, &mut findings)
        });
        let wanted = scaling
            .as_ref()
            .and_then(|scaling| self.wanted(id, members, scaling, &mut findings));
        let is_paused = self.is_paused_at_zero(id, scaling.as_ref(), wanted.as_ref());
        let message = scaling
            .as_ref()
            .map(|scaling| self.workload_message(id, members, scaling));
        let members: Vec<ServiceId> = members.iter().cloned().collect();
        self.set_paused(id, is_paused && is_there);
        for member in &members {
            self.show_backends(member);
        }
        let text = id.text();
        self.table
            .set_findings(&format!("workload {text}"), &findings);
        self.table.set_scaled_object(&text, wanted);
        self.table.set_workload(text, message);
    }

    /// Notes whether a workload stays at zero.
    pub(super) fn set_paused(&mut self, id: &WorkloadId, is_paused: bool) {
        if is_paused {
            self.paused.insert(id.clone());
        } else {
            self.paused.remove(id);
        }
    }

    /// Puts the backends of a Service into the table.
    pub(super) fn show_backends(&mut self, id: &ServiceId) {
        let Some(state) = self.services.get(id) else {
            return;
        };
        let is_paused = state.workloads.iter().any(|id| self.paused.contains(id));
        for (backend, state) in &state.backends {
            // Paused is said at zero alone: what runs is served, whoever scales it.
            let paused = is_paused && state.ready_endpoints == 0;
            let state = Backend {
                paused,
                ..state.clone()
            };
            self.table.set_backend(backend, Some(&state));
        }
    }

    /// The workload of a Service, and why it is not clear.
    pub(super) fn workload_of(
        &self,
        id: &ServiceId,
        service: &Service,
        target: Option<&wakegate_api::ScaleTarget>,
    ) -> (WorkloadId, Option<String>) {
        let named = |kind: &str, name: &str| WorkloadId {
            namespace: Arc::clone(&id.namespace),
            kind: kind.to_owned(),
            name: name.to_owned(),
        };
        if let Some(target) = target {
            return (named(&target.kind, &target.name), None);
        }
        let unclear = |reason: String| {
            let reason = format!("{reason}: name what is scaled with {PREFIX}scale-target");
            (named("Service", &id.name), Some(reason))
        };
        match self.objects.selected_by(id, service).as_slice() {
            [one] => (named(one.kind.as_str(), &one.name), None),
            [] => {
                let selector = service
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.selector.as_ref());
                let labels = selector.into_iter().flatten();
                let labels: Vec<String> = labels
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                let object = id.object();
                unclear(if labels.is_empty() {
                    format!("{object} has no selector")
                } else {
                    let labels = labels.join(",");
                    format!(
                        "{object} selects {labels}, and no Deployment or StatefulSet has such pods"
                    )
                })
            }
            several => {
                let candidates: Vec<String> = several.iter().map(ToString::to_string).collect();
                let candidates = candidates.join(", ");
                unclear(format!("{} selects the pods of {candidates}", id.object()))
            }
        }
    }

    fn is_paused_at_zero(
        &self,
        id: &WorkloadId,
        scaling: Option<&Scaling>,
        wanted: Option<&WantedScaledObject>,
    ) -> bool {
        let target = id.target();
        let mut objects = self.objects.scaled_objects(&id.namespace, &target);
        scaling.is_some_and(|scaling| scaling.is_paused)
            || wanted.is_some_and(|wanted| pauses_at_zero(&wanted.annotations))
            || objects.any(|(_, object)| object.is_paused_at_zero())
    }

    /// The entity of a workload, of its Services that routes lead to.
    fn workload_message(
        &self,
        id: &WorkloadId,
        members: &BTreeSet<ServiceId>,
        scaling: &Scaling,
    ) -> v1::Workload {
        let mut aliases =
            BTreeSet::from([("workload", id.target()), ("workload", id.name.clone())]);
        let (mut instances, mut keys) = (BTreeSet::new(), Vec::new());
        for member in members {
            keys.push(
                wakegate_core::Key::service(&member.namespace, &member.name)
                    .as_str()
                    .to_owned(),
            );
            aliases.insert(("service", member.name.as_ref().to_owned()));
            let users = self.users_of(member).map(|(route, _)| route);
            // A name means an object of the workload's own namespace.
            let users = users.filter(|route| !route.is_add_on());
            for route in users.filter(|route| route.namespace == id.namespace) {
                let kind = if route.kind == Kind::Ingress {
                    "ingress"
                } else if route.kind == Kind::GrpcRoute {
                    "grpcRoute"
                } else if route.kind == Kind::VirtualService {
                    "virtualService"
                } else {
                    "httpRoute"
                };
                aliases.insert((kind, route.name.as_ref().to_owned()));
            }
            if let Some(state) = self.services.get(member) {
                instances.extend(state.endpoints.instances.iter().map(String::as_str));
            }
        }
        let object = id.object();
        let workload = object
            .as_ref()
            .and_then(|object| self.objects.workload(object));
        let alias = |(kind, name): (&str, String)| v1::Alias {
            kind: kind.to_owned(),
            name,
        };
        v1::Workload {
            id: id.text().as_ref().to_owned(),
            namespace: id.namespace.as_ref().to_owned(),
            keys,
            aliases: aliases.into_iter().map(alias).collect(),
            targets: Some(scaling.targets),
            ready_endpoints: u32::try_from(instances.len()).unwrap_or(u32::MAX),
            replicas: workload.map(|workload| workload.replicas),
        }
    }
}
