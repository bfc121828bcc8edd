//! A Service, what stands behind it and what leads to it -> its backends and endpoints.

use std::collections::{BTreeMap, BTreeSet};

use wakegate_core::{Backend, BackendId};

use super::{
    Dirty, Index, ServiceEndpoints, ServiceId, endpoints, objects::put, reader, scaling,
    workload::WorkloadId,
};

/// What one Service comes to.
#[derive(Debug, Default)]
pub(super) struct ServiceState {
    pub(super) endpoints: ServiceEndpoints,
    /// The ports that routes lead to; whether they are paused is for their workload to say.
    pub(super) backends: BTreeMap<BackendId, Backend>,
    /// What scales it, when routes lead to it.
    pub(super) workload: Option<WorkloadId>,
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
        let old = self.services.remove(id);
        for (state, is_there) in [(old.as_ref(), false), (new.as_ref(), true)] {
            if let Some(workload) = state.and_then(|state| state.workload.as_ref()) {
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

    fn service_state(
        &self,
        id: &ServiceId,
        findings: &mut Vec<crate::object::Finding>,
    ) -> Option<ServiceState> {
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
            let asleep = Backend::asleep(backend.clone());
            state.backends.insert(
                backend,
                Backend {
                    ready_endpoints,
                    ..asleep
                },
            );
        }
        state.workload = Some(workload);
        state.unclear = unclear;
        Some(state)
    }
}
