//! A Service, what stands behind it and what leads to it -> its backends and endpoints.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Service;
use wakegate_api::wake_policy::ThawRules;
use wakegate_core::{Backend, BackendId};

use super::{
    Dirty, Index, ServiceEndpoints, ServiceId, endpoints, objects::put, reader, reader::PortRef,
    scaling, workload::WorkloadId,
};
use crate::object::{Code, Finding};

/// What one Service comes to.
#[derive(Debug, Default)]
pub(super) struct ServiceState {
    pub(super) endpoints: ServiceEndpoints,
    /// The ports that routes lead to; whether they are paused is for their workload to say.
    pub(super) backends: BTreeMap<BackendId, Backend>,
    /// What scales by its demand, when routes lead to it: the workload behind it, and one for each object of the
    /// add-on's that leads to it.
    pub(super) workloads: BTreeSet<WorkloadId>,
    /// What stands behind it, when routes lead to it.
    pub(super) behind: Option<WorkloadId>,
    /// What its annotation, or that of a route to it, names as what scales it.
    pub(super) named: Option<wakegate_api::ScaleTarget>,
    /// Why it is not clear what scales it.
    pub(super) unclear: Option<String>,
}

impl Index {
    pub(super) fn renew_service(&mut self, id: &ServiceId, dirty: &mut Dirty) {
        let mut findings = Vec::new();
        let new = self.service_state(id, &mut findings);
        self.table.set_findings(&id.object().to_string(), &findings);
        let policies = self.objects.policies_naming(&id.object());
        dirty.policies.extend(policies.cloned());
        let old = self.services.remove(id);
        for (state, is_there) in [(old.as_ref(), false), (new.as_ref(), true)] {
            for workload in state.iter().flat_map(|state| &state.workloads) {
                put(&mut self.members, workload.clone(), id.clone(), is_there);
                dirty.workloads.insert(workload.clone());
            }
        }
        let none = BTreeMap::new();
        let before = old.as_ref().map_or(&none, |old| &old.backends);
        let after = new.as_ref().map_or(&none, |new| &new.backends);
        for gone in before.keys().filter(|backend| !after.contains_key(backend)) {
            self.table.set_backend(gone, None);
        }
        self.table
            .set_endpoints(id, new.as_ref().map(|new| &new.endpoints));
        self.services.extend(new.map(|new| (id.clone(), new)));
    }

    fn service_state(&self, id: &ServiceId, findings: &mut Vec<Finding>) -> Option<ServiceState> {
        let service = self.objects.service(id)?;
        let (_, errors) = reader::settings(&service.metadata);
        findings.extend(reader::annotation_findings(&id.object(), errors));
        let mut state = ServiceState {
            endpoints: endpoints::of_service(id, service, &self.objects, findings),
            ..ServiceState::default()
        };
        let ports: BTreeSet<u16> = self
            .users_of(id)
            .filter_map(|(_, routes)| routes.targets.get(id))
            .flatten()
            .copied()
            .collect();
        if ports.is_empty() {
            return Some(state);
        }
        let said = self.said([id]);
        state.named = scaling::target(&id.object().to_string(), &said, findings);
        let (workload, unclear) = self.workload_of(id, service, state.named.as_ref());
        for port in ports {
            let backend = BackendId::new(&id.namespace, &id.name, port);
            let ready_endpoints = state.endpoints.n_ready(port);
            let ThawRules {
                max_in_flight_per_endpoint,
                probe,
            } = self.thaw_of(id, service, (&backend, port), findings);
            let asleep = Backend::asleep(backend.clone());
            state.backends.insert(
                backend,
                Backend {
                    ready_endpoints,
                    max_in_flight_per_endpoint,
                    probe: probe.unwrap_or(asleep.probe),
                    ..asleep
                },
            );
        }
        for (user, _) in self.users_of(id) {
            state.workloads.insert(if user.is_add_on() {
                WorkloadId::of_add_on(user)
            } else {
                workload.clone()
            });
        }
        state.behind = Some(workload).filter(|_| unclear.is_none());
        state.unclear = unclear;
        Some(state)
    }

    /// How what is held for a backend goes on: as the most particular policy says that speaks of it. A backend
    /// has one thaw, whatever routes lead to it; of two policies of one sort the older has its way.
    fn thaw_of(
        &self,
        id: &ServiceId,
        service: &Service,
        (backend, port): (&BackendId, u16),
        findings: &mut Vec<Finding>,
    ) -> ThawRules {
        let object = id.object();
        let named = reader::port_of(service, PortRef::Number(i32::from(port)));
        let named = named.and_then(|port| port.name.as_deref());
        let of_port = self.objects.policies_on_port(id, named);
        let of_routes = self.users_of(id).flat_map(|(_, routes)| &routes.thaws);
        let of_routes = of_routes
            .filter(|said| said.backend == *backend)
            .map(|said| (said.level, said.policy.clone()));
        let mut said: Vec<_> = of_port
            .into_iter()
            .flatten()
            .chain(of_routes)
            .filter(|(_, policy)| policy.rules.thaw != ThawRules::default())
            .collect();
        said.sort_by(|(a, one), (b, other)| (b, one.age()).cmp(&(a, other.age())));
        let Some((level, winner)) = said.first() else {
            return ThawRules::default();
        };
        let losers = said
            .iter()
            .filter(|(other, policy)| other == level && policy.rules.thaw != winner.rules.thaw);
        findings.extend(losers.map(|(_, loser)| {
            let reason = format!(
                "for {object} it is not in force: {} is older and says something else",
                winner.id
            );
            Finding::new(&loser.id, "spec.thaw", reason).with(Code::Conflicted)
        }));
        winner.rules.thaw
    }
}
