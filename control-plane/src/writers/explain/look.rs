//! One look at a workload and its pods.

use k8s_openapi::api::{
    apps::v1::{Deployment, DeploymentCondition, StatefulSet},
    core::v1::{Pod, Service},
};
use kube::{Api, Client, api::ListParams, core::Selector};
use wakegate_wire::v1;

use super::cause::{Cause, cause};

/// Pods that are looked at: one that is in trouble is enough.
const MAX_PODS: u32 = 20;

/// Why it is not ready; nothing where its pods cannot be told.
pub(super) async fn look(client: &Client, workload: &v1::Workload) -> kube::Result<Option<Cause>> {
    let Some((selector, replica_failure)) = selector(client, workload).await? else {
        return Ok(None);
    };
    let pods: Api<Pod> = Api::namespaced(client.clone(), &workload.namespace);
    let params = ListParams::default().labels_from(&selector).limit(MAX_PODS);
    let pods = pods.list(&params).await?;
    Ok(Some(cause(&pods.items, replica_failure.as_deref())))
}

/// Which pods are the workload's, and why it could not make one.
async fn selector(
    client: &Client,
    workload: &v1::Workload,
) -> kube::Result<Option<(Selector, Option<String>)>> {
    let namespace = workload.namespace.as_str();
    let mut parts = workload.id.splitn(3, '/').skip(1);
    let (Some(kind), Some(name)) = (parts.next(), parts.next()) else {
        return Ok(None);
    };
    let selected = match kind {
        "Deployment" => {
            let found: Option<Deployment> = one(client, namespace, name).await?;
            found.and_then(|found| {
                let conditions = found.status.and_then(|status| status.conditions);
                let failure = replica_failure(conditions.unwrap_or_default());
                Some((found.spec?.selector, failure))
            })
        }
        "StatefulSet" => {
            let found: Option<StatefulSet> = one(client, namespace, name).await?;
            found.and_then(|found| Some((found.spec?.selector, None)))
        }
        _ => None,
    };
    if let Some((selector, failure)) = selected {
        let selector = Selector::try_from(selector).ok();
        return Ok(selector.map(|selector| (selector, failure)));
    }
    let service = workload
        .aliases
        .iter()
        .find(|alias| alias.kind == "service");
    let Some(service) = service else {
        return Ok(None);
    };
    let service: Option<Service> = one(client, namespace, &service.name).await?;
    let labels = service.and_then(|service| service.spec?.selector);
    Ok(labels.map(|labels| (labels.into_iter().collect(), None)))
}

fn replica_failure(conditions: Vec<DeploymentCondition>) -> Option<String> {
    let failure = conditions
        .into_iter()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True");
    failure?.message
}

/// An object by a list of one: `list` is allowed already.
async fn one<K>(client: &Client, namespace: &str, name: &str) -> kube::Result<Option<K>>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().fields(&format!("metadata.name={name}"));
    Ok(api.list(&params).await?.items.into_iter().next())
}
