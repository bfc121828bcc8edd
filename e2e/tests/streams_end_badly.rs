//! Peers that misbehave in ways that no healthy daemon does: the filter goes on with what it has.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::{NAMESPACE, Peer, Service, Stack, eventually, eventually_is, table};
use wakegate_wire::v1;

const SOON: Duration = Duration::from_secs(20);

fn key(service: &Service) -> String {
    format!("service/{NAMESPACE}/{}", service.name)
}

#[tokio::test]
async fn what_a_worker_reports_is_exact() -> Result<()> {
    let shop = Service::new("shop");
    let peer = Peer::start(vec![table(&shop, "aa", 0)]).await?;
    let stack = Stack::builder()
        .serve(shop.clone())
        .peer(peer.address())
        .start()
        .await?;
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(H2::open(stack.address()?).await?);
    }
    let turns = connections.iter().cycle().take(40);
    let requests = turns.map(|connection| Ok(connection.send(get(&shop.url("/"))?)));
    let mut requests = requests.collect::<Result<Vec<_>>>()?;
    let reported = || peer.reported(&key(&shop));
    eventually_is(SOON, "held in reports", 40, async || Ok(reported().held)).await?;
    requests.truncate(30);
    eventually_is(SOON, "held in reports", 30, async || Ok(reported().held)).await?;

    let app = stack.sample_app().start("shop").await?;
    stack.put_envoy_endpoint(&shop, Some(app.address()))?;
    peer.push(table(&shop, "bb", 1));
    for request in requests {
        let answer = read(request.await?).await?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    }
    eventually_is(SOON, "ended in reports", 40, async || Ok(reported().ended)).await?;
    let report = reported();
    ensure!(report.started == 40, "{report:?}");
    ensure!(
        (report.held, report.running, report.shed) == (0, 0, 0),
        "{report:?}"
    );
    app.stop(SOON).await?;
    stack.finish().await
}

#[tokio::test]
async fn a_table_that_is_wrong_is_refused_whole() -> Result<()> {
    let shop = Service::new("shop");
    let peer = Peer::start(vec![table(&shop, "aa", 0)]).await?;
    let stack = Stack::builder()
        .serve(shop.clone())
        .peer(peer.address())
        .start()
        .await?;
    let mut wrong = table(&shop, "bb", 1);
    let good = wrong.routes.first().context("there is one")?.clone();
    let regex = v1::path_match::Path::Regex("/(".to_owned());
    wrong.routes.push(v1::Route {
        id: "HTTPRoute/demo/wrong/0/0".to_owned(),
        path: Some(v1::PathMatch { path: Some(regex) }),
        ..good
    });
    peer.push(wrong);
    let refusal = eventually(SOON, "a refusal", async || {
        peer.acks().into_iter().find(|ack| !ack.error.is_empty())
    })
    .await?;
    ensure!(refusal.version == "bb", "{refusal:?}");
    ensure!(
        refusal.error.contains("wrong"),
        "it names the route: {refusal:?}"
    );
    // The old table is in force: the backend sleeps on.
    let connection = H2::open(stack.address()?).await?;
    let request = connection.send(get(&shop.url("/"))?);
    stack.held_is(1, SOON).await?;
    drop(request);
    stack.held_is(0, SOON).await?;
    stack.finish().await
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_left_and_asked_again() -> Result<()> {
    let shop = Service::new("shop");
    let peer = Peer::start(vec![table(&shop, "aa", 0)]).await?;
    let stack = Stack::builder()
        .serve(shop.clone())
        .peer(peer.address())
        .start()
        .await?;
    let n_hellos = peer.hellos().len();
    peer.fall_silent();
    let again = eventually(SOON, "another hello", async || {
        peer.hellos().get(n_hellos).cloned()
    });
    let again = again.await?;
    ensure!(
        again.version == "aa",
        "it names the table that it has: {again:?}"
    );
    // Silent or not, the table stays in force and nothing that is held is lost.
    let connection = H2::open(stack.address()?).await?;
    let request = connection.send(get(&shop.url("/"))?);
    stack.held_is(1, SOON).await?;
    peer.speak_again();
    let app = stack.sample_app().start("shop").await?;
    stack.put_envoy_endpoint(&shop, Some(app.address()))?;
    peer.push(table(&shop, "bb", 1));
    let answer = read(request.await?).await?;
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    app.stop(SOON).await?;
    stack.finish().await
}
