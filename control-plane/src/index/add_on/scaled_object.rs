//! The ScaledObject of an HTTPScaledObject: whether it is ours to write, and what it is to be like.

use std::sync::Arc;

use wakegate_api::{
    ScaledObject,
    http_add_on::{
        HTTP_SCALED_OBJECT_KEY, SKIP_SCALED_OBJECT, Scaling, orphans_scaled_object,
        skips_scaled_object,
    },
};

use crate::{
    index::{Index, Origin, workload::WorkloadId},
    object::{AddOnObject, Code, Finding, Kind, Object, ObjectId},
    wanted::{Owner, Takeover, Target, Trigger, WantedScaledObject},
};

/// As KEDA fills it in, whatever the kind.
const DEFAULT_API_VERSION: &str = "apps/v1";

impl Index {
    /// The ScaledObject of an HTTPScaledObject. Who has an InterceptorRoute writes it.
    pub(super) fn add_on_wanted(
        &self,
        id: &ObjectId,
        add_on: &AddOnObject,
        scaled: Option<&WorkloadId>,
        findings: &mut Vec<Finding>,
    ) -> Option<WantedScaledObject> {
        let scaling = add_on.reading.scaling.as_ref()?;
        let is_let_go = orphans_scaled_object(&add_on.metadata);
        if skips_scaled_object(&add_on.metadata) && !is_let_go {
            return None;
        }
        // There is none to let go, or it is done.
        if is_let_go && !self.has_scaled_object_of_ours(id) {
            return None;
        }
        let mut refuse = |field: &str, code, reason: String| {
            findings.push(Finding::new(id, field, reason).with(code));
        };
        let Some(scaled) = scaled else {
            let reason = "nothing is found to scale: name the workload".to_owned();
            refuse("spec.scaleTargetRef.name", Code::WorkloadUnclear, reason);
            return None;
        };
        let takes_over = match self.may_write_for(id, add_on, scaled) {
            Ok(takes_over) => takes_over,
            Err((code, reason)) => {
                refuse("", code, reason);
                return None;
            }
        };
        let Scaling {
            workload,
            min_replicas,
            max_replicas,
            cooldown,
            initial_cooldown,
        } = scaling.clone();
        let metadata = &add_on.metadata;
        let api_version = workload.and_then(|workload| workload.api_version);
        Some(WantedScaledObject {
            workload: WorkloadId::of_add_on(id).text(),
            namespace: Arc::clone(&id.namespace),
            name: id.name.as_ref().to_owned(),
            target: Target {
                api_version: api_version.unwrap_or_else(|| DEFAULT_API_VERSION.to_owned()),
                kind: scaled.kind.clone(),
                name: scaled.name.clone(),
            },
            owners: vec![Owner {
                kind: Kind::HttpScaledObject,
                name: id.name.as_ref().to_owned(),
                uid: metadata.uid.clone().unwrap_or_default(),
            }],
            min_replicas,
            max_replicas: max_replicas.get(),
            cooldown,
            initial_cooldown,
            trigger: Trigger::Object {
                kind: HTTP_SCALED_OBJECT_KEY,
                name: id.name.as_ref().to_owned(),
            },
            labels: metadata.labels.clone().unwrap_or_default(),
            annotations: metadata.annotations.clone().unwrap_or_default(),
            takes_over,
            is_let_go,
            origins: self.origins_of_add_on(id),
        })
    }

    fn has_scaled_object_of_ours(&self, id: &ObjectId) -> bool {
        self.scaled_object_named(id)
            .is_some_and(ScaledObject::is_ours)
    }

    /// The ScaledObject of an object's own name.
    fn scaled_object_named(&self, id: &ObjectId) -> Option<&ScaledObject> {
        let (namespace, name) = (Arc::clone(&id.namespace), Arc::clone(&id.name));
        let id = ObjectId::new(Kind::ScaledObject, namespace, name);
        let Object::ScaledObject(there) = self.objects.get(&id)? else {
            return None;
        };
        Some(there)
    }

    pub(super) fn origins_of_add_on(&self, id: &ObjectId) -> Vec<Arc<Origin>> {
        let routes = self.routes.get(id).into_iter();
        routes.map(|routes| Arc::clone(&routes.origin)).collect()
    }

    /// Whether the ScaledObject of an HTTPScaledObject is ours to write, and if so, what of the operator's is taken
    /// over; else why not.
    fn may_write_for(
        &self,
        id: &ObjectId,
        add_on: &AddOnObject,
        scaled: &WorkloadId,
    ) -> Result<Takeover, (Code, String)> {
        let own = ObjectId::new(
            Kind::ScaledObject,
            Arc::clone(&id.namespace),
            Arc::clone(&id.name),
        );
        let there = self.scaled_object_named(id);
        let is_ours = there.is_some_and(ScaledObject::is_ours);
        let target = scaled.target();
        let others = self.objects.scaled_objects(&id.namespace, &target);
        let mut others = others.filter(|(other, object)| **other != own && !object.is_ours());
        if let Some((other, _)) = others.next() {
            let reason = format!("{other} scales {target} already: remove one of the two");
            return Err((Code::ScaledElsewhere, reason));
        }
        let operator = self.objects.add_on_operator();
        if is_ours {
            // While the operator is here again, what it writes is its own.
            return Ok(match operator {
                Some(_) => Takeover::Nothing,
                None => Takeover::Fields,
            });
        }
        if let Some(there) = there {
            let owners = there.metadata.owner_references.iter().flatten();
            let is_controlled = owners.into_iter().any(|owner| {
                owner.controller == Some(true)
                    && owner.kind == id.kind.as_str()
                    && *owner.name == *id.name
                    && add_on
                        .metadata
                        .uid
                        .as_ref()
                        .is_none_or(|uid| *uid == owner.uid)
            });
            if !is_controlled {
                let reason = format!(
                    "{own} is there and not of this object: remove it, or say {SKIP_SCALED_OBJECT}: \"true\" and \
                     keep it"
                );
                return Err((Code::ScaledElsewhere, reason));
            }
        }
        match operator {
            Some(operator) => {
                let reason = format!(
                    "{operator}, the add-on's operator, still runs and writes {own}: once all routes lead to their \
                     own Services, scale it to zero, and the ScaledObject is taken over"
                );
                Err((Code::AddOnRuns, reason))
            }
            None if there.is_some() => Ok(Takeover::Whole),
            None => Ok(Takeover::Nothing),
        }
    }
}

pub(super) fn wants_scaled_object(add_on: &AddOnObject) -> bool {
    !skips_scaled_object(&add_on.metadata) && !orphans_scaled_object(&add_on.metadata)
}
