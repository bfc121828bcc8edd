//! What a ScaledObject's trigger may say, and what the scaler answers for it.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tonic::Code;
use wakegate_e2e::autoscaler::{Contract, ScaledObject};
use wakegate_e2e::client::{H2, get, read};
use wakegate_e2e::{NAMESPACE, SERVICE_PORT, Service, Stack, eventually, eventually_is};

const SOON: Duration = Duration::from_secs(20);

/// The answers for a trigger that says `key: value`.
fn trigger(stack: &Stack, service: &Service, key: &str, value: &str) -> Result<Contract> {
    let mut object = ScaledObject::new(service, stack.sample_app());
    object.trigger = HashMap::from([(key.to_owned(), value.to_owned())]);
    object.contract(stack.scaler.addresses().grpc)
}

#[tokio::test]
async fn every_name_of_a_workload_stands_for_its_demand() -> Result<()> {
    let (shop, entry) = (Service::new("shop"), Service::not_ours("entry"));
    // The second one is served through an Ingress.
    let ingress = format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  namespace: {NAMESPACE}\n  \
         name: door\n  annotations: {{wakegate.dev/scale-to-zero: \"true\"}}\nspec:\n  rules:\n    \
         - host: {}\n      http: {{paths: [{{path: /, pathType: Prefix, backend: \
         {{service: {{name: entry, port: {{number: {SERVICE_PORT}}}}}}}}}]}}\n",
        entry.host()
    );
    let builder = Stack::builder().serve(shop.clone()).serve(entry.clone());
    let stack = builder.manifest("door.yaml", ingress).start().await?;
    let connection = H2::open(stack.address()?).await?;
    let requests = [&shop, &shop, &shop, &entry].map(|service| get(&service.url("/")));
    let requests = requests
        .into_iter()
        .map(|request| Ok(connection.send(request?)));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    stack.held_is(4, SOON).await?;

    for (service, key, value, n_held) in [
        (&shop, "service", "shop", 3.0),
        (&shop, "httpRoute", "shop", 3.0),
        (&shop, "workload", "shop", 3.0),
        (&shop, "workload", "Deployment/shop", 3.0),
        (&entry, "ingress", "door", 1.0),
        (&entry, "service", "entry", 1.0),
    ] {
        let contract = trigger(&stack, service, key, value)?;
        let what = format!("the demand of {key} {value}");
        eventually(SOON, &what, async || {
            // Never below what is held now.
            let (is_active, sum) = contract.poll().await.ok()?;
            (is_active && sum >= n_held).then_some(())
        })
        .await?;
    }
    let apps = [stack.wake(&shop).await?, stack.wake(&entry).await?];
    for request in requests {
        ensure!(read(request.await?).await?.status == 200, "answered");
    }
    for app in apps {
        app.stop(SOON).await?;
    }
    stack.finish().await
}

#[tokio::test]
async fn a_name_that_means_nothing_is_told_what_is_known() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::of(&[&shop]).await?;
    let good = trigger(&stack, &shop, "service", "shop")?;
    eventually_is(SOON, "idle", false, async || Ok(good.is_active().await?)).await?;
    let wrong = trigger(&stack, &shop, "service", "shoop")?;
    let status = wrong.is_active().await.err().context("it means nothing")?;
    ensure!(
        matches!(status.code(), Code::NotFound | Code::InvalidArgument),
        "{status:?}"
    );
    for word in ["shoop", NAMESPACE, "known", "shop"] {
        ensure!(
            status.message().contains(word),
            "no word {word:?}: {status:?}"
        );
    }
    stack.finish().await
}

/// Two proxies, two workers each: KEDA is told one sum.
#[tokio::test]
async fn two_envoys_add_up() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::of(&[&shop]).await?;
    let other = stack.another_envoy("another-envoy").await?;
    let contract = trigger(&stack, &shop, "service", "shop")?;
    let ours = H2::open(stack.address()?).await?;
    let theirs = H2::open(other.address()).await?;
    let turns = [(&ours, 3), (&theirs, 5)].into_iter();
    let requests = turns.flat_map(|(connection, n)| (0..n).map(move |_| connection));
    let requests = requests.map(|connection| Ok(connection.send(get(&shop.url("/"))?)));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    stack.held_is(3, SOON).await?;
    eventually(SOON, "a demand of eight", async || {
        let (is_active, sum) = contract.poll().await.ok()?;
        (is_active && (sum - 8.0).abs() < 0.5).then_some(())
    })
    .await?;
    let app = stack.wake(&shop).await?;
    for request in requests {
        let answer = read(request.await?).await?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
    }
    // One dies, and what it had started is not counted as running for ever.
    other.kill()?;
    let idle = Duration::from_secs(40);
    eventually_is(idle, "active", false, async || {
        Ok(contract.is_active().await?)
    })
    .await?;
    app.stop(SOON).await?;
    stack.finish().await
}
