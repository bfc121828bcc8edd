//! A filter that has never had a table lets everything pass, after one short wait.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use wakegate_e2e::{Service, Stack};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn everything_passes() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder()
        .serve(shop.clone())
        .without_control_plane()
        .start()
        .await?;
    let app = stack.sample_app().start("shop").await?;
    stack.put_envoy_endpoint(&shop, Some(app.address()))?;
    let admin = stack.envoy()?.admin();
    wakegate_e2e::eventually_is(SOON, "healthy hosts", 1, async || {
        admin.n_healthy(&shop.backend()).await
    })
    .await?;
    for n in 0..50 {
        let begin = Instant::now();
        let answer = stack.get(&shop, "/").await?;
        ensure!(answer.status == 200, "request {n}: {}", answer.status);
        // Every worker waits for its table for a second at most, once.
        let limit = Duration::from_secs(2);
        ensure!(
            begin.elapsed() < limit,
            "request {n} took {:?}",
            begin.elapsed()
        );
    }
    let begin = Instant::now();
    ensure!(
        stack.get(&shop, "/").await?.status == 200,
        "a later request"
    );
    ensure!(
        begin.elapsed() < Duration::from_millis(500),
        "it took {:?}",
        begin.elapsed()
    );
    let passed = stack.counted("passed_without_table_total").await?;
    ensure!(passed > 0, "they are counted");
    app.stop(SOON).await?;
    stack.finish().await
}
