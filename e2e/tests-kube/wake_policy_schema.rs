//! The API server takes a right `WakePolicy` as it is written, refuses a wrong one, and says what to do.

mod wrong;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::kube::objects::{self, Object};
use wakegate_e2e::kube::{Cluster, Namespace};

#[tokio::test]
async fn what_is_right_comes_back_as_it_was_written() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("right_wake_policies").await?;
    for (name, spec) in [("scales", scales()), ("holds", holds())] {
        apply(&namespace, name, spec.clone()).await?;
        is_kept(&namespace, name, &spec).await?;
    }
    let short = json!({
        "targetRefs": [{ "kind": "Service", "name": "shop" }],
        "hold": null,
        "noWake": [{ "method": "HEAD" }],
        "scale": { "target": { "kind": "Rollout", "name": "shop" } },
    });
    let filled = json!({
        "targetRefs": [{ "group": "", "kind": "Service", "name": "shop" }],
        "noWake": [{ "method": "HEAD", "status": 200 }],
        "scale": { "target": { "apiVersion": "apps/v1", "kind": "Rollout", "name": "shop" } },
    });
    apply(&namespace, "short", short).await?;
    is_kept(&namespace, "short", &filled).await?;
    let shown = namespace.kubectl(&["get", "wakegate"], None).await?;
    let header = shown.lines().next().unwrap_or_default();
    let columns: Vec<&str> = header.split_whitespace().collect();
    let expected = "NAME KIND TARGET HOLD ACCEPTED PROGRAMMED AGE";
    ensure!(columns.join(" ") == expected, "it shows {shown}");
    namespace.finish().await
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_a_way_out() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("wrong_wake_policies").await?;
    for (fields, words) in wrong::cases() {
        let mut spec = json!({ "targetRefs": [{ "kind": "Service", "name": "shop" }] });
        let (all, some) = (spec.as_object_mut(), fields.as_object());
        let (all, some) = all.zip(some).context("both are objects")?;
        all.extend(some.clone());
        let refused = apply(&namespace, "wrong", spec).await.err();
        let said = refused.with_context(|| format!("{fields} was taken"))?;
        let said = format!("{said:#}");
        for word in words {
            ensure!(said.contains(word), "{fields}: `{word}` is not in: {said}");
        }
    }
    namespace.finish().await
}

async fn apply(namespace: &Namespace, name: &str, spec: Value) -> Result<()> {
    let policy = Object::new("wakegate.dev/v1alpha1", "WakePolicy", name, spec);
    namespace.apply(&objects::list(&[policy])).await
}

async fn is_kept(namespace: &Namespace, name: &str, expected: &Value) -> Result<()> {
    let get = ["get", "wkp", name, "--output=jsonpath={.spec}"];
    let spec = namespace.kubectl(&get, None).await?;
    let spec: Value = serde_json::from_str(&spec).context("kubectl prints JSON")?;
    ensure!(spec == *expected, "{name} came back as {spec}");
    Ok(())
}

/// As many and as long as they may be: the rules must stay within what the API server spends on them.
fn many_targets(n: usize, group: &str, kind: &str) -> Value {
    let name = |at: usize| format!("{at:0>253}");
    let target = |at| json!({ "group": group, "kind": kind, "name": name(at) });
    (0..n).map(target).collect()
}

/// All that a Service may say, at the upper bounds.
fn scales() -> Value {
    let prefix = |at: usize| json!({ "pathPrefix": format!("/{at:a>1023}"), "status": 599 });
    json!({
        "targetRefs": many_targets(16, "", "Service"),
        "hold": { "timeout": "59m59s999ms1ms", "maxHeld": 1_000_000, "overflowStatus": 429, "waitingPage": true },
        "noWake": (0..16).map(prefix).collect::<Vec<_>>(),
        "thaw": { "maxInFlightPerEndpoint": i32::MAX, "probe": false },
        "scale": {
            "minReplicas": i32::MAX,
            "maxReplicas": i32::MAX,
            "cooldown": "24h",
            "initialCooldown": "1440m",
            "targetConcurrency": 1_000_000_000,
            "targetRate": 1_000_000_000,
            "rateWindow": "1h",
            "paused": true,
            "scaledObject": "External",
            "target": { "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "shop" },
        },
    })
}

/// Every kind of target and of request that wakes nothing, at the lower bounds.
fn holds() -> Value {
    let routes = "gateway.networking.k8s.io";
    json!({
        "targetRefs": [
            { "group": routes, "kind": "HTTPRoute", "name": "shop" },
            { "group": routes, "kind": "HTTPRoute", "name": "shop", "sectionName": "cart" },
            { "group": routes, "kind": "GRPCRoute", "name": "shop", "sectionName": "cart.v1" },
            { "group": "networking.k8s.io", "kind": "Ingress", "name": "shop" },
            { "group": "", "kind": "Service", "name": "shop", "sectionName": "http" },
        ],
        "hold": { "timeout": "1ms", "maxHeld": 1, "overflowStatus": 503, "waitingPage": false },
        "noWake": [
            { "pathPrefix": "/", "status": 200 },
            { "userAgentPrefix": "Go-http-client/", "status": 204 },
            { "method": "HEAD", "status": 404 },
            { "header": { "name": "x-probe" }, "status": 200 },
            { "header": { "name": "X_Probe.1", "value": "" }, "status": 200 },
        ],
        "thaw": { "maxInFlightPerEndpoint": 1, "probe": true },
    })
}
