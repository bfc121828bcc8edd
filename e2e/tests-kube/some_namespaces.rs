//! A control plane that is told to see one namespace needs rights in that one alone, and does nothing for others.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use wakegate_e2e::kube::objects::{Object, gateway};
use wakegate_e2e::kube::{
    Cluster, ClusterOptions, Host, Scene, WAKEGATE_ACCOUNT, WAKEGATE_NAMESPACE, Wakegate,
    WakegateOptions,
};

use crate::cycle::{QUICK, from_zero_and_back, host, routed, url};

/// What the control plane may do everywhere, by deploy/base.
const EVERYWHERE: [&str; 2] = [
    "wakegate-control-plane-reads",
    "wakegate-control-plane-writes",
];

#[tokio::test]
async fn rights_in_one_namespace_are_enough_for_it() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let here = cluster.namespace("some_here").await?;
    let elsewhere = cluster.namespace("some_elsewhere").await?;
    narrow_rights(&cluster, here.name()).await?;
    may_not_read(&cluster, elsewhere.name()).await?;
    // It returns when the control plane is ready.
    let options = WakegateOptions {
        namespaces: &[here.name()],
        ..WakegateOptions::default()
    };
    let wakegate = Wakegate::start_with(&cluster, &options).await?;
    let other = Host::new("other.test", &format!("{}/shop/80", elsewhere.name()));
    let mut scene = Scene::open_in(&cluster, &wakegate, vec![here, elsewhere]).await?;
    let objects = [&[gateway("edge")], &routed("shop", &QUICK)[..]].concat();
    scene.apply_at(1, &running(&objects)?).await?;
    scene.set(&objects, &[host("shop"), other]).await?;

    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    let answer = scene.get("http://other.test/").await?;
    ensure!(
        answer.status == 503,
        "it knows endpoints elsewhere: {}",
        answer.status
    );
    let n_held = scene.envoy()?.counted("held_total").await?;
    ensure!(n_held == 1, "{n_held} requests were held");
    let written = ["get", "scaledobjects,events", "--output=name"];
    let written = scene.kubectl_at(1, &written).await?;
    let is_ours = |line: &&str| line.contains("scaledobject") || line.contains("wakegate");
    ensure!(written.lines().find(is_ours).is_none(), "wrote {written}");
    let replicas = [
        "get",
        "deployment/shop",
        "--output=jsonpath={.spec.replicas}",
    ];
    let replicas = scene.kubectl_at(1, &replicas).await?;
    ensure!(replicas == "1", "{replicas} replicas elsewhere");
    scene.finish().await?;
    cluster.finish()
}

/// In place of what deploy/base binds for the whole cluster, as its README says.
async fn narrow_rights(cluster: &Cluster, namespace: &str) -> Result<()> {
    let account = format!("--serviceaccount={WAKEGATE_NAMESPACE}:{WAKEGATE_ACCOUNT}");
    let namespaced = format!("--namespace={namespace}");
    for name in EVERYWHERE {
        cluster
            .kubectl(&["delete", "clusterrolebinding", name], None)
            .await?;
        let role = format!("--clusterrole={name}");
        let bind = ["create", "rolebinding", name, &namespaced, &role, &account];
        cluster.kubectl(&bind, None).await?;
    }
    // What belongs to the cluster: the namespace itself, and GatewayClasses.
    let name = "wakegate-some-namespaces";
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": name },
        "rules": [
            {
                "apiGroups": [""],
                "resources": ["namespaces"],
                "resourceNames": [namespace],
                "verbs": ["list", "watch"],
            },
            {
                "apiGroups": ["gateway.networking.k8s.io"],
                "resources": ["gatewayclasses"],
                "verbs": ["list", "watch"],
            },
        ],
    });
    cluster.apply(&role.to_string()).await?;
    let role = format!("--clusterrole={name}");
    let bind = ["create", "clusterrolebinding", name, &role, &account];
    cluster.kubectl(&bind, None).await.map(drop)
}

/// Without this, all the rest would show nothing.
async fn may_not_read(cluster: &Cluster, namespace: &str) -> Result<()> {
    let client = cluster
        .client_for(WAKEGATE_NAMESPACE, WAKEGATE_ACCOUNT)
        .await?;
    let services: Api<Service> = Api::namespaced(client, namespace);
    let refused = services.list(&ListParams::default()).await.err();
    let refused = refused.context("it may read another namespace")?;
    ensure!(
        format!("{refused}").contains("forbidden"),
        "it says {refused}"
    );
    Ok(())
}

/// The same objects, and a workload that runs: whoever would scale it would put it to zero.
fn running(objects: &[Object]) -> Result<Vec<Object>> {
    let objects = objects.iter().cloned();
    let objects = objects.map(|object| match object.kind() {
        "Deployment" => object.set("/replicas", json!(1)),
        _ => Ok(object),
    });
    objects.collect()
}
