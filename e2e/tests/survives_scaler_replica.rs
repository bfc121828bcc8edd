//! Workers report to any replica of the scaler, and each answers from the whole; the death of one is no news.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use wakegate_e2e::autoscaler::{Contract, ScaledObject};
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::tls::Role;
use wakegate_e2e::{Daemon, Service, Stack};

const SOON: Duration = Duration::from_secs(20);
const N_HELD: usize = 30;
const HELD: f64 = 30.0;
const N_RUNNING: usize = 10;

/// Longer than it takes to kill a replica, and than its workers take to come to another.
const RUNS_MS: u64 = 15_000;

/// The filter gives up a stream after 3 s of silence, and is back within 5 s.
const COMES_BACK: Duration = Duration::from_secs(9);

async fn count(scaler: &Daemon, name: &str) -> Result<usize> {
    let text = scaler.ask("/metrics").await?.text();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.with_context(|| format!("{name} in {text}"))?;
    value.trim().parse().with_context(|| value.to_owned())
}

/// The replicas that run.
fn running(stack: &Stack) -> Vec<&Daemon> {
    let all = [&stack.scaler].into_iter().chain(&stack.more_scalers);
    all.filter(|scaler| scaler.is_running()).collect()
}

/// Workers that report to each replica.
async fn here(scalers: &[&Daemon]) -> Result<Vec<usize>> {
    let here = scalers
        .iter()
        .map(|scaler| count(scaler, "wakegate_scaler_workers_here "));
    try_join_all(here).await
}

/// Waits until all replicas hear all workers; how many of them report to each.
async fn all_hear_all(stack: &Stack, n_workers: usize) -> Result<Vec<usize>> {
    let all = running(stack);
    wakegate_e2e::eventually(SOON, "every replica hears all workers", async || {
        let heard = all
            .iter()
            .map(|scaler| count(scaler, "wakegate_scaler_workers "));
        let heard = try_join_all(heard).await.ok()?;
        let here = here(&all).await.ok()?;
        let n_here: usize = here.iter().sum();
        (n_here >= n_workers && heard.iter().all(|n| *n == n_here)).then_some(here)
    })
    .await
}

/// What each replica says is under way: they agree, or it is an error.
async fn says(contracts: &[Contract]) -> Result<f64> {
    let answers = try_join_all(contracts.iter().map(Contract::poll)).await?;
    let (_, first) = *answers.first().context("a replica")?;
    let agree = |(is_active, sum): &(bool, f64)| *is_active && (sum - first).abs() < 0.5;
    ensure!(answers.iter().all(agree), "{answers:?}");
    Ok(first)
}

/// All is as it was, all the time, until the workers of the replica that died report to others.
async fn nothing_changes(
    stack: &Stack,
    contracts: &[Contract],
    awake: &Contract,
    n_workers: usize,
) -> Result<()> {
    let (began, mut are_back) = (Instant::now(), false);
    while began.elapsed() < COMES_BACK {
        ensure!(awake.is_active().await?, "what runs is active");
        let said = says(contracts).await?;
        ensure!((said - HELD).abs() < 0.1, "{said} held");
        let here = here(&running(stack)).await?;
        are_back |= here.iter().sum::<usize>() == n_workers;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure!(are_back, "its workers report to the others");
    Ok(())
}

/// Connections to both Envoys, so that all workers have some.
async fn connections(envoys: [SocketAddr; 2]) -> Result<Vec<H2>> {
    let each = envoys.into_iter().cycle().take(20).map(H2::open);
    try_join_all(each).await
}

#[tokio::test]
async fn killing_one_replica_changes_no_answer_and_fails_no_request() -> Result<()> {
    let (asleep, awake) = (Service::new("asleep"), Service::new("awake"));
    let stack = Stack::builder().serve(asleep.clone()).serve(awake.clone());
    let mut stack = stack.tls().workers(4).scalers(3).start().await?;
    let another = stack.another_envoy("another").await?;
    another.every_worker_has_a_table(4).await?;
    let app = stack.wake(&awake).await?;
    let spread = all_hear_all(&stack, 8).await?;
    let n_workers = spread.iter().sum();
    let victim = if spread[1] >= spread[2] { 1 } else { 2 };
    ensure!((1..n_workers).contains(&spread[victim]), "{spread:?}");

    let connections = connections([stack.address()?, another.address()]).await?;
    let slow = awake.url(&format!("/slow?ms={RUNS_MS}"));
    let asked = std::iter::repeat_n(asleep.url("/"), N_HELD);
    let asked = asked.chain(std::iter::repeat_n(slow, N_RUNNING));
    let asked = asked.zip(connections.iter().cycle());
    let requests = asked.map(|(url, connection)| Ok(connection.send(get(&url)?)));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    let of_asleep = ScaledObject::new(&asleep, stack.sample_app());
    let keda = |scaler: &Daemon| {
        let certificates = stack.certificates()?;
        certificates.link(scaler.addresses().grpc, Role::Keda)
    };
    let all = running(&stack).into_iter();
    let contracts = all.map(|scaler| of_asleep.contract(keda(scaler)?));
    let mut contracts = contracts.collect::<Result<Vec<_>>>()?;
    wakegate_e2e::eventually(SOON, "all are held, say all", async || {
        let said = says(&contracts).await.ok()?;
        ((said - HELD).abs() < 0.1).then_some(())
    })
    .await?;

    // KEDA asks the first; another dies, which workers report to.
    let of_awake = ScaledObject::new(&awake, stack.sample_app());
    let of_awake = of_awake.contract(keda(&stack.scaler)?)?;
    stack.more_scalers[victim - 1].kill()?;
    drop(contracts.remove(victim));
    nothing_changes(&stack, &contracts, &of_awake, n_workers).await?;

    // The wake comes as ever, and nothing failed.
    let autoscaler = stack.autoscale(&asleep)?;
    let answers = requests
        .into_iter()
        .map(async |request| read(request.await?).await);
    for answer in try_join_all(answers).await? {
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    }
    drop(autoscaler);
    app.stop(SOON).await?;
    another.terminate(SOON).await?;
    stack.finish().await
}
