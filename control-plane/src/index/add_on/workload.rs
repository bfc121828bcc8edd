//! What KEDA scales for an InterceptorRoute or an HTTPScaledObject: one workload for each, with its own key and its
//! own targets, whatever else leads to the same Service.

use std::{sync::Arc, time::Duration};

use wakegate_api::{
    http_add_on::{HTTP_SCALED_OBJECT_KEY, INTERCEPTOR_ROUTE_KEY, Metrics, Reading},
    scaled_object::pauses_at_zero,
};
use wakegate_core::Key;
use wakegate_wire::v1;

use super::{key, scaled_object::wants_scaled_object};
use crate::{
    index::{Dirty, Index, ServiceId, objects::put, workload::WorkloadId},
    object::{AddOnObject, Kind, Object, ObjectId},
};

impl WorkloadId {
    /// That of an object of the add-on's kinds.
    pub(in crate::index) fn of_add_on(id: &ObjectId) -> Self {
        Self {
            namespace: Arc::clone(&id.namespace),
            kind: id.kind.as_str().to_owned(),
            name: id.name.as_ref().to_owned(),
        }
    }

    /// The object of the add-on's kinds that it is there for.
    pub(in crate::index) fn add_on(&self) -> Option<ObjectId> {
        let kinds = [Kind::InterceptorRoute, Kind::HttpScaledObject];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == self.kind)?;
        let (namespace, name) = (Arc::clone(&self.namespace), self.name.as_str());
        Some(ObjectId::new(kind, namespace, name))
    }
}

impl Index {
    /// Makes the workload of an object of the add-on's new.
    pub(in crate::index) fn renew_add_on(
        &mut self,
        id: &WorkloadId,
        object: &ObjectId,
        dirty: &mut Dirty,
    ) {
        let mut findings = Vec::new();
        let service = self.members.get(id).and_then(|members| members.first());
        let service = service.cloned();
        let add_on = self.add_on(object).cloned();
        let there = add_on.as_ref().zip(service.as_ref());
        let scaled = there.and_then(|(add_on, service)| self.scaled_by(object, add_on, service));
        self.stand_in(id, scaled.clone(), dirty);
        let wanted = there.and_then(|(add_on, _)| {
            self.add_on_wanted(object, add_on, scaled.as_ref(), &mut findings)
        });
        let is_paused = scaled.as_ref().is_some_and(|scaled| {
            let target = scaled.target();
            let mut objects = self.objects.scaled_objects(&scaled.namespace, &target);
            objects.any(|(_, object)| object.is_paused_at_zero())
        });
        let is_paused = is_paused
            || wanted
                .as_ref()
                .is_some_and(|it| pauses_at_zero(&it.annotations));
        let message = there.map(|(add_on, service)| {
            self.add_on_message(object, &add_on.reading, (service, scaled.as_ref()))
        });
        self.set_paused(id, is_paused && there.is_some());
        if let Some(service) = service {
            self.show_backends(&service);
        }
        let text = id.text();
        self.table
            .set_findings(&format!("workload {text}"), &findings);
        self.table.set_scaled_object(&text, wanted);
        self.table.set_workload(text, message);
    }

    pub(in crate::index) fn add_on(&self, id: &ObjectId) -> Option<&AddOnObject> {
        let Object::AddOn(object) = self.objects.get(id)? else {
            return None;
        };
        Some(object)
    }

    /// What is scaled: what an HTTPScaledObject names, else what stands behind the Service.
    fn scaled_by(
        &self,
        id: &ObjectId,
        add_on: &AddOnObject,
        service: &ServiceId,
    ) -> Option<WorkloadId> {
        let named = add_on.reading.scaling.as_ref();
        let named = named.and_then(|scaling| scaling.workload.as_ref());
        if let Some(named) = named {
            return Some(WorkloadId {
                namespace: Arc::clone(&id.namespace),
                kind: named.kind.clone(),
                name: named.name.clone(),
            });
        }
        self.services.get(service)?.behind.clone()
    }

    /// Keeps for which workload of Kubernetes an object of the add-on's stands.
    fn stand_in(&mut self, id: &WorkloadId, scaled: Option<WorkloadId>, dirty: &mut Dirty) {
        let before = match scaled.clone() {
            Some(scaled) => self.scaled.insert(id.clone(), scaled),
            None => self.scaled.remove(id),
        };
        if before == scaled {
            return;
        }
        for (scaled, is_there) in [(before, false), (scaled, true)] {
            if let Some(scaled) = scaled {
                put(&mut self.stand_ins, scaled.clone(), id.clone(), is_there);
                // Whether it has a ScaledObject by another way depends on it.
                dirty.workloads.insert(scaled);
            }
        }
    }

    /// The HTTPScaledObject that has a workload scaled.
    pub(in crate::index) fn http_scaled_object_of(&self, id: &WorkloadId) -> Option<ObjectId> {
        let stand_ins = self.stand_ins.get(id).into_iter().flatten();
        let mut objects = stand_ins.filter_map(WorkloadId::add_on);
        objects.find(|object| {
            let add_on = self.add_on(object);
            object.kind == Kind::HttpScaledObject && add_on.is_some_and(wants_scaled_object)
        })
    }

    fn add_on_message(
        &self,
        id: &ObjectId,
        reading: &Reading,
        (service, scaled): (&ServiceId, Option<&WorkloadId>),
    ) -> v1::Workload {
        let kind = if id.kind == Kind::HttpScaledObject {
            HTTP_SCALED_OBJECT_KEY
        } else {
            INTERCEPTOR_ROUTE_KEY
        };
        let state = self.services.get(service);
        // What other routes bring to the Service is counted under it, and is demand all the same.
        let is_shared = state.is_some_and(|state| {
            let mut workloads = state.workloads.iter();
            workloads.any(|id| id.add_on().is_none())
        });
        let shared = is_shared.then(|| Key::service(&service.namespace, &service.name));
        let keys = std::iter::once(key(id, &self.objects)).chain(shared);
        let n_ready = state.map_or(0, |state| state.endpoints.instances.len());
        let workload = scaled.and_then(WorkloadId::object);
        let workload = workload.and_then(|object| self.objects.workload(&object));
        v1::Workload {
            id: WorkloadId::of_add_on(id).text().as_ref().to_owned(),
            namespace: id.namespace.as_ref().to_owned(),
            keys: keys.map(|key| key.as_str().to_owned()).collect(),
            aliases: vec![v1::Alias {
                kind: kind.to_owned(),
                name: id.name.as_ref().to_owned(),
            }],
            targets: Some(targets(&reading.metrics)),
            ready_endpoints: u32::try_from(n_ready).unwrap_or(u32::MAX),
            replicas: workload.map(|workload| workload.replicas),
        }
    }

    /// What to make new when the add-on's operator comes or goes.
    pub(in crate::index) fn mark_http_scaled_objects(&self, dirty: &mut Dirty) {
        let ids = self.members.keys();
        let ids = ids.filter(|id| id.kind == Kind::HttpScaledObject.as_str());
        dirty.workloads.extend(ids.cloned());
        let ids = self.routes.keys().filter(|id| id.is_add_on());
        dirty.add_ons.extend(ids.cloned());
    }
}

fn targets(metrics: &Metrics) -> v1::Targets {
    let Metrics {
        concurrency,
        request_rate,
    } = metrics;
    let rate = request_rate.map(|rate| {
        // The wire counts in whole milliseconds.
        let granularity = Duration::from_millis(millis(rate.granularity).max(1));
        let factor = granularity.as_secs_f64() / rate.granularity.as_secs_f64();
        (f64::from(rate.target.get()) * factor, granularity)
    });
    v1::Targets {
        concurrency: concurrency.map_or(0.0, |target| f64::from(target.get())),
        rate: rate.map_or(0.0, |(target, _)| target),
        rate_window_ms: request_rate.map_or(0, |rate| millis(rate.window).max(1)),
        rate_granularity_ms: rate.map_or(0, |(_, granularity)| millis(granularity)),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use wakegate_api::http_add_on::RequestRate;

    use super::*;

    #[test]
    fn a_rate_keeps_its_meaning_whatever_its_grain() {
        let of = |granularity| {
            let request_rate = Some(RequestRate {
                target: NonZeroU32::new(3).unwrap(),
                window: Duration::from_secs(30),
                granularity,
            });
            let metrics = Metrics {
                concurrency: None,
                request_rate,
            };
            let targets = targets(&metrics);
            (targets.rate, targets.rate_granularity_ms)
        };
        assert_eq!(of(Duration::from_millis(1_500)), (3.0, 1_500));
        let (target, granularity) = of(Duration::from_micros(500));
        assert!((target - 6.0).abs() < 1e-9, "{target}");
        assert_eq!(granularity, 1);
    }
}
