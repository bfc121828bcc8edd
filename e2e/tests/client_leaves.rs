//! A client that leaves frees its place within a second, and nothing of it is counted any more.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time;
use wakegate_e2e::autoscaler::ScaledObject;
use wakegate_e2e::client::{H2, Raw, get, read};
use wakegate_e2e::{Service, Stack, eventually, eventually_is};

const SOON: Duration = Duration::from_secs(10);
const A_SECOND: Duration = Duration::from_secs(1);
/// The scaler calls a service active for this long after its last request: 1 s of polling and 5 s.
const WINDOW: Duration = Duration::from_secs(6);

#[tokio::test]
async fn its_place_is_free_within_a_second() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::of(&[&shop]).await?;
    let object = ScaledObject::new(&shop, stack.sample_app());
    let scaler = object.contract(stack.scaler.addresses().grpc)?;
    let head = format!("host: {}\r\n", shop.host());

    for request in [
        format!("GET / HTTP/1.1\r\n{head}\r\n"),
        format!("POST / HTTP/1.1\r\n{head}content-length: 100\r\n\r\nonly this much"),
        format!(
            "GET /ws HTTP/1.1\r\n{head}connection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ),
    ] {
        let mut client = Raw::open(stack.address()?).await?;
        client.send(request.as_bytes()).await?;
        stack.held_is(1, SOON).await?;
        drop(client);
        stack.held_is(0, A_SECOND).await?;
    }

    let connection = H2::open(stack.address()?).await?;
    let mut requests = Vec::new();
    for _ in 0..50 {
        requests.push(connection.send(get(&shop.url("/"))?));
    }
    stack.held_is(50, SOON).await?;
    eventually_is(SOON, "active", true, async || {
        Ok(scaler.is_active().await?)
    })
    .await?;
    // Half of the streams are reset, then the connection ends under the others.
    requests.truncate(25);
    stack.held_is(25, A_SECOND).await?;
    drop(requests);
    drop(connection);
    stack.held_is(0, A_SECOND).await?;

    let n_left = async || stack.counted("client_left_total").await;
    eventually_is(SOON, "clients that left", 53, n_left).await?;
    let idle = WINDOW + SOON;
    eventually_is(idle, "active", false, async || {
        Ok(scaler.is_active().await?)
    })
    .await?;
    stack.finish().await
}

/// Half of the clients go while requests are being let go: theirs end, the others are answered.
#[tokio::test]
async fn leaving_in_the_middle_of_a_thaw_costs_nobody_else_anything() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::of(&[&shop]).await?;
    let scaler = ScaledObject::new(&shop, stack.sample_app());
    let scaler = scaler.contract(stack.scaler.addresses().grpc)?;
    let connection = H2::open(stack.address()?).await?;
    let requests = (0..400).map(|_| Ok(connection.send(get(&shop.url("/"))?)));
    let mut stay = requests.collect::<Result<Vec<_>>>()?;
    let mut every_other = 0;
    let leave: Vec<_> = stay
        .extract_if(.., |_| {
            every_other += 1;
            every_other % 2 == 0
        })
        .collect();
    stack.held_is(400, SOON).await?;
    let app = stack
        .sample_app()
        .args(&["--response-delay-ms=20"])
        .start("slow")
        .await?;
    stack.manifests.put_endpoint(&shop, Some(app.address()))?;
    eventually(SOON, "the thaw has begun", async || {
        (stack.counted("released_total").await.ok()? > 0).then_some(())
    })
    .await?;
    drop(leave);
    for request in stay {
        let answer = read(request.await?).await?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    }
    stack.held_is(0, A_SECOND).await?;
    let idle = WINDOW + SOON;
    eventually_is(idle, "active", false, async || {
        Ok(scaler.is_active().await?)
    })
    .await?;
    app.stop(SOON).await?;
    stack.finish().await
}

/// Envoy reads no more of that connection, so nobody can see the client go before the hold ends.
#[tokio::test]
async fn a_body_beyond_the_buffer_frees_its_place_at_the_time_out() -> Result<()> {
    let shop = Service::new("shop").with("hold-timeout", "3s");
    let stack = Stack::builder()
        .serve(shop.clone())
        .buffer_limit(32 * 1024)
        .start()
        .await?;
    let mut client = Raw::open(stack.address()?).await?;
    let length = 64 * 1024 * 1024;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n\r\n",
        shop.host()
    );
    client.send(head.as_bytes()).await?;
    stack.held_is(1, SOON).await?;
    let taken = client
        .send_until_stuck(length, Duration::from_millis(300))
        .await?;
    ensure!(
        taken < length,
        "Envoy took all {taken} bytes of a held request"
    );
    // One like it stays, and is told although Envoy never reads the rest of what it sends.
    let mut patient = Raw::open(stack.address()?).await?;
    patient.send(head.as_bytes()).await?;
    patient
        .send_until_stuck(length, Duration::from_millis(300))
        .await?;
    drop(client);
    time::timeout(Duration::from_secs(5), stack.held_is(0, SOON)).await??;
    ensure!(patient.status(SOON).await? == 504, "it is answered");
    stack.finish().await
}
