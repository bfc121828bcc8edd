//! What was observed, and the ways to find it: by name, by Service, by label.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use gateway_api::apis::standard::referencegrants::ReferenceGrant;
use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use wakegate_api::ScaledObject;

use super::{ServiceId, add_on, grant, wake_policy};
use crate::object::{AutoscalerObject, Kind, Object, ObjectId, WorkloadObject};

/// The label by which an EndpointSlice names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Every object that counts.
#[derive(Debug, Default)]
pub(super) struct Objects {
    all: BTreeMap<ObjectId, Arc<Object>>,
    counts: BTreeMap<Kind, usize>,
    slices: BTreeMap<ServiceId, BTreeSet<ObjectId>>,
    /// Workloads by each label of their pods.
    workloads: BTreeMap<Label, BTreeSet<ObjectId>>,
    /// Services by the first label of their selector: enough to find the few that may select a pod.
    selectors: BTreeMap<Label, BTreeSet<ServiceId>>,
    /// ScaledObjects by the workload that they scale, `Kind/name`.
    scaled: BTreeMap<(Arc<str>, String), BTreeSet<ObjectId>>,
    /// Autoscalers without KEDA by the same.
    autoscaled: BTreeMap<(Arc<str>, String), BTreeSet<ObjectId>>,
    /// The Deployments of the KEDA HTTP add-on's operator.
    operators: BTreeSet<ObjectId>,
    /// WakePolicies by every object that they name.
    policies: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
}

/// Namespace, key and value.
type Label = (Arc<str>, String, String);

impl Objects {
    /// Takes in the new version of an object, or that it is gone; returns the old one, or nothing when
    /// they are the same.
    pub(super) fn set(&mut self, id: &ObjectId, object: Option<Object>) -> Option<Replaced> {
        let old = self.all.get(id).cloned();
        if old.as_deref() == object.as_ref() {
            return None;
        }
        if let Some(old) = &old {
            self.each_entry(id, old, false);
            self.all.remove(id);
        }
        let new = object.map(Arc::new);
        if let Some(new) = &new {
            self.each_entry(id, new, true);
            self.all.insert(id.clone(), Arc::clone(new));
        }
        let count = self.counts.entry(id.kind).or_default();
        *count = *count + usize::from(new.is_some()) - usize::from(old.is_some());
        Some(Replaced { old, new })
    }

    pub(super) fn get(&self, id: &ObjectId) -> Option<&Object> {
        self.all.get(id).map(Arc::as_ref)
    }

    pub(super) fn service(&self, id: &ServiceId) -> Option<&Service> {
        let Object::Service(service) = self.get(&id.object())? else {
            return None;
        };
        Some(service)
    }

    pub(super) fn workload(&self, id: &ObjectId) -> Option<&WorkloadObject> {
        let Object::Workload(workload) = self.get(id)? else {
            return None;
        };
        Some(workload)
    }

    /// Every object of a kind.
    pub(super) fn all_of(&self, kind: Kind) -> impl Iterator<Item = (&ObjectId, &Object)> {
        let first = ObjectId::new(kind, "", "");
        let near = self.all.range(first..);
        let all = near.take_while(move |(id, _)| id.kind == kind);
        all.map(|(id, object)| (id, object.as_ref()))
    }

    /// The ReferenceGrants of a namespace.
    pub(super) fn grants(&self, namespace: &Arc<str>) -> impl Iterator<Item = &ReferenceGrant> {
        let first = grant::all_in(namespace);
        let grants = self
            .all
            .range(first.clone()..)
            .map_while(move |(id, object)| {
                let is_near = id.kind == first.kind && id.namespace == first.namespace;
                is_near.then_some(object)
            });
        grants.filter_map(|object| {
            let Object::ReferenceGrant(grant) = object.as_ref() else {
                return None;
            };
            Some(grant.as_ref())
        })
    }

    /// The slices of a Service.
    pub(super) fn slices(
        &self,
        id: &ServiceId,
    ) -> impl Iterator<Item = (&ObjectId, &EndpointSlice)> {
        self.slices.get(id).into_iter().flatten().filter_map(|id| {
            let Object::EndpointSlice(slice) = self.get(id)? else {
                return None;
            };
            Some((id, slice.as_ref()))
        })
    }

    /// The ScaledObjects of a workload.
    pub(super) fn scaled_objects(
        &self,
        namespace: &Arc<str>,
        target: &str,
    ) -> impl Iterator<Item = (&ObjectId, &ScaledObject)> {
        let ids = self.scaled.get(&(Arc::clone(namespace), target.to_owned()));
        ids.into_iter().flatten().filter_map(|id| {
            let Object::ScaledObject(object) = self.get(id)? else {
                return None;
            };
            Some((id, object.as_ref()))
        })
    }

    /// Whether someone else's ScaledObject has this name.
    pub(super) fn is_foreign_scaled_object(&self, id: &ObjectId) -> bool {
        let object = self.get(id);
        object.is_some_and(
            |object| matches!(object, Object::ScaledObject(object) if !object.is_ours()),
        )
    }

    /// The autoscalers of a workload.
    pub(super) fn autoscalers(
        &self,
        namespace: &Arc<str>,
        target: &str,
    ) -> impl Iterator<Item = (&ObjectId, &AutoscalerObject)> {
        let target = (Arc::clone(namespace), target.to_owned());
        let ids = self.autoscaled.get(&target);
        ids.into_iter().flatten().filter_map(|id| {
            let Object::HorizontalPodAutoscaler(object) = self.get(id)? else {
                return None;
            };
            Some((id, object.as_ref()))
        })
    }

    /// The WakePolicies that name an object.
    pub(super) fn policies_naming(
        &self,
        id: &ObjectId,
    ) -> impl Iterator<Item = &ObjectId> + use<'_> {
        self.policies.get(id).into_iter().flatten()
    }

    /// The workloads whose pods a Service selects.
    pub(super) fn selected_by(&self, id: &ServiceId, service: &Service) -> Vec<&ObjectId> {
        let Some(selector) = service
            .spec
            .as_ref()
            .and_then(|spec| spec.selector.as_ref())
        else {
            return Vec::new();
        };
        let Some((key, value)) = selector.iter().next() else {
            return Vec::new();
        };
        let label = (Arc::clone(&id.namespace), key.clone(), value.clone());
        let candidates = self.workloads.get(&label).into_iter().flatten();
        let is_selected = |workload: &WorkloadObject| {
            selector
                .iter()
                .all(|(key, value)| workload.pod_labels.get(key) == Some(value))
        };
        candidates
            .filter(|id| self.workload(id).is_some_and(is_selected))
            .collect()
    }

    /// The Services that may select the pods of a workload.
    pub(super) fn may_select(
        &self,
        namespace: &Arc<str>,
        workload: &WorkloadObject,
    ) -> impl Iterator<Item = &ServiceId> {
        let labels = workload.pod_labels.iter();
        let found = labels.filter_map(|(key, value)| {
            self.selectors
                .get(&(Arc::clone(namespace), key.clone(), value.clone()))
        });
        found.flatten()
    }

    /// The Deployments of the KEDA HTTP add-on's operator.
    pub(super) fn add_on_operators(&self) -> impl Iterator<Item = &ObjectId> {
        self.operators.iter()
    }

    /// Objects of each kind.
    pub(super) fn count(&self) -> &BTreeMap<Kind, usize> {
        &self.counts
    }

    /// Adds or removes an object in the ways by which it is found.
    fn each_entry(&mut self, id: &ObjectId, object: &Object, is_there: bool) {
        let namespace = &id.namespace;
        let label =
            |(key, value): (&String, &String)| (Arc::clone(namespace), key.clone(), value.clone());
        match object {
            Object::EndpointSlice(slice) => {
                if let Some(service) = service_of(namespace, slice) {
                    put(&mut self.slices, service, id.clone(), is_there);
                }
            }
            Object::Workload(workload) => {
                if add_on::is_operator(workload) {
                    self.operators.remove(id);
                    self.operators.extend(is_there.then(|| id.clone()));
                }
                for pair in &workload.pod_labels {
                    put(&mut self.workloads, label(pair), id.clone(), is_there);
                }
            }
            Object::Service(service) => {
                let selector = service
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.selector.as_ref());
                if let Some(pair) = selector.and_then(|selector| selector.iter().next()) {
                    put(
                        &mut self.selectors,
                        label(pair),
                        ServiceId::from(id),
                        is_there,
                    );
                }
            }
            Object::ScaledObject(object) => {
                let (kind, name) = object.target();
                let target = (Arc::clone(namespace), format!("{kind}/{name}"));
                put(&mut self.scaled, target, id.clone(), is_there);
            }
            Object::HorizontalPodAutoscaler(object) => {
                let target = format!("{}/{}", object.target_kind, object.target_name);
                let target = (Arc::clone(namespace), target);
                put(&mut self.autoscaled, target, id.clone(), is_there);
            }
            Object::WakePolicy(policy) => {
                for named in wake_policy::named_by(id, policy) {
                    put(&mut self.policies, named, id.clone(), is_there);
                }
            }
            Object::HttpRoute(_)
            | Object::GrpcRoute(_)
            | Object::Gateway(_)
            | Object::GatewayClass(_)
            | Object::ReferenceGrant(_)
            | Object::Namespace(_)
            | Object::Ingress(_)
            | Object::AddOn(_)
            | Object::ConfigMap(_)
            | Object::Routing(_)
            | Object::VirtualService(_)
            | Object::ListenerSet(_) => {}
        }
    }
}

/// What an object was and what it is.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) old: Option<Arc<Object>>,
    pub(super) new: Option<Arc<Object>>,
}

impl Replaced {
    pub(super) fn versions(&self) -> impl Iterator<Item = &Object> {
        self.old.iter().chain(&self.new).map(Arc::as_ref)
    }
}

/// The Service that a slice belongs to.
pub(super) fn service_of(namespace: &Arc<str>, slice: &EndpointSlice) -> Option<ServiceId> {
    let name = slice.metadata.labels.as_ref()?.get(SERVICE_NAME)?;
    Some(ServiceId {
        namespace: Arc::clone(namespace),
        name: name.as_str().into(),
    })
}

/// Adds `value` to the set of `key` or removes it; no empty set stays.
pub(super) fn put<K: Ord, V: Ord>(
    sets: &mut BTreeMap<K, BTreeSet<V>>,
    key: K,
    value: V,
    is_there: bool,
) {
    if is_there {
        sets.entry(key).or_default().insert(value);
    } else if let Some(set) = sets.get_mut(&key) {
        set.remove(&value);
        if set.is_empty() {
            sets.remove(&key);
        }
    }
}
