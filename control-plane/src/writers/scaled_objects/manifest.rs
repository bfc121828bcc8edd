//! A ScaledObject as it is to be, and whether it is so.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{super::MANAGED_BY, observed::Observed};
use crate::{
    config::KedaAuthentication,
    object::Kind,
    wanted::{Owner, Takeover, WantedScaledObject},
};

/// Carries the digest of what was applied last: a field that is no longer wanted shows nowhere else.
const APPLIED: &str = "wakegate.dev/applied";

/// What is the same in all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Common {
    /// Where KEDA finds the scaler.
    pub(super) scaler_address: Arc<str>,
    pub(super) polling_interval: Duration,
    /// With what KEDA shows who it is.
    pub(super) authentication: Option<KedaAuthentication>,
    /// Which version of KEDA's certificate there is. KEDA reads it when it makes a trigger's scaler, and goes on with
    /// what it read until that trigger changes.
    pub(super) certificate: Option<Arc<str>>,
}

/// A ScaledObject as it is to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Manifest {
    value: Value,
    /// Who owns it by us.
    owners: Vec<String>,
    takes_over: Takeover,
    is_let_go: bool,
}

impl Manifest {
    pub(super) fn new(wanted: &WantedScaledObject, common: &Common) -> Self {
        let mut metadata = wanted.trigger_metadata(common.polling_interval);
        let scaler_address = common.scaler_address.as_ref().to_owned();
        metadata.insert("scalerAddress".to_owned(), scaler_address);
        if let Some(version) = &common.certificate {
            metadata.insert("certificateVersion".to_owned(), version.as_ref().to_owned());
        }
        let owners = wanted.owners.iter().filter(|owner| !owner.uid.is_empty());
        let owners: Vec<Value> = owners.map(owner_reference).collect();
        let mut labels = wanted.labels.clone();
        labels.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
        let trigger = match &common.authentication {
            None => json!({"type": "external-push", "metadata": metadata}),
            Some(KedaAuthentication { kind, name }) => json!({
                "type": "external-push",
                "metadata": metadata,
                "authenticationRef": {"kind": kind, "name": name},
            }),
        };
        let mut manifest = json!({
            "apiVersion": Kind::ScaledObject.api_version(),
            "kind": Kind::ScaledObject.as_str(),
            "metadata": {
                "name": wanted.name,
                "namespace": &*wanted.namespace,
                "labels": labels,
                "annotations": wanted.annotations,
                "ownerReferences": owners,
            },
            "spec": {
                "scaleTargetRef": {
                    "apiVersion": wanted.target.api_version,
                    "kind": wanted.target.kind,
                    "name": wanted.target.name,
                },
                "pollingInterval": seconds(common.polling_interval),
                "cooldownPeriod": seconds(wanted.cooldown),
                "initialCooldownPeriod": seconds(wanted.initial_cooldown),
                "minReplicaCount": wanted.min_replicas,
                "maxReplicaCount": wanted.max_replicas,
                // Without it a ScaledObject that is deleted at zero leaves its workload there.
                "advanced": {"restoreToOriginalReplicaCount": true},
                "triggers": [trigger],
            },
        });
        let digest = digest(&manifest);
        if let Some(annotations) = manifest.pointer_mut("/metadata/annotations") {
            annotations[APPLIED] = digest.into();
        }
        Self {
            value: manifest,
            owners: wanted.owners.iter().map(|it| it.uid.clone()).collect(),
            takes_over: wanted.takes_over,
            is_let_go: wanted.is_let_go,
        }
    }

    /// What is sent.
    pub(super) fn as_value(&self) -> &Value {
        &self.value
    }

    /// Whether fields of another's are taken over with it, as it is there now.
    pub(super) fn takes_over(&self, observed: Option<&Observed>) -> bool {
        match self.takes_over {
            Takeover::Nothing => false,
            Takeover::Whole => true,
            Takeover::Fields => observed.is_some_and(|it| it.has_operators_trigger),
        }
    }

    /// Whether it is to be nobody's.
    pub(super) fn is_let_go(&self) -> bool {
        self.is_let_go
    }

    /// What makes it nobody's: without the marks by which it is ours, and without who owns it.
    pub(super) fn letting_go(&self, observed: &Observed) -> Value {
        let owners = observed.content.pointer("/metadata/ownerReferences");
        let owners = owners.and_then(Value::as_array).into_iter().flatten();
        let is_other = |owner: &&Value| {
            let uid = owner.get("uid").and_then(Value::as_str);
            uid.is_none_or(|uid| self.owners.iter().all(|ours| ours != uid))
        };
        let others: Vec<&Value> = owners.filter(is_other).collect();
        json!({"metadata": {
            "uid": observed.uid,
            "labels": {MANAGED_BY.0: null},
            "annotations": {APPLIED: null},
            "ownerReferences": others,
        }})
    }

    /// Whether an object is as this says. What others added to it does not matter.
    pub(super) fn agrees_with(&self, observed: &Observed) -> bool {
        includes(&observed.content, &self.value)
    }
}

fn owner_reference(owner: &Owner) -> Value {
    let Owner { kind, name, uid } = owner;
    let (version, name_of_kind) = (kind.api_version(), kind.as_str());
    if *kind == Kind::HttpScaledObject {
        // As the add-on has it, so that either takes over what the other has left.
        return json!({
            "apiVersion": version, "kind": name_of_kind, "name": name, "uid": uid,
            "controller": true, "blockOwnerDeletion": true,
        });
    }
    json!({"apiVersion": version, "kind": name_of_kind, "name": name, "uid": uid})
}

/// Whether all of `part` is in `whole`. Of lists of objects with a `uid`, in any order; others whole.
fn includes(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, part)| whole.get(key).is_some_and(|whole| includes(whole, part))),
        (Value::Array(whole), Value::Array(part)) => {
            let is_set = part.iter().all(|part| part.get("uid").is_some());
            if is_set {
                return part
                    .iter()
                    .all(|part| whole.iter().any(|whole| includes(whole, part)));
            }
            let mut pairs = whole.iter().zip(part);
            whole.len() == part.len() && pairs.all(|(whole, part)| includes(whole, part))
        }
        (whole, part) => whole == part,
    }
}

fn digest(manifest: &Value) -> String {
    let digest = Sha256::digest(manifest.to_string());
    let bytes = digest.iter().take(8);
    bytes.fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Whole seconds, never shorter than asked for.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writers::scaled_objects::tests::{common, observed, wanted};

    #[test]
    fn an_object_agrees_whatever_others_add_to_it() {
        let manifest = Manifest::new(&wanted(), &common());
        let other = json!({"apiVersion": "v1", "kind": "X", "name": "x", "uid": "x"});
        let observed = observed(&manifest, |object| {
            object["spec"]["idleReplicaCount"] = 0.into();
            let owners = object["metadata"]["ownerReferences"].as_array_mut();
            owners.unwrap().insert(0, other);
        });
        assert!(manifest.agrees_with(&observed));
    }

    #[test]
    fn an_object_disagrees_when_a_field_of_ours_is_another() {
        let manifest = Manifest::new(&wanted(), &common());
        for (pointer, value) in [
            ("/spec/maxReplicaCount", json!(7)),
            ("/spec/triggers/0/metadata/scalerAddress", json!("other:1")),
            ("/spec/triggers", json!([])),
            ("/metadata/ownerReferences", json!([])),
            ("/metadata/labels", json!({})),
        ] {
            let observed = observed(&manifest, |object| {
                *object.pointer_mut(pointer).unwrap() = value;
            });
            assert!(!manifest.agrees_with(&observed), "{pointer}");
        }
    }

    #[test]
    fn what_is_no_longer_wanted_shows_as_well() {
        let mut before = wanted();
        let annotation = ("autoscaling.keda.sh/paused".to_owned(), "true".to_owned());
        before.annotations.extend([annotation]);
        let observed = observed(&Manifest::new(&before, &common()), |_| {});
        let now = Manifest::new(&wanted(), &common());
        assert!(!now.agrees_with(&observed));
    }

    #[test]
    fn only_what_we_applied_under_our_label_is_ours() {
        let manifest = Manifest::new(&wanted(), &common());
        assert!(observed(&manifest, |_| {}).is_ours);
        let of_kubectl = observed(&manifest, |object| {
            object["metadata"]["managedFields"][0]["manager"] = "kubectl".into();
        });
        assert!(!of_kubectl.is_ours);
        let unlabelled = observed(&manifest, |object| {
            object["metadata"]["labels"] = json!({});
        });
        assert!(!unlabelled.is_ours);
    }

    #[test]
    fn what_the_operator_wrote_since_is_taken_over_and_what_others_wrote_is_not() {
        let by = |manager: &str, takes_over| {
            let mut wanted = wanted();
            wanted.takes_over = takes_over;
            let manifest = Manifest::new(&wanted, &common());
            let observed = observed(&manifest, |object| {
                let entry = json!({
                    "manager": manager, "operation": "Update", "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:spec": {"f:triggers": {}}},
                });
                let managers = object["metadata"]["managedFields"].as_array_mut();
                managers.unwrap().push(entry);
            });
            manifest.takes_over(Some(&observed))
        };
        assert!(by("operator", Takeover::Fields));
        assert!(!by("gitops", Takeover::Fields));
        assert!(!by("operator", Takeover::Nothing));
    }

    #[test]
    fn a_manifest_has_what_keda_needs() {
        let manifest = Manifest::new(&wanted(), &common());
        let value = manifest.as_value();
        assert_eq!(value["spec"]["initialCooldownPeriod"], 300);
        // Rounded up: half a second less is a cooldown that is too short.
        assert_eq!(value["spec"]["cooldownPeriod"], 3);
        let trigger = &value["spec"]["triggers"][0];
        assert_eq!(trigger["type"], "external-push");
        assert_eq!(trigger["metadata"]["scalerAddress"], "scaler:9090");
        let owner = &value["metadata"]["ownerReferences"];
        let expected =
            json!([{"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "svc-1"}]);
        assert_eq!(*owner, expected);
    }

    #[test]
    fn a_trigger_names_with_what_keda_shows_who_it_is() {
        let plain = Manifest::new(&wanted(), &common());
        let authentication = Some("wakegate".parse().unwrap());
        let common = Common {
            authentication,
            ..common()
        };
        let secured = Manifest::new(&wanted(), &common);
        assert_eq!(
            secured.as_value()["spec"]["triggers"][0]["authenticationRef"],
            json!({"kind": "ClusterTriggerAuthentication", "name": "wakegate"})
        );
        let trigger = &plain.as_value()["spec"]["triggers"][0];
        assert_eq!(trigger.get("authenticationRef"), None);
        // Neither is taken for the other when TLS comes or goes.
        assert!(!secured.agrees_with(&observed(&plain, |_| {})));
        assert!(!plain.agrees_with(&observed(&secured, |_| {})));
    }

    #[test]
    fn another_certificate_of_kedas_makes_another_trigger() {
        let of = |version: &str| {
            let common = Common {
                certificate: Some(version.into()),
                ..common()
            };
            Manifest::new(&wanted(), &common)
        };
        let (first, second) = (of("1"), of("2"));
        let metadata = &first.as_value()["spec"]["triggers"][0]["metadata"];
        assert_eq!(metadata["certificateVersion"], "1");
        assert!(first.agrees_with(&observed(&first, |_| {})));
        assert!(!second.agrees_with(&observed(&first, |_| {})));
    }
}
