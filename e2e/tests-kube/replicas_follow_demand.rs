//! The real HPA asks KEDA, KEDA asks the scaler: replicas follow what is under way.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{self, MissedTickBehavior};
use wakegate_e2e::Background;
use wakegate_e2e::client::{H2, Version, fetch, get};
use wakegate_e2e::kube::objects::gateway;
use wakegate_e2e::kube::{Kind, Scene};

use crate::cycle::{host, quick, routed, url};

/// The HPA looks every 3 s, the mean is over 15 s, and 5 s must pass before it scales down.
const BY_HPA: Duration = Duration::from_mins(1);

#[tokio::test]
async fn twenty_in_flight_at_a_target_of_five_are_four_replicas() -> Result<()> {
    let objects = routed("shop", &quick(&[("target-concurrency", "5")]));
    let objects = [&[gateway("edge")], &objects[..]].concat();
    let scene = Scene::shared("concurrency", &objects, &[host("shop")]).await?;
    scene.scaled_object("shop").await?;
    let connection = H2::open(scene.envoy()?.address()).await?;
    let long = "http://shop.test/slow?ms=120000";
    let requests = (0..20).map(|_| Ok(connection.send(get(long)?)));
    let mut requests = requests.collect::<Result<Vec<_>>>()?;
    let shop = (Kind::DEPLOYMENT, "shop");
    scene.is_at_within(shop, 4, BY_HPA).await?;
    scene.note("four replicas");
    requests.truncate(5);
    scene.is_at_within(shop, 1, BY_HPA).await?;
    scene.note("one replica");
    drop(requests);
    drop(connection);
    scene.deployment_is_at("shop", 0).await?;
    scene.finish().await
}

#[tokio::test]
async fn twenty_seven_a_second_at_a_target_of_ten_are_three_replicas() -> Result<()> {
    let settings = [("target-rate", "10"), ("rate-window", "5s")];
    let objects = routed("shop", &quick(&settings));
    let objects = [&[gateway("edge")], &objects[..]].concat();
    let scene = Scene::shared("rate", &objects, &[host("shop")]).await?;
    scene.scaled_object("shop").await?;
    let address = scene.envoy()?.address();
    let mut load = Background::start(async move {
        let mut next = time::interval(Duration::from_secs(1) / 27);
        // What was missed while the first was held would be a burst, a fourth replica for a while, and requests to one
        // that has just stopped listening.
        next.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while let Ok(request) = get(&url("shop")) {
            next.tick().await;
            match fetch(Version::H1, address, request).await {
                Ok(answer) if answer.status == 200 => {}
                // It ends early, which the test sees.
                Ok(_) | Err(_) => break,
            }
        }
    });
    let shop = (Kind::DEPLOYMENT, "shop");
    scene.is_at_within(shop, 3, BY_HPA).await?;
    ensure!(!load.is_done(), "a request failed");
    drop(load);
    scene.deployment_is_at("shop", 0).await?;
    scene.finish().await
}
