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
use wakegate_e2e::stats::median;
use wakegate_e2e::{Service, Stack, eventually};

use crate::args::Args;
use crate::line::{Line, as_f64};
use crate::proxy::{Filter, Plan, Proxy};

const PART: &str = "memory";

/// Held before those that count: what the allocators had left over is used up by them.
const N_FIRST: usize = 1_000;
const N_CONNECTIONS: usize = 10;
const LIMIT: Duration = Duration::from_mins(1);
const CORE: usize = 0;
/// What the design asks for, in bytes for each request beyond what a paused stream takes.
const SHARE: f64 = 1_024.0;

/// Bytes for each waiting request, by how many wait: the medians of fresh Envoys.
type BySize = Vec<Vec<f64>>;

pub(crate) async fn measure(args: &Args) -> Result<Vec<Line>> {
    let sizes = args.n_waiting();
    let room = sizes.iter().max().copied().unwrap_or_default() + N_FIRST;
    let service = Service::new("app")
        .with("max-held", &room.to_string())
        .with("hold-timeout", "10m");
    let stack = Stack::of(&[&service]).await?;
    let plans = [
        ("held", vec![args.our_filter_with_room(room)]),
        ("paused", vec![args.empty_filter("pause")]),
        ("delayed", vec![Filter::Delay]),
    ];
    let mut figures = [(); 3].map(|()| vec![Vec::new(); sizes.len()]);
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
            let bytes = per_request(args, &plan, (stack.folder(), &service), &sizes).await?;
            for (of_size, bytes) in figures.iter_mut().zip(bytes) {
                of_size.push(bytes);
            }
        }
    }
    stack.finish().await?;
    Ok(lines(&sizes, figures))
}

fn lines(sizes: &[usize], figures: [BySize; 3]) -> Vec<Line> {
    let [held, paused, delayed] = figures.map(medians);
    let all = sizes.iter().zip(held).zip(paused).zip(delayed);
    all.map(|(((n, held), paused), delayed)| {
        Line::new(
            PART,
            format!("{n} requests held over HTTP/2, resident bytes for each"),
        )
        .figure("filter's share", held - paused, "B")
        .figure("held", held, "B")
        .figure("paused by an empty filter", paused, "B")
        .figure("delayed by Envoy's fault filter", delayed, "B")
        .at_most("filter's share", SHARE)
    })
    .collect()
}

fn medians(by_size: BySize) -> Vec<f64> {
    let median_of = |mut bytes: Vec<f64>| {
        bytes.sort_by(f64::total_cmp);
        median(&bytes)
    };
    by_size.into_iter().map(median_of).collect()
}

/// Bytes for each request in a fresh Envoy, for each of the sizes, which grow.
async fn per_request(
    args: &Args,
    plan: &Plan,
    (folder, service): (&Path, &Service),
    sizes: &[usize],
) -> Result<Vec<f64>> {
    let proxy = Proxy::start(&args.envoy, plan, folder, CORE).await?;
    if plan.name == "held" {
        proxy.has_table().await?;
    }
    let mut waiting = vec![open(&proxy, service, 0..N_FIRST).await?];
    let before = proxy.resident_bytes()?;
    let mut n_open = N_FIRST;
    let mut bytes = Vec::new();
    for &size in sizes {
        let more = n_open..N_FIRST + size;
        n_open = more.end;
        waiting.push(open(&proxy, service, more).await?);
        bytes.push((proxy.resident_bytes()? - before) / as_f64(size));
    }
    let n_waiting = waiting.iter().map(|some| some.requests.len()).sum();
    active(&proxy, n_waiting).await?;
    Ok(bytes)
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
    for connection in connections.iter().cycle().take(which.len()) {
        let request = get(&service.url("/catalog/items?page=2"))?;
        requests.push(connection.send(request).boxed());
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
