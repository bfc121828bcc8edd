//! What the tests of the parts have in common.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use wakegate_wire::v1;

use super::{
    manifest::{Common, Manifest},
    observed::Observed,
};
use crate::{
    object::Kind,
    wanted::{Owner, Takeover, Target, Trigger, WantedScaledObject},
};

pub(super) fn wanted() -> WantedScaledObject {
    WantedScaledObject {
        workload: "shop/Deployment/web".into(),
        namespace: "shop".into(),
        name: "web".to_owned(),
        target: Target {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            name: "web".to_owned(),
        },
        owners: vec![Owner {
            kind: Kind::Service,
            name: "web".to_owned(),
            uid: "svc-1".to_owned(),
        }],
        min_replicas: 0,
        max_replicas: 10,
        cooldown: Duration::from_millis(2_500),
        initial_cooldown: Duration::from_mins(5),
        trigger: Trigger::Workload(v1::Targets::default()),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        takes_over: Takeover::Nothing,
        is_let_go: false,
        origins: Vec::new(),
    }
}

pub(super) fn common() -> Common {
    Common {
        scaler_address: "scaler:9090".into(),
        polling_interval: Duration::from_secs(15),
        authentication: None,
        certificate: None,
    }
}

/// A manifest as the API server has it: with what it and KEDA add, and what `change` does.
pub(super) fn observed(manifest: &Manifest, change: impl FnOnce(&mut Value)) -> Observed {
    let mut object = manifest.as_value().clone();
    object["metadata"]["uid"] = "so-1".into();
    object["metadata"]["finalizers"] = json!(["finalizer.keda.sh"]);
    object["metadata"]["labels"]["scaledobject.keda.sh/name"] = "web".into();
    object["metadata"]["managedFields"] = json!([{"manager": "wakegate", "operation": "Apply"}]);
    object["status"] = json!({"conditions": []});
    change(&mut object);
    Observed::new(serde_json::from_value(object).unwrap())
}
