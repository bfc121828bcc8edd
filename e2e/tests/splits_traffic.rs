//! A route with two backends, one asleep: what Envoy sends to the ready one passes, the rest waits.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::join_all;
use wakegate_e2e::autoscaler::ScaledObject;
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::{Service, Stack, eventually_is};

const SOON: Duration = Duration::from_secs(20);
const N_REQUESTS: usize = 60;

#[tokio::test]
async fn the_backend_that_envoy_picked_decides() -> Result<()> {
    let canary = Service::not_ours("canary");
    let shop = Service::new("shop").half_to(&canary);
    let stack = Stack::of(&[&shop, &canary]).await?;
    let stable = stack.wake(&shop).await?;
    let demand = ScaledObject::new(&canary, stack.sample_app());
    let demand = demand.contract(stack.scaler.addresses().grpc)?;
    eventually_is(SOON, "active", false, async || {
        Ok(demand.is_active().await?)
    })
    .await?;

    let connection = H2::open(stack.address()?).await?;
    let requests = (0..N_REQUESTS).map(|_| Ok(connection.send(get(&shop.url("/"))?)));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    eventually_is(SOON, "active", true, async || {
        Ok(demand.is_active().await?)
    })
    .await?;
    let wake = async {
        // Those of the ready backend are through, or were held for the moment that a thaw takes.
        let n_running = async || stack.envoy()?.access_log().map(|entries| entries.len() > 5);
        eventually_is(SOON, "some are answered while others wait", true, n_running).await?;
        ensure!(
            stack.counted("held").await? > 5,
            "none waits for the canary"
        );
        stack.wake(&canary).await
    };
    let (answers, canary) = tokio::join!(join_all(requests), wake);
    for answer in answers {
        let answer = read(answer?).await?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    }
    canary?.stop(SOON).await?;
    stable.stop(SOON).await?;
    stack.finish().await
}
