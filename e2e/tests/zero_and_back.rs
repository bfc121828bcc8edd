//! Under steady requests a backend loses its endpoint and gets another, again and again: whoever asks in
//! between is held, and nobody is turned away.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wakegate_e2e::client::{H1, get, read};
use wakegate_e2e::{Service, Stack, eventually_is, throughout};

const SOON: Duration = Duration::from_secs(20);
const N_CLIENTS: usize = 8;
const N_ROUNDS: usize = 10;

#[tokio::test]
async fn nobody_is_turned_away() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::of(&[&shop]).await?;
    // The app runs on, as a pod does that has been told to end and drains.
    let app = stack.wake(&shop).await?;
    let done = CancellationToken::new();
    let mut clients = JoinSet::new();
    for _ in 0..N_CLIENTS {
        clients.spawn(ask(stack.address()?, shop.clone(), done.clone()));
    }
    let admin = stack.envoy()?.admin();
    let healthy = async || admin.n_healthy(&shop.backend()).await;
    for _ in 0..N_ROUNDS {
        throughout(Duration::from_millis(100), async || Ok(())).await?;
        stack.manifests.put_endpoint(&shop, None)?;
        eventually_is(SOON, "healthy hosts", 0, healthy).await?;
        stack.held_is(N_CLIENTS, SOON).await?;
        stack.manifests.put_endpoint(&shop, Some(app.address()))?;
        eventually_is(SOON, "healthy hosts", 1, healthy).await?;
        stack.held_is(0, SOON).await?;
    }
    done.cancel();
    let mut statuses = BTreeMap::<u16, usize>::new();
    while let Some(answers) = clients.join_next().await {
        for (status, n_answers) in answers?? {
            *statuses.entry(status).or_default() += n_answers;
        }
    }
    ensure!(statuses.keys().all(|status| *status == 200), "{statuses:?}");
    app.stop(SOON).await?;
    stack.finish().await
}

/// One request after the other; returns how many had each status.
async fn ask(
    address: SocketAddr,
    service: Service,
    done: CancellationToken,
) -> Result<BTreeMap<u16, usize>> {
    let mut client = H1::open(address).await?;
    let mut statuses = BTreeMap::new();
    while !done.is_cancelled() {
        let answer = read(client.send(get(&service.url("/"))?).await?).await?;
        *statuses.entry(answer.status).or_default() += 1;
    }
    Ok(statuses)
}
