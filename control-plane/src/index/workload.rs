//! A Service -> the workload behind it: what scales it, whether that is paused, its targets.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Service;
use wakegate_api::Settings;
use wakegate_wire::v1;

use super::{Index, ServiceId, reader};
use crate::object::{Finding, Kind, ObjectId};

/// The window of a rate, when no annotation gives another.
const RATE_WINDOW: Duration = Duration::from_mins(1);

/// The concurrency target of a workload without any.
const CONCURRENCY: f64 = 100.0;

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
    /// What is said of the scaling of a Service: by itself, then by the routes that lead to it, in the
    /// order of their names. A route elsewhere may wake it, and says nothing of its scaling.
    pub(super) fn scaling(&self, id: &ServiceId, service: &Service) -> Scaling {
        let (own, _) = reader::settings(&service.metadata);
        let users = self.users_of(id);
        let users = users.filter(|(user, _)| user.namespace == id.namespace);
        let users = users.map(|(_, route)| &route.settings);
        let said: Vec<&Settings> = std::iter::once(&own).chain(users).collect();
        let targets = said.iter().find(|settings| {
            settings.target_concurrency.is_some() || settings.target_rate.is_some()
        });
        let window = said
            .iter()
            .find_map(|settings| settings.rate_window)
            .unwrap_or(RATE_WINDOW);
        Scaling {
            targets: targets.map(|settings| targets_of(settings, window)),
            is_paused: said.iter().find_map(|settings| settings.paused) == Some(true),
            target: said
                .iter()
                .find_map(|settings| settings.scale_target.clone()),
        }
    }

    /// The workload of a Service; why it is not clear.
    pub(super) fn workload_of(
        &self,
        id: &ServiceId,
        service: &Service,
        scaling: &Scaling,
        findings: &mut Vec<Finding>,
    ) -> WorkloadId {
        let named = |kind: &str, name: &str| WorkloadId {
            namespace: Arc::clone(&id.namespace),
            kind: kind.to_owned(),
            name: name.to_owned(),
        };
        if let Some(target) = &scaling.target {
            return named(&target.kind, &target.name);
        }
        match self.objects.selected_by(id, service).as_slice() {
            [] => named("Service", &id.name),
            [one] => named(one.kind.as_str(), &one.name),
            several => {
                let candidates: Vec<String> = several.iter().map(ToString::to_string).collect();
                let reason = format!(
                    "it selects the pods of {}: say which with wakegate.dev/scale-target",
                    candidates.join(", ")
                );
                findings.push(Finding::new(&id.object(), "spec.selector", reason));
                named("Service", &id.name)
            }
        }
    }

    pub(super) fn is_paused_at_zero(&self, workload: &WorkloadId) -> bool {
        let target = workload.target();
        let mut objects = self.objects.scaled_objects(&workload.namespace, &target);
        objects.any(wakegate_api::ScaledObject::is_paused_at_zero)
    }

    /// The entity of a workload, of its Services that routes lead to.
    pub(super) fn workload_message(
        &self,
        id: &WorkloadId,
        members: &BTreeSet<ServiceId>,
    ) -> v1::Workload {
        let mut aliases =
            BTreeSet::from([("workload", id.target()), ("workload", id.name.clone())]);
        let (mut instances, mut targets, mut keys) = (BTreeSet::new(), None, Vec::new());
        for member in members {
            keys.push(
                wakegate_core::Key::service(&member.namespace, &member.name)
                    .as_str()
                    .to_owned(),
            );
            aliases.insert(("service", member.name.as_ref().to_owned()));
            let users = self.users_of(member).map(|(route, _)| route);
            // A name means an object of the workload's own namespace.
            for route in users.filter(|route| route.namespace == id.namespace) {
                let kind = if route.kind == Kind::Ingress {
                    "ingress"
                } else if route.kind == Kind::GrpcRoute {
                    "grpcRoute"
                } else {
                    "httpRoute"
                };
                aliases.insert((kind, route.name.as_ref().to_owned()));
            }
            if let Some(state) = self.services.get(member) {
                instances.extend(state.endpoints.instances.iter().map(String::as_str));
                targets = targets.or(state.targets);
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
            targets: Some(targets.unwrap_or_else(default_targets)),
            ready_endpoints: u32::try_from(instances.len()).unwrap_or(u32::MAX),
            replicas: workload.map(|workload| workload.replicas),
        }
    }
}

fn targets_of(settings: &Settings, rate_window: Duration) -> v1::Targets {
    v1::Targets {
        concurrency: settings.target_concurrency.unwrap_or_default(),
        rate: settings.target_rate.unwrap_or_default(),
        rate_window_ms: u64::try_from(rate_window.as_millis()).unwrap_or(u64::MAX),
        // A target rate is per second.
        rate_granularity_ms: 1_000,
    }
}

fn default_targets() -> v1::Targets {
    let settings = Settings {
        target_concurrency: Some(CONCURRENCY),
        ..Settings::default()
    };
    targets_of(&settings, RATE_WINDOW)
}

/// What is said of the scaling of a Service.
#[derive(Clone, Debug)]
pub(super) struct Scaling {
    /// None where nothing is said.
    pub(super) targets: Option<v1::Targets>,
    pub(super) is_paused: bool,
    pub(super) target: Option<wakegate_api::ScaleTarget>,
}
