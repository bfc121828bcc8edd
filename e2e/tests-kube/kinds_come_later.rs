//! A cluster gets Gateway API, KEDA and the kinds of its HTTP add-on when its owner likes: what can be done before is done, and what comes is
//! taken up by itself.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time;
use wakegate_e2e::client::{H2, read};
use wakegate_e2e::kube::objects::{
    deployment, gateway, http_route, http_scaled_object, ingress, service,
};
use wakegate_e2e::kube::{Cluster, ClusterOptions, Host, Kind, SOON, Scene, WAKE, Wakegate};

use crate::add_on;
use crate::cycle::{host, quick, url, was_held};

/// A kind that is missing is looked for every 5 s, and an object is then listed.
const TAKEN_UP: Duration = Duration::from_secs(10);
/// Longer than KEDA takes to be installed.
const LONG_HOLD: (&str, &str) = ("hold-timeout", "3m");

#[tokio::test]
async fn what_a_cluster_gets_later_is_taken_up() -> Result<()> {
    let without = ClusterOptions {
        keda: false,
        gateway_api: false,
        http_add_on: false,
        node: true,
        wakegate: true,
    };
    let cluster = Cluster::start(without).await?;
    // It returns when the control plane is ready.
    let wakegate = Wakegate::start(&cluster, 1).await?;
    let mut scene = Scene::open(&cluster, &wakegate, &["come_later"]).await?;
    let pages = Host::new("pages.test", "pages/80");
    scene.serve(&[pages, host("shop"), host("blog")]).await?;

    let external = quick(&[("scaled-object", "external"), LONG_HOLD]);
    let objects = [
        deployment("pages", &[]),
        service("pages"),
        ingress("pages", "pages.test", "pages").annotated(&external),
        deployment("shop", &[]),
        service("shop"),
    ];
    scene.apply(&objects).await?;
    let connection = H2::open(scene.envoy()?.address()).await?;
    let pages = connection.send_until_held("http://pages.test/", SOON);
    let pages = pages.await.context("an Ingress, with nothing else")?;
    scene.note("a request to an Ingress is held");

    cluster.apply_gateway_api().await?;
    let route = http_route("shop", "edge", "shop.test", "shop").annotated(&quick(&[LONG_HOLD]));
    scene.apply(&[gateway("edge"), route]).await?;
    let shop = url("shop");
    let held = connection.send_until_held(&shop, TAKEN_UP);
    let held = held.await.context("an HTTPRoute, soon after its kind")?;
    scene.note("a request to an HTTPRoute is held");

    cluster.install_keda().await?;
    scene.scaled_object("shop").await?;
    scene.note("it has a ScaledObject");
    // KEDA was not there when it was asked for.
    let answer = time::timeout(WAKE, held).await.context("KEDA wakes it")?;
    was_held(&read(answer?).await?)?;
    drop(pages);

    cluster.apply_http_add_on().await?;
    let blog = http_scaled_object("blog", "blog.test", "blog");
    scene
        .apply(&[deployment("blog", &[]), service("blog"), blog])
        .await?;
    let blog = scene.object_within(
        (Kind::SCALED_OBJECT, "blog"),
        "is made",
        TAKEN_UP,
        |object| object.map(drop),
    );
    blog.await
        .context("an HTTPScaledObject, soon after its kind")?;
    let (kind, ready) = (Kind::HTTP_SCALED_OBJECT, ("Ready", "True"));
    scene.condition(kind, "blog", ready).await?;
    scene.note("an HTTPScaledObject has its ScaledObject and its status");
    add_on::from_zero_and_back(&scene, "blog", &url("blog")).await?;
    scene.deployment_is_at("shop", 0).await?;
    scene.deployment_is_at("pages", 0).await?;
    scene.finish().await?;
    cluster.finish()
}
