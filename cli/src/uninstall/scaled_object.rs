//! The ScaledObjects that the control plane wrote.

use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{Deadline, Left};

/// The label by which they are the control plane's.
const OURS: &str = "app.kubernetes.io/managed-by=wakegate";

/// Those of all namespaces.
pub(super) struct ScaledObjects<'a> {
    client: &'a Client,
    resource: ApiResource,
}

/// What is scaled.
#[derive(Debug)]
struct Target {
    resource: ApiResource,
    namespace: String,
    name: String,
}

impl<'a> ScaledObjects<'a> {
    pub(super) fn of(client: &'a Client) -> Self {
        Self {
            client,
            resource: resource("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"),
        }
    }

    /// Deletes all of them, each when its workload is sure to come back; says how many.
    pub(super) async fn let_go(
        &self,
        deadline: Deadline,
        left: &mut Left,
    ) -> anyhow::Result<usize> {
        let all: Api<DynamicObject> = Api::all_with(self.client.clone(), &self.resource);
        let found = match all.list(&ListParams::default().labels(OURS)).await {
            Ok(found) => found.items,
            // Without KEDA there are none.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        for object in &found {
            if !comes_back(&object.data) {
                left.note(&shown(object), self.keep_one(object).await);
            }
        }
        let mut n_deleted = 0;
        for object in &found {
            let target = Target::of(object);
            if !comes_back(&object.data) && !self.is_up(&target, deadline).await? {
                left.at_zero.push(target.shown());
            }
            let api = self.api(object);
            let name = object.name_any();
            let deleted = api.delete(&name, &DeleteParams::default()).await;
            left.note(&shown(object), deleted.map(drop));
            let gone = async || Ok(api.get_opt(&name).await?.is_none());
            if !deadline
                .until(&format!("KEDA to let go of {}", shown(object)), gone)
                .await?
            {
                left.not_deleted
                    .push(format!("{}: KEDA does not let go of it", shown(object)));
                continue;
            }
            n_deleted += 1;
            if comes_back(&object.data) && !self.is_up(&target, deadline).await? {
                left.at_zero.push(target.shown());
            }
        }
        Ok(n_deleted)
    }

    /// Has KEDA bring the workload to one replica at least, and leave it so.
    async fn keep_one(&self, object: &DynamicObject) -> kube::Result<()> {
        let spec = json!({"spec": {
            "minReplicaCount": 1,
            "advanced": {"restoreToOriginalReplicaCount": false},
        }});
        let params = PatchParams::default();
        let api = self.api(object);
        let patched = api
            .patch(&object.name_any(), &params, &Patch::Merge(spec))
            .await;
        patched.map(drop)
    }

    /// Whether the workload has a replica, or is not there at all.
    async fn is_up(&self, target: &Target, deadline: Deadline) -> anyhow::Result<bool> {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &target.namespace, &target.resource);
        let look = async || {
            let workload = api.get_opt(&target.name).await?;
            let replicas = workload.map(|it| it.data.pointer("/spec/replicas").cloned());
            Ok(replicas.is_none_or(|replicas| replicas != Some(json!(0))))
        };
        deadline
            .until(&format!("a replica of {}", target.shown()), look)
            .await
    }

    fn api(&self, object: &DynamicObject) -> Api<DynamicObject> {
        let namespace = object.namespace().unwrap_or_default();
        Api::namespaced_with(self.client.clone(), &namespace, &self.resource)
    }
}

impl Target {
    fn of(object: &DynamicObject) -> Self {
        let field = |name: &str| {
            let value = object.data.pointer(&format!("/spec/scaleTargetRef/{name}"));
            value.and_then(Value::as_str)
        };
        // Only these two kinds are scaled.
        let (kind, plural) = match field("kind") {
            Some("StatefulSet") => ("StatefulSet", "statefulsets"),
            _ => ("Deployment", "deployments"),
        };
        Self {
            resource: resource("apps", "v1", kind, plural),
            namespace: object.namespace().unwrap_or_default(),
            name: field("name").unwrap_or_default().to_owned(),
        }
    }

    fn shown(&self) -> String {
        let Self {
            resource,
            namespace,
            name,
        } = self;
        format!("{} {namespace}/{name}", resource.kind)
    }
}

/// Whether KEDA scales the workload to a replica by itself once the ScaledObject is deleted: to as many as it had when
/// KEDA met it, which may have been none.
fn comes_back(object: &Value) -> bool {
    let restores = object.pointer("/spec/advanced/restoreToOriginalReplicaCount");
    let original = object.pointer("/status/originalReplicaCount");
    restores == Some(&json!(true)) && original.and_then(Value::as_i64).is_some_and(|n| n > 0)
}

fn shown(object: &DynamicObject) -> String {
    let namespace = object.namespace().unwrap_or_default();
    format!("ScaledObject {namespace}/{}", object.name_any())
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: format!("{group}/{version}"),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_comes_back_when_it_had_replicas_and_keda_restores_them() {
        let object = |restores: bool, original: i64| {
            json!({
                "spec": {"advanced": {"restoreToOriginalReplicaCount": restores}},
                "status": {"originalReplicaCount": original},
            })
        };
        assert!(comes_back(&object(true, 2)));
        assert!(!comes_back(&object(true, 0)));
        assert!(!comes_back(&object(false, 2)));
        assert!(!comes_back(&json!({})));
    }
}
