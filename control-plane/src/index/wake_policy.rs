//! WakePolicies: which one is in force on what, and what became of each.

use std::{collections::BTreeSet, sync::Arc};

use wakegate_api::{
    ScaleTarget,
    wake_policy::{Rules, TargetRef},
};

use super::{Dirty, Index, ServiceId, objects::Objects, reader};
use crate::{
    object::{Code, Finding, Kind, Object, ObjectId, WakePolicyObject},
    wanted::{AncestorVerdict, PolicyVerdict, Refusal},
};

/// Another policy has the target.
const CONFLICTED: &str = "Conflicted";

/// A policy that is in force somewhere.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct InForce {
    /// Milliseconds since the Unix epoch.
    created_ms: u64,
    pub(super) id: ObjectId,
    pub(super) rules: Arc<Rules>,
}

impl InForce {
    /// By which of two that say different things the older counts; of one age the first by name.
    pub(super) fn age(&self) -> (u64, &ObjectId) {
        (self.created_ms, &self.id)
    }
}

/// What a policy is about, from what is the least to what is the most particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Service,
    Route,
    /// A port of a Service.
    Port,
    /// A rule of a route.
    Rule,
}

/// Every object that a policy names: its targets, and what it scales.
pub(super) fn named_by(id: &ObjectId, policy: &WakePolicyObject) -> BTreeSet<ObjectId> {
    let targets = policy.rules.targets.iter();
    let targets = targets.filter_map(|target| target_id(id, target));
    let workload = policy.rules.settings.scale_target.as_ref();
    let workload = workload.and_then(|workload| workload_id(id, workload));
    targets.chain(workload).collect()
}

fn target_id(policy: &ObjectId, target: &TargetRef) -> Option<ObjectId> {
    let kinds = [
        Kind::HttpRoute,
        Kind::GrpcRoute,
        Kind::Ingress,
        Kind::Service,
    ];
    let is_it = |kind: &Kind| kind.as_str() == target.kind && kind.group() == target.group;
    let kind = kinds.into_iter().find(is_it)?;
    Some(beside(policy, kind, &target.name))
}

/// None for a kind that nobody here watches.
fn workload_id(policy: &ObjectId, workload: &ScaleTarget) -> Option<ObjectId> {
    let kinds = [Kind::Deployment, Kind::StatefulSet];
    let kind = kinds
        .into_iter()
        .find(|kind| kind.as_str() == workload.kind)?;
    let version = workload.api_version.as_deref();
    let is_it = version.is_none_or(|version| version == kind.api_version());
    is_it.then(|| beside(policy, kind, &workload.name))
}

fn beside(policy: &ObjectId, kind: Kind, name: &str) -> ObjectId {
    ObjectId::new(kind, Arc::clone(&policy.namespace), name)
}

impl Objects {
    /// The policy in force on an object, or on a part of it: the oldest that is about just that.
    pub(super) fn policy_on(&self, target: &ObjectId, section: Option<&str>) -> Option<InForce> {
        let all = self.policies_naming(target).filter_map(|id| {
            let policy = self.policy(id)?;
            let (kind, name) = (target.kind.as_str(), &target.name);
            policy.rules.is_about(kind, name, section).then(|| InForce {
                created_ms: reader::created_ms(&policy.metadata),
                id: id.clone(),
                rules: Arc::clone(&policy.rules),
            })
        });
        all.min_by(|one, other| one.age().cmp(&other.age()))
    }

    /// The policies on a Service and on a port of that name.
    pub(super) fn policies_on_port(
        &self,
        service: &ServiceId,
        port: Option<&str>,
    ) -> [Option<(Level, InForce)>; 2] {
        let service = service.object();
        let on_port = port.and_then(|name| self.policy_on(&service, Some(name)));
        let on_service = self.policy_on(&service, None);
        [
            on_port.map(|it| (Level::Port, it)),
            on_service.map(|it| (Level::Service, it)),
        ]
    }

    fn policy(&self, id: &ObjectId) -> Option<&WakePolicyObject> {
        let Object::WakePolicy(policy) = self.get(id)? else {
            return None;
        };
        Some(policy)
    }

    /// Whether a target is there, and the part of it that is meant; else what is not.
    fn find(&self, id: &ObjectId, section: Option<&str>) -> Result<(), String> {
        let names: Vec<&str> = match self.get(id) {
            None => return Err(format!("there is no {id}")),
            Some(Object::HttpRoute(route)) => {
                let rules = route.spec.rules.iter().flatten();
                rules.filter_map(|rule| rule.name.as_deref()).collect()
            }
            Some(Object::GrpcRoute(route)) => {
                let rules = route.spec.rules.iter().flatten();
                rules.filter_map(|rule| rule.name.as_deref()).collect()
            }
            Some(Object::Service(service)) => {
                let ports = service.spec.iter().flat_map(|spec| &spec.ports).flatten();
                ports.filter_map(|port| port.name.as_deref()).collect()
            }
            Some(_) => Vec::new(),
        };
        match section {
            Some(section) if !names.contains(&section) => {
                let part = if id.kind == Kind::Service {
                    "port"
                } else {
                    "rule"
                };
                let names = if names.is_empty() {
                    "none has a name".to_owned()
                } else {
                    format!("named are {}", names.join(", "))
                };
                Err(format!("{id} has no {part} {section:?}: {names}"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Index {
    /// Marks what follows from a policy that came, went or changed.
    pub(super) fn mark_policy(&self, id: &ObjectId, policy: &WakePolicyObject, dirty: &mut Dirty) {
        dirty.policies.insert(id.clone());
        for named in named_by(id, policy) {
            // Who shares a target with it may win or lose by it.
            let others = self.objects.policies_naming(&named);
            dirty.policies.extend(others.cloned());
            if named.kind == Kind::Service {
                self.mark_service(&named, dirty);
            } else if self.routes.contains_key(&named) {
                dirty.routes.insert(named);
            }
        }
    }

    /// Says what became of a policy.
    pub(super) fn renew_policy(&mut self, id: &ObjectId) {
        let mut findings = Vec::new();
        let verdict = self
            .objects
            .policy(id)
            .map(|policy| self.verdict(id, policy, &mut findings));
        self.table.set_findings(&id.to_string(), &findings);
        self.table.set_policy(id, verdict);
    }

    fn verdict(
        &self,
        id: &ObjectId,
        policy: &WakePolicyObject,
        findings: &mut Vec<Finding>,
    ) -> PolicyVerdict {
        let resolved_refs = self.resolved_refs(id, &policy.rules);
        if let Err(Refusal { message, .. }) = &resolved_refs {
            findings.push(Finding::new(id, "spec.scale.target", message));
        }
        let targets = policy.rules.targets.iter().enumerate();
        let ancestors = targets.map(|(at, target)| {
            let accepted = self.accepted(id, target);
            if let Err(Refusal { reason, message }) = &accepted {
                let code = if *reason == CONFLICTED {
                    Code::Conflicted
                } else {
                    Code::Invalid
                };
                let field = format!("spec.targetRefs[{at}]");
                findings.push(Finding::new(id, field, message).with(code));
            }
            AncestorVerdict {
                target: target.clone(),
                accepted,
                resolved_refs: resolved_refs.clone(),
                loses: self.loses(id, target),
                origins: self.origins_of_target(id, target),
            }
        });
        PolicyVerdict {
            generation: policy.metadata.generation.unwrap_or_default(),
            ancestors: ancestors.collect(),
        }
    }

    fn accepted(&self, id: &ObjectId, target: &TargetRef) -> Result<(), Refusal> {
        let section = target.section_name.as_deref();
        let not_found = |message: String| Refusal {
            reason: "TargetNotFound",
            message,
        };
        let Some(target) = target_id(id, target) else {
            let TargetRef { group, kind, .. } = target;
            let message = format!("{kind} of group {group:?} can be no target");
            return Err(not_found(message));
        };
        self.objects.find(&target, section).map_err(not_found)?;
        match self.objects.policy_on(&target, section) {
            Some(older) if older.id != *id => Err(Refusal {
                reason: CONFLICTED,
                message: format!(
                    "{} is older and about {target} as well: say all in one of the two",
                    older.id
                ),
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn resolved_refs(&self, id: &ObjectId, rules: &Rules) -> Result<(), Refusal> {
        let named = rules.settings.scale_target.as_ref();
        match named.and_then(|workload| workload_id(id, workload)) {
            Some(workload) if self.objects.workload(&workload).is_none() => Err(Refusal {
                reason: "WorkloadNotFound",
                message: format!("there is no {workload}"),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Why requests of a target are lost while it is asleep, by what was found on its routes.
    fn loses(&self, id: &ObjectId, target: &TargetRef) -> Option<Refusal> {
        let target = target_id(id, target)?;
        let service = ServiceId::from(&target);
        let users = self.users_of(&service);
        let users = users.filter(|_| target.kind == Kind::Service);
        let own = self.routes.get_key_value(&target);
        let mut found = own
            .into_iter()
            .chain(users)
            .flat_map(|(_, it)| &it.findings);
        let found = found.find(|it| it.code == Code::RoutesToEndpoints)?;
        Some(Refusal {
            reason: found.code.as_str(),
            message: found.to_string(),
        })
    }

    /// Where the routes belong that a policy is in force for by one of its targets.
    fn origins_of_target(&self, id: &ObjectId, target: &TargetRef) -> Vec<Arc<super::Origin>> {
        match target_id(id, target) {
            Some(target) if target.kind == Kind::Service => {
                self.origins_of(&BTreeSet::from([ServiceId::from(&target)]))
            }
            Some(target) => {
                let routes = self.routes.get(&target);
                let routes = routes.filter(|routes| !routes.routes.is_empty());
                routes.iter().map(|it| Arc::clone(&it.origin)).collect()
            }
            None => Vec::new(),
        }
    }
}
