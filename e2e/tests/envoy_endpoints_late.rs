//! Envoy learns of an endpoint two seconds after the control plane did: no request is lost in between.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::join_all;
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::{Service, Stack, throughout};

const SOON: Duration = Duration::from_secs(20);
const LATE: Duration = Duration::from_secs(2);
const N_REQUESTS: usize = 100;

#[tokio::test]
async fn no_request_is_lost() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder()
        .serve(shop.clone())
        .endpoints_by_file()
        .start()
        .await?;
    let connections = [
        H2::open(stack.address()?).await?,
        H2::open(stack.address()?).await?,
    ];
    let mut requests = Vec::new();
    for n in 0..N_REQUESTS {
        let connection = &connections[n % connections.len()];
        requests.push(connection.send(get(&shop.url("/"))?));
    }
    stack.held_is(N_REQUESTS, SOON).await?;
    let app = stack.wake(&shop).await?;
    throughout(LATE, async || {
        let n_held = stack.counted("held").await?;
        ensure!(n_held == N_REQUESTS as u64, "{n_held} are still held");
        Ok(())
    })
    .await?;
    stack.put_envoy_endpoint(&shop, Some(app.address()))?;
    for response in join_all(requests).await {
        let answer = read(response?).await?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    }
    ensure!(
        stack.counted("lost_total").await? == 0,
        "a request met a failure on release"
    );
    app.stop(SOON).await?;
    stack.finish().await
}
