//! The control plane dies with requests held: none is lost, and those of a backend that Envoy itself
//! sees are let go without it.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::{Service, Stack};

const SOON: Duration = Duration::from_secs(20);
const N_REQUESTS: usize = 50;

#[tokio::test]
async fn held_requests_are_released_by_what_envoy_sees() -> Result<()> {
    let shop = Service::new("shop");
    let mut stack = Stack::builder()
        .serve(shop.clone())
        .endpoints_by_file()
        .start()
        .await?;
    let app = stack.sample_app().start("shop").await?;
    let answers = {
        let connection = H2::open(stack.address()?).await?;
        let requests = (0..N_REQUESTS).map(|_| get(&shop.url("/")));
        let requests = requests.map(|request| Ok(connection.send(request?)));
        let requests = requests.collect::<Result<Vec<_>>>()?;
        stack.held_is(N_REQUESTS, SOON).await?;
        stack.control_plane.kill()?;
        stack.put_envoy_endpoint(&shop, Some(app.address()))?;
        try_join_all(
            requests
                .into_iter()
                .map(async |request| read(request.await?).await),
        )
        .await?
    };
    for answer in answers {
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    }
    // Cold or hot, it goes on without one: fail static.
    ensure!(
        stack.get(&shop, "/").await?.status == 200,
        "a request without a control plane"
    );

    stack.control_plane.start_again().await?;
    stack.manifests.put_endpoint(&shop, Some(app.address()))?;
    stack.every_worker_has_the_table().await?;
    ensure!(
        stack.get(&shop, "/").await?.status == 200,
        "a request after its return"
    );
    app.stop(SOON).await?;
    stack.finish().await
}

#[tokio::test]
async fn a_wake_that_began_before_its_death_ends_after_its_return() -> Result<()> {
    let shop = Service::new("shop");
    let mut stack = Stack::of(&[&shop]).await?;
    let connection = H2::open(stack.address()?).await?;
    let request = connection.send(get(&shop.url("/"))?);
    stack.held_is(1, SOON).await?;
    stack.control_plane.kill()?;
    let app = stack.wake(&shop).await?;
    stack.held_is(1, SOON).await?;
    stack.control_plane.start_again().await?;
    let answer = read(request.await?).await?;
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    app.stop(SOON).await?;
    stack.finish().await
}
