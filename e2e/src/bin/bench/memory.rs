//! What Envoy keeps for requests that wait: held by our filter, and by others.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::future::{BoxFuture, join_all};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use http::Response;
use hyper::body::Incoming;
use wakegate_e2e::client::{H2, get};
use wakegate_e2e::{Service, Stack, eventually};

use crate::args::Args;
use crate::line::Line;
use crate::proxy::{Filter, Plan, Proxy};
use wakegate_e2e::stats::median;

const N_HELD: usize = 5_000;
/// Held before those that count: what the allocators had left over is used up by them.
const N_FIRST: usize = 1_000;
const N_CONNECTIONS: usize = 10;
const LIMIT: Duration = Duration::from_secs(40);
const CORE: usize = 0;

pub(crate) async fn measure(args: &Args) -> Result<Vec<Line>> {
    let room = (2 * N_HELD).to_string();
    let service = Service::new("app").with("max-held", &room);
    let stack = Stack::of(&[&service]).await?;
    let plans = [
        ("held", vec![args.our_filter()]),
        ("paused", vec![args.empty_filter("pause")]),
        ("delayed", vec![Filter::Delay]),
    ];
    let mut figures = [vec![], vec![], vec![]];
    for _ in 0..args.n_memory_rounds() {
        for ((name, filters), figures) in plans.iter().zip(&mut figures) {
            let plan = Plan {
                name,
                filters: filters.clone(),
                hosts: vec![service.host()],
                backend: Some("127.0.0.1:9".parse()?),
                control_plane: stack.control_plane.addresses().grpc,
                scaler: stack.scaler.addresses().grpc,
            };
            figures.push(per_request(args, &plan, stack.folder(), &service).await?);
        }
    }
    stack.finish().await?;
    let [held, paused, delayed] = figures.map(|mut bytes| {
        bytes.sort_by(f64::total_cmp);
        median(&bytes)
    });
    let line = Line::new(
        "memory",
        format!("{N_HELD} requests held over HTTP/2, each"),
    )
    .figure("filter's share", held - paused, "B")
    .figure("held", held, "B")
    .figure("paused by an empty filter", paused, "B")
    .figure("delayed by Envoy's fault filter", delayed, "B")
    .at_most("filter's share", 1_024.0);
    Ok(vec![line])
}

async fn per_request(args: &Args, plan: &Plan, folder: &Path, service: &Service) -> Result<f64> {
    let proxy = Proxy::start(&args.envoy, plan, folder, CORE).await?;
    if plan.name == "held" {
        proxy.has_table().await?;
    }
    let first = open(&proxy, service, 0..N_FIRST).await?;
    let before = proxy.resident_bytes()?;
    let waiting = open(&proxy, service, N_FIRST..N_FIRST + N_HELD).await?;
    let after = proxy.resident_bytes()?;
    active(&proxy, first.requests.len() + waiting.requests.len()).await?;
    Ok((after - before) / f64::from(u32::try_from(N_HELD).context("a small number")?))
}

/// Requests that wait, and the connections they wait on.
struct Waiting {
    requests: FuturesUnordered<BoxFuture<'static, Result<Response<Incoming>>>>,
    _connections: Vec<H2>,
}

/// Opens these requests and returns when Envoy has them all.
async fn open(proxy: &Proxy, service: &Service, which: Range<usize>) -> Result<Waiting> {
    let connections = join_all((0..N_CONNECTIONS).map(|_| H2::open(proxy.address()))).await;
    let connections = connections.into_iter().collect::<Result<Vec<_>>>()?;
    let mut requests = FuturesUnordered::new();
    for connection in &connections {
        for _ in 0..which.len() / N_CONNECTIONS {
            let request = get(&service.url("/catalog/items?page=2"))?;
            requests.push(connection.send(request).boxed());
        }
    }
    tokio::select! {
        arrived = active(proxy, which.end) => arrived?,
        // A request leaves only when somebody asks for its answer.
        Some(answer) = requests.next() => {
            let status = answer.map(|response| response.status());
            bail!("a request did not wait: {status:?}");
        }
    }
    ensure!(requests.len() == which.len(), "all requests wait");
    Ok(Waiting {
        requests,
        _connections: connections,
    })
}

/// Waits until Envoy has `n` requests under way.
async fn active(proxy: &Proxy, n: usize) -> Result<()> {
    let n = f64::from(u32::try_from(n).context("a small number")?);
    eventually(LIMIT, &format!("{n} requests are under way"), async || {
        let active = proxy.n_active().await.ok()?;
        ((active - n).abs() < 0.5).then_some(())
    })
    .await
}
