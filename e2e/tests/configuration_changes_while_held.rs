//! The filter's configuration changes while requests are held: the old root goes on with those that it
//! has, the new one takes the rest, and both are counted.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use wakegate_e2e::autoscaler::ScaledObject;
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::{Service, Stack, eventually, eventually_is};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn no_request_is_lost_and_all_are_counted() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder()
        .serve(shop.clone())
        .discovered()
        .start()
        .await?;
    let demand = ScaledObject::new(&shop, stack.sample_app());
    let demand = demand.contract(stack.scaler.addresses().grpc)?;
    let admin = stack.envoy()?.admin();
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(H2::open(stack.address()?).await?);
    }
    let send = |n: usize| {
        let turns = connections.iter().cycle().take(n);
        turns
            .map(|connection| Ok(connection.send(get(&shop.url("/"))?)))
            .collect::<Result<Vec<_>>>()
    };
    let mut requests = send(20)?;
    stack.held_is(20, SOON).await?;

    let reload = "envoy_extension_config_discovery_http_filter_wakegate_config_reload";
    let n_reloads = admin.samples().await?.sum(reload);
    stack.put_settings(&json!({ "tick_ms": 50 }))?;
    eventually(SOON, "the new configuration", async || {
        (admin.samples().await.ok()?.sum(reload) > n_reloads).then_some(())
    })
    .await?;
    requests.extend(send(10)?);
    stack.held_is(30, SOON).await?;
    eventually(SOON, "a demand of thirty", async || {
        let (is_active, sum) = demand.poll().await.ok()?;
        (is_active && (sum - 30.0).abs() < 0.5).then_some(())
    })
    .await?;

    let app = stack.wake(&shop).await?;
    for request in requests {
        let answer = read(request.await?).await?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
        ensure!(
            answer.header("x-wakegate-cold-start") == "true",
            "it was not held"
        );
    }
    stack.held_is(0, SOON).await?;
    eventually_is(SOON, "active", false, async || {
        Ok(demand.is_active().await?)
    })
    .await?;
    app.stop(SOON).await?;
    stack.finish().await
}
