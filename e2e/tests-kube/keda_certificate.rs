//! KEDA's certificate is made and renewed by the control plane's own authority.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use wakegate_e2e::eventually;
use wakegate_e2e::kube::objects::gateway;
use wakegate_e2e::kube::{Cluster, ClusterOptions, Kind, SOON, Scene, Wakegate, WakegateOptions};

use crate::cycle::{from_zero_and_back, host, quick, routed, url};

/// A certificate for 30 s, so that it is renewed after 20.
const SHORT: [&str; 3] = [
    "--authority-lifetime-secs=150",
    "--certificate-lifetime-secs=30",
    "--certificate-overlap-secs=7",
];
/// A certificate's life, and some time to notice.
const RENEWED: Duration = Duration::from_mins(1);
/// KEDA's open streams, as the scaler counts them.
const STREAMS: &str = "wakegate_scaler_streams{rpc=\"StreamIsActive\"}";

#[tokio::test]
async fn kedas_push_comes_back_with_a_renewed_certificate() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let options = WakegateOptions {
        control_plane_flags: &SHORT,
        ..WakegateOptions::default()
    };
    let wakegate = Wakegate::start_with(&cluster, &options).await?;
    let mut scene = Scene::open(&cluster, &wakegate, &["keda_certificate"]).await?;
    let mut objects = vec![gateway("edge")];
    objects.extend(routed("shop", &quick(&[])));
    scene.set(&objects, &[host("shop")]).await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;

    let name = scene.scaled_object_name("shop").await?;
    let object = (Kind::SCALED_OBJECT, name.as_str());
    let first = version(&scene.scaled_object("shop").await?);
    ensure!(first.is_some(), "the trigger names no certificate");
    let is_another = |object: Option<&Value>| {
        let version = version(object?);
        (version.is_some() && version != first).then_some(())
    };
    scene
        .object_within(object, "names the next certificate", RENEWED, is_another)
        .await?;
    wakegate.scaler().terminate().await?;
    wakegate.scaler().start(&cluster).await?;
    wakegate.scaler().ready().await?;
    let streams = async || {
        let n_streams = wakegate.scaler().counted(STREAMS).await.ok()?;
        (n_streams > 0.0).then_some(())
    };
    eventually(SOON, "KEDA's stream is open again", streams).await?;
    from_zero_and_back(&scene, "shop", &url("shop")).await?;
    scene.finish().await?;
    cluster.finish()
}

/// Which certificate of KEDA's a ScaledObject was written for.
fn version(object: &Value) -> Option<Value> {
    let version = object.pointer("/spec/triggers/0/metadata/certificateVersion");
    version.cloned()
}
