//! A filter VM that dies takes what it holds and nothing else, and is back at its worker's next request.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use tonic::transport::Endpoint;
use wakegate_e2e::client::{H2, Pending, get, read};
use wakegate_e2e::{Module, NAMESPACE, Service, Stack, eventually, eventually_is, programs};
use wakegate_wire::externalscaler::external_scaler_client::ExternalScalerClient;
use wakegate_wire::externalscaler::{GetMetricsRequest, ScaledObjectRef};

const SOON: Duration = Duration::from_secs(20);

/// Above all that this test waits for while requests are held, and below the time-out of a hold.
const STREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// A silent worker is forgotten after 10 s, and the mean that KEDA is told is over 15 s.
const AGEING: Duration = Duration::from_secs(10 + 15);

/// So many that no worker of two is without, but for one time in two thousand.
const N_CONNECTIONS: usize = 12;

#[tokio::test]
async fn it_takes_what_it_holds_and_comes_back_with_its_table() -> Result<()> {
    let shop = Service::new("shop");
    let mut stack = Stack::builder()
        .serve(shop.clone())
        .module(Module::File(programs::filter_that_dies()?))
        .stream_idle_timeout(STREAM_IDLE_TIMEOUT)
        .start()
        .await?;
    let (connections, held) = hold(&stack, &shop).await?;
    let concurrency = async || concurrency(&stack, &shop).await;
    let n_held = 2.0 * f64::from(u32::try_from(N_CONNECTIONS)?);
    eventually_is(SOON, "requests at once", n_held, concurrency).await?;
    // What the new VM knows it has from shared data, where the table is written once a second.
    let version_is_shared = async || stack.counted("table_version").await.ok().filter(|n| *n > 0);
    eventually(SOON, "a table", version_is_shared).await?;
    stack.control_plane.pause()?;

    let victim = connections.first().context("there is one")?;
    let mut deadly = get(&shop.url("/"))?;
    deadly
        .headers_mut()
        .insert("x-wakegate-test-panic", "1".parse()?);
    let answer = read(victim.send(deadly).await?).await?;
    ensure!(answer.status == 503, "{}", answer.status);
    ensure!(stack.envoy()?.is_well().is_err(), "no VM died");

    // The same worker holds again, by the table that its dead VM left.
    let again = victim.send_until_held(&shop.url("/again"), SOON).await?;
    let n_started = stack.counted("held_total").await?;
    ensure!(
        usize::try_from(n_started)? > 2 * N_CONNECTIONS,
        "{n_started}"
    );
    stack.control_plane.resume()?;
    let app = stack.wake(&shop).await?;
    ensure!(read(again.await?).await?.status == 200, "in the new VM");

    let (n_served, n_lost) = ends(held).await?;
    ensure!(n_served > 0, "the other worker's requests are served");
    ensure!(n_lost > 0, "the dead VM held some");
    // Envoy's flag for its idle time-out.
    let timed_out = async || {
        let log = stack.envoy()?.access_log()?;
        let is_timed_out = |line: &&serde_json::Value| line.get("flags").is_some_and(|f| f == "SI");
        Ok(log.iter().filter(is_timed_out).count())
    };
    eventually_is(SOON, "lost by the idle time-out", n_lost, timed_out).await?;
    eventually_is(AGEING + SOON, "requests at once", 0.0, concurrency).await?;
    // The same three VMs as before, one of them in another life.
    let workers = async || {
        let samples = stack.scaler.samples().await?;
        Ok(samples.sum("wakegate_scaler_workers"))
    };
    eventually_is(SOON, "workers", 3.0, workers).await?;
    ensure!(stack.get(&shop, "/").await?.status == 200);
    app.stop(SOON).await?;
    // Its log says that a VM died, as it should.
    let envoy = stack.envoy.take().context("Envoy runs")?;
    envoy.terminate(SOON).await?;
    stack.finish().await
}

/// Two requests on each of many connections, so that both workers have some.
async fn hold(stack: &Stack, shop: &Service) -> Result<(Vec<H2>, Vec<Pending>)> {
    let (mut connections, mut held) = (Vec::new(), Vec::new());
    for _ in 0..N_CONNECTIONS {
        let connection = H2::open(stack.address()?).await?;
        for _ in 0..2 {
            let request: Pending = Box::pin(connection.send(get(&shop.url("/"))?));
            held.push(request);
        }
        connections.push(connection);
    }
    stack.held_is(2 * N_CONNECTIONS, SOON).await?;
    Ok((connections, held))
}

/// How many are answered by the app, and how many end by Envoy's time-out; there is no third way.
async fn ends(held: Vec<Pending>) -> Result<(usize, usize)> {
    let (mut n_served, mut n_lost) = (0, 0);
    for answer in join_all(held).await {
        let answer = read(answer?).await?;
        match answer.status {
            200 => n_served += 1,
            503 => n_lost += 1,
            status => anyhow::bail!("{status}: {}", answer.text()),
        }
    }
    Ok((n_served, n_lost))
}

/// What KEDA is told of the Service's requests at once.
async fn concurrency(stack: &Stack, service: &Service) -> Result<f64> {
    let object = ScaledObjectRef {
        name: service.name.clone(),
        namespace: NAMESPACE.to_owned(),
        scaler_metadata: [("service".to_owned(), service.name.clone())].into(),
    };
    let request = GetMetricsRequest {
        scaled_object_ref: Some(object),
        metric_name: "concurrency".to_owned(),
    };
    let address = format!("http://{}", stack.scaler.addresses().grpc);
    let channel = Endpoint::from_shared(address)?.connect().await?;
    let mut keda = ExternalScalerClient::new(channel);
    let answer = keda.get_metrics(request).await?.into_inner();
    let value = answer.metric_values.first().context("a value")?;
    Ok(value.metric_value_float)
}
