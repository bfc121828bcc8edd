//! Envoy dies with requests held and comes back: what it counted ages out, and the next request wakes.

use std::time::Duration;

use anyhow::{Result, ensure};
use tonic::Code;
use wakegate_e2e::autoscaler::ScaledObject;
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::{Service, Stack, eventually, eventually_is};

const SOON: Duration = Duration::from_secs(20);
/// Reports age out after 10 s, activity 6 s later; the rest is for a busy machine.
const AGES_OUT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn its_counts_age_out_and_it_holds_again() -> Result<()> {
    let shop = Service::new("shop");
    let mut stack = Stack::of(&[&shop]).await?;
    let object = ScaledObject::new(&shop, stack.sample_app());
    let scaler = object.contract(stack.scaler.addresses().grpc)?;
    let connection = H2::open(stack.address()?).await?;
    let lost: Vec<_> = (0..20)
        .map(|_| Ok(connection.send(get(&shop.url("/"))?)))
        .collect::<Result<_>>()?;
    stack.held_is(20, SOON).await?;
    eventually_is(SOON, "active", true, async || {
        Ok(scaler.is_active().await?)
    })
    .await?;
    stack.kill_envoy()?;
    for request in lost {
        ensure!(request.await.is_err(), "its requests end with it");
    }
    // Nobody speaks for the key any more: that is no statement that it is idle.
    eventually(AGES_OUT, "UNAVAILABLE", async || {
        let answer = scaler.is_active().await;
        answer
            .is_err_and(|status| status.code() == Code::Unavailable)
            .then_some(())
    })
    .await?;
    stack.start_envoy().await?;
    stack.every_worker_has_the_table().await?;
    eventually_is(AGES_OUT, "active", false, async || {
        Ok(scaler.is_active().await?)
    })
    .await?;

    let connection = H2::open(stack.address()?).await?;
    let request = connection.send(get(&shop.url("/"))?);
    stack.held_is(1, SOON).await?;
    eventually_is(SOON, "active", true, async || {
        Ok(scaler.is_active().await?)
    })
    .await?;
    let app = stack.wake(&shop).await?;
    ensure!(
        read(request.await?).await?.status == 200,
        "held and released"
    );
    app.stop(SOON).await?;
    stack.finish().await
}
