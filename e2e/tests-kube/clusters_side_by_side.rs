//! A test may have a cluster of its own beside the shared one, and stop what it likes in it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::ListParams;
use wakegate_e2e::kube::{Cluster, ClusterOptions, Program};
use wakegate_e2e::{eventually, eventually_is};

const LIMIT: Duration = Duration::from_secs(20);

const CONFIG_MAP: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: kept}}";

/// What a service account may do.
const ROLE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: default}]
";

#[tokio::test]
async fn a_stopped_api_server_comes_back_with_everything() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let namespace = cluster.namespace("comes_back").await?;
    namespace.apply(CONFIG_MAP).await?;
    let kept = namespace.api::<ConfigMap>();

    cluster.kill(Program::ApiServer)?;
    ensure!(kept.get("kept").await.is_err(), "somebody else answers");
    cluster.start_program(Program::ApiServer).await?;
    kept.get("kept").await.context("after the restart")?;

    cluster.pause(Program::ApiServer)?;
    let second = Duration::from_secs(1);
    let answer = tokio::time::timeout(second, kept.get("kept")).await;
    ensure!(answer.is_err(), "a paused API server answers");
    cluster.resume(Program::ApiServer)?;
    let look = async || kept.get("kept").await.ok();
    eventually(LIMIT, "the API server answers", look).await?;

    cluster.restart_keda().await?;
    namespace.finish().await?;
    cluster.finish()
}

#[tokio::test]
async fn a_service_account_may_do_what_its_roles_say() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("service_account").await?;
    namespace.apply(ROLE).await?;

    let client = cluster.client_for(namespace.name(), "default").await?;
    let ours: Api<ConfigMap> = Api::namespaced(client.clone(), namespace.name());
    let may_list = async || Ok(ours.list(&ListParams::default()).await.is_ok());
    eventually_is(LIMIT, "what the role allows", true, may_list).await?;
    let all: Api<ConfigMap> = Api::all(client);
    let refused = all.list(&ListParams::default()).await.err();
    let refused = refused.context("it may list what no role allows")?;
    ensure!(
        format!("{refused}").contains("forbidden"),
        "it says {refused}"
    );
    namespace.finish().await
}

#[tokio::test]
async fn a_cluster_without_optional_kinds_gets_them_later() -> Result<()> {
    let without = ClusterOptions {
        keda: false,
        gateway_api: false,
        http_add_on: false,
        node: false,
        wakegate: true,
    };
    let cluster = Cluster::start(without).await?;
    let get = ["get", "httproutes", "--all-namespaces", "--output=name"];
    ensure!(
        cluster.kubectl(&get, None).await.is_err(),
        "it has HTTPRoutes"
    );
    cluster.apply_gateway_api().await?;
    let listed = async || cluster.kubectl(&get, None).await;
    eventually_is(LIMIT, "HTTPRoutes", String::new(), listed).await?;
    cluster.finish()
}
