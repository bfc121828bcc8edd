//! What else happens at the Gateway.

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::task::JoinSet;
use wakegate_e2e::eventually_is;
use wakegate_e2e::kube::Namespace;
use wakegate_e2e::kube::objects::{deployment, http_route, list};

use super::{Attached, N_HELD, STARTED};
use crate::cycle::was_held;
use crate::doctor::doctor;
use crate::installed::{SOON, ask, is_asleep};

/// Longer than Envoy Gateway takes for a change.
const SLOW_START: &str = "--start-delay-ms=15000";

/// Another route comes and goes while requests are held, which has Envoy Gateway write everything anew: all are answered.
pub(super) async fn reconciled_while_held(
    attached: &Attached,
    namespace: &Namespace,
) -> Result<()> {
    is_asleep(namespace).await?;
    let slow = deployment("shop", &[SLOW_START]);
    namespace.apply(&list(&[slow])).await?;
    let mut held = JoinSet::new();
    for _ in 0..N_HELD {
        held.spawn(ask(attached.address));
    }
    attached.held_is(N_HELD).await?;
    let other = http_route("other", "edge", "other.test", "shop");
    let other = other.set("/parentRefs/0/namespace", json!("default"))?;
    let updates = async || {
        let samples = attached.samples().await?;
        anyhow::Ok(samples.sum("envoy_http_rds_config_reload"))
    };
    let before = updates().await?;
    namespace.apply(&list(&[other])).await?;
    eventually_is(SOON, "Envoy has another route", true, async || {
        Ok(updates().await? > before)
    })
    .await?;
    namespace
        .kubectl(&["delete", "httproute/other"], None)
        .await?;
    ensure!(held.try_join_next().is_none(), "one was answered early");
    while let Some(answer) = held.join_next().await {
        was_held(&answer??)?;
    }
    let lost = attached.samples().await?.sum("wakegate_lost_total");
    ensure!(lost == 0.0, "{lost} requests were lost");
    let quick = deployment("shop", &[]);
    namespace.apply(&list(&[quick])).await
}

/// What the documents warn of: a policy of a route takes the filter away from it.
pub(super) async fn a_policy_of_a_route_replaces_ours(
    attached: &Attached,
    namespace: &Namespace,
) -> Result<()> {
    is_asleep(namespace).await?;
    let of_route = json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyExtensionPolicy",
        "metadata": {"name": "theirs"}, "spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "shop"}],
            "lua": [{"type": "Inline", "inline": "function envoy_on_response(handle) end"}]}});
    namespace.apply(&of_route.to_string()).await?;
    let look = async || {
        is_asleep(namespace).await?;
        Ok(ask(attached.address).await?.status)
    };
    eventually_is(STARTED, "the answer at zero", 503, look).await?;
    let said = doctor(&attached.installed.cluster).await?;
    said.is(2, &["policy-replaces-filter EnvoyExtensionPolicy/theirs"])?;
    let theirs = ["delete", "envoyextensionpolicy/theirs"];
    namespace.kubectl(&theirs, None).await?;
    let look = async || {
        is_asleep(namespace).await?;
        Ok(ask(attached.address).await?.status)
    };
    eventually_is(STARTED, "held again", 200, look).await
}
