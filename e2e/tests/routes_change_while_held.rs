//! Routes come, change and go while requests are held, and none of those is lost.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::{Service, Stack, eventually_is};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_route_that_is_deleted_lets_its_held_requests_go_on() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder()
        .serve(shop.clone())
        .endpoints_by_file()
        .start()
        .await?;
    let app = stack.sample_app().start("shop").await?;
    let connection = H2::open(stack.address()?).await?;
    let request = connection.send(get(&shop.url("/"))?);
    stack.held_is(1, SOON).await?;
    // Envoy can serve it, but for Wakegate the backend sleeps on.
    stack.put_envoy_endpoint(&shop, Some(app.address()))?;
    let admin = stack.envoy()?.admin();
    eventually_is(SOON, "hosts that Envoy has", 1, async || {
        admin.n_healthy(&shop.backend()).await
    })
    .await?;
    stack.manifests.remove_route(&shop)?;
    let answer = read(request.await?).await?;
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    let answer = stack.get(&shop, "/").await?;
    ensure!(
        answer.status == 200,
        "a later one passes: {}",
        answer.status
    );
    ensure!(
        answer.header("x-wakegate-cold-start").is_empty(),
        "and is not held"
    );
    app.stop(SOON).await?;
    stack.finish().await
}

#[tokio::test]
async fn a_change_counts_for_requests_that_are_held_already() -> Result<()> {
    let shop = Service::new("shop").with("hold-timeout", "60s");
    let stack = Stack::of(&[&shop]).await?;
    let connection = H2::open(stack.address()?).await?;
    let request = connection.send(get(&shop.url("/"))?);
    stack.held_is(1, SOON).await?;
    let changed = Instant::now();
    stack
        .manifests
        .put_route(&Service::new("shop").with("hold-timeout", "2s"))?;
    let answer = read(request.await?).await?;
    ensure!(answer.status == 504, "{}: {}", answer.status, answer.text());
    ensure!(
        changed.elapsed() < Duration::from_secs(10),
        "after {:?}",
        changed.elapsed()
    );
    stack.finish().await
}

#[tokio::test]
async fn a_route_that_is_added_holds_and_disturbs_no_other() -> Result<()> {
    let (shop, late) = (Service::new("shop"), Service::not_ours("late"));
    let stack = Stack::of(&[&shop, &late]).await?;
    let connection = H2::open(stack.address()?).await?;
    let early = connection.send(get(&shop.url("/"))?);
    stack.held_is(1, SOON).await?;
    let answer = read(connection.send(get(&late.url("/"))?).await?).await?;
    ensure!(
        answer.status == 503,
        "not ours yet, and nobody there: {}",
        answer.status
    );

    let late = Service::new("late");
    stack.manifests.put_route(&late)?;
    // Until the route has arrived requests still pass, and are answered with 503.
    let held = connection.send_until_held(&late.url("/"), SOON).await?;
    stack.held_is(2, SOON).await?;
    let apps = [stack.wake(&shop).await?, stack.wake(&late).await?];
    for request in [read(early.await?).await?, read(held.await?).await?] {
        ensure!(
            request.status == 200,
            "{}: {}",
            request.status,
            request.text()
        );
    }
    for app in apps {
        app.stop(SOON).await?;
    }
    stack.finish().await
}
