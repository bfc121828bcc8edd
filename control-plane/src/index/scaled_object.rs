//! A workload and what is said of it -> the ScaledObject that it should have, or why it should have none.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use wakegate_api::annotations::PREFIX;

use super::{Index, Origin, ServiceId, scaling::Scaling, workload::WorkloadId};
use crate::{
    object::{Code, Finding, Kind, Object, ObjectId},
    wanted::{Owner, Takeover, Target, Trigger, WantedScaledObject},
};

/// KEDA makes `keda-hpa-<name>` of it, which becomes the value of a label: at most 63 characters.
const MAX_NAME: usize = 54;

/// Bytes of the digest at the end of a name: enough that two of one namespace never have the same.
const DIGEST_BYTES: usize = 4;

impl Index {
    /// The ScaledObject of a workload, none where it is for someone else to write.
    pub(super) fn wanted(
        &self,
        id: &WorkloadId,
        members: &BTreeSet<ServiceId>,
        scaling: &Scaling,
        findings: &mut Vec<Finding>,
    ) -> Option<WantedScaledObject> {
        if scaling.is_external {
            return None;
        }
        let target = match self.target_of(id, members) {
            Ok(target) => target,
            Err(reason) => {
                let reason = format!("nothing is found to scale: {reason}");
                self.tell_those_who_opt_in(members, Code::WorkloadUnclear, &reason, findings);
                return None;
            }
        };
        if let Some(other) = self.foreign_scaler(id) {
            let reason = format!(
                "{other} scales {target} already: remove it, or say {PREFIX}scaled-object: external and \
                 give it a trigger of type external-push with the metadata workload: {target}",
                target = id.target()
            );
            self.tell(members, Code::ScaledElsewhere, &reason, findings);
            return None;
        }
        if let Some(other) = self.http_scaled_object_of(id) {
            let reason = format!(
                "{other} has {target} scaled: remove one of the two",
                target = id.target()
            );
            self.tell_those_who_opt_in(members, Code::ScaledElsewhere, &reason, findings);
            return None;
        }
        let Scaling {
            min_replicas,
            max_replicas,
            cooldown,
            initial_cooldown,
            targets,
            is_paused: _,
            is_external: _,
            pausing,
        } = scaling.clone();
        Some(WantedScaledObject {
            workload: id.text(),
            namespace: Arc::clone(&id.namespace),
            name: self.name_of(id),
            target,
            owners: members.iter().map(|member| self.owner(member)).collect(),
            min_replicas,
            max_replicas,
            cooldown,
            initial_cooldown,
            trigger: Trigger::Workload(targets),
            labels: BTreeMap::new(),
            annotations: pausing,
            takes_over: Takeover::Nothing,
            is_let_go: false,
            origins: self.origins_of(members),
        })
    }

    fn owner(&self, service: &ServiceId) -> Owner {
        let object = self.objects.service(service);
        Owner {
            kind: Kind::Service,
            name: service.name.as_ref().to_owned(),
            uid: object
                .and_then(|object| object.metadata.uid.clone())
                .unwrap_or_default(),
        }
    }

    /// Where the routes belong that lead to these Services.
    pub(super) fn origins_of(&self, members: &BTreeSet<ServiceId>) -> Vec<Arc<Origin>> {
        let mut origins: Vec<Arc<Origin>> = Vec::new();
        for (_, routes) in members.iter().flat_map(|member| self.users_of(member)) {
            if !origins.contains(&routes.origin) {
                origins.push(Arc::clone(&routes.origin));
            }
        }
        origins
    }

    /// What is scaled; why that is not clear.
    fn target_of(&self, id: &WorkloadId, members: &BTreeSet<ServiceId>) -> Result<Target, String> {
        let states = members
            .iter()
            .filter_map(|member| self.services.get(member));
        if let Some(unclear) = states.clone().find_map(|state| state.unclear.clone()) {
            return Err(unclear);
        }
        let named = states
            .filter_map(|state| state.named.as_ref())
            .find_map(|named| named.api_version.clone());
        let api_version = match (id.object(), named) {
            (Some(object), _) if self.objects.workload(&object).is_none() => {
                return Err(format!(
                    "there is no {object}: name what there is with {PREFIX}scale-target"
                ));
            }
            (_, Some(named)) => named,
            (Some(object), None) => object.kind.api_version().to_owned(),
            (None, None) => {
                return Err(format!(
                    "{kind} is no kind of apps/v1: write {PREFIX}scale-target: group/version/{target}",
                    kind = id.kind,
                    target = id.target()
                ));
            }
        };
        Ok(Target {
            api_version,
            kind: id.kind.clone(),
            name: id.name.clone(),
        })
    }

    /// Who else scales it: a ScaledObject that is not ours, or an autoscaler that is not KEDA's.
    fn foreign_scaler(&self, id: &WorkloadId) -> Option<ObjectId> {
        let target = id.target();
        let scaled = self.objects.scaled_objects(&id.namespace, &target);
        let foreign = scaled
            .filter(|(_, object)| !object.is_ours())
            .map(|(id, _)| id);
        let autoscalers = self.objects.autoscalers(&id.namespace, &target);
        let not_keda = autoscalers.filter(|(_, autoscaler)| {
            let mut owners = autoscaler.metadata.owner_references.iter().flatten();
            !owners.any(|owner| owner.kind == Kind::ScaledObject.as_str())
        });
        foreign.chain(not_keda.map(|(id, _)| id)).min().cloned()
    }

    /// The name of its ScaledObject. It follows from the workload alone, so that it stays when another
    /// workload of that name comes: a Deployment has its own name, every other kind a digest behind it.
    fn name_of(&self, id: &WorkloadId) -> String {
        let is_plain = id.kind == Kind::Deployment.as_str() && id.name.len() <= MAX_NAME;
        let taken = ObjectId::new(
            Kind::ScaledObject,
            Arc::clone(&id.namespace),
            id.name.as_str(),
        );
        // A ScaledObject of someone else's is never written to, whatever it scales.
        if is_plain && !self.objects.is_foreign_scaled_object(&taken) {
            return id.name.clone();
        }
        digested(&id.name, &id.target())
    }

    /// A finding on the Services, and on the routes to them that are ours by themselves.
    fn tell(
        &self,
        members: &BTreeSet<ServiceId>,
        code: Code,
        reason: &str,
        findings: &mut Vec<Finding>,
    ) {
        let services = members.iter().map(ServiceId::object);
        findings.extend(services.map(|service| Finding::new(&service, "", reason).with(code)));
        self.tell_routes(members, code, reason, findings);
    }

    /// A finding on the Services and routes that are ours by themselves.
    fn tell_those_who_opt_in(
        &self,
        members: &BTreeSet<ServiceId>,
        code: Code,
        reason: &str,
        findings: &mut Vec<Finding>,
    ) {
        let said = members.iter().filter_map(|member| {
            let service = self.objects.service(member)?;
            let (settings, _) = super::reader::settings(&service.metadata);
            let id = member.object();
            let mut policies = self.objects.policies_naming(&id);
            let opts_in = settings.scale_to_zero == Some(true) || policies.next().is_some();
            opts_in.then_some(id)
        });
        let on = |object: ObjectId| Finding::new(&object, self.opt_in(&object), reason).with(code);
        findings.extend(said.map(on));
        self.tell_routes(members, code, reason, findings);
    }

    fn tell_routes(
        &self,
        members: &BTreeSet<ServiceId>,
        code: Code,
        reason: &str,
        findings: &mut Vec<Finding>,
    ) {
        let users = members.iter().flat_map(|member| self.users_of(member));
        let users: BTreeSet<&ObjectId> = users
            .filter(|(user, routes)| routes.opts_in && !user.is_add_on())
            .map(|(user, _)| user)
            .collect();
        let on = |object| Finding::new(object, self.opt_in(object), reason).with(code);
        findings.extend(users.into_iter().map(on));
    }

    /// The annotation by which an object is ours; empty for one that is so by a policy.
    fn opt_in(&self, id: &ObjectId) -> String {
        let metadata = self.objects.get(id).map(Object::metadata);
        let said = metadata.map(|metadata| super::reader::settings(metadata).0);
        match said.and_then(|said| said.scale_to_zero) {
            Some(true) => format!("metadata.annotations[{PREFIX}scale-to-zero]"),
            Some(false) | None => String::new(),
        }
    }
}

/// As much of a name as has room before the digest of what it stands for.
fn digested(name: &str, what: &str) -> String {
    let room = MAX_NAME - 1 - 2 * DIGEST_BYTES;
    let head: String = name.chars().take(room).collect();
    // A part of a name may not end in what parts it.
    let head = head.trim_end_matches(|last: char| !last.is_ascii_alphanumeric());
    let mut digested = format!("{head}-");
    for byte in Sha256::digest(what).iter().take(DIGEST_BYTES) {
        // Writing into a String cannot fail.
        let _ = write!(digested, "{byte:02x}");
    }
    digested
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digested_name_is_short_enough_and_a_name() {
        let long = "a".repeat(80);
        let name = digested(&long, "Deployment/a");
        assert_eq!(name.len(), MAX_NAME);
        assert!(format!("keda-hpa-{name}").len() <= 63);
        let dotted = format!("{}.{long}", "a".repeat(44));
        assert!(!digested(&dotted, "Deployment/a").contains(".-"));
        assert_ne!(
            digested(&long, "Deployment/a"),
            digested(&long, "StatefulSet/a")
        );
    }
}
