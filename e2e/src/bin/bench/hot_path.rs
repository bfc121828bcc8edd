//! What the filter costs a request whose backend is up: our filter, an empty one, and none, in turns.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tempfile::TempDir;
use wakegate_e2e::{Daemon, Manifests};

use crate::args::Args;
use crate::line::Line;
use crate::load::Load;
use crate::proxy::{Plan, Proxy};
use wakegate_e2e::stats::{Ratio, median};

/// Traffic goes to so many hosts, whatever the size of the table: as in life, a few of many are busy.
const N_BUSY_HOSTS: usize = 100;
/// Until V8 has optimised what is called often.
const WARM_UP: Duration = Duration::from_secs(2);
/// One core for Envoy alone; all else shares the other.
const ENVOY_CORE: usize = 0;
const OTHER_CORE: usize = 1;
/// What the design asks for.
const OVER_EMPTY: (f64, f64) = (0.97, 1.03);
const OVER_BARE: (f64, f64) = (0.90, 1.12);

/// One run against one of the three.
#[derive(Debug, Clone, Copy)]
struct Run {
    per_second: f64,
    cpu_micros: f64,
}

/// The three, each with its runs so far.
#[derive(Debug)]
struct Contest {
    proxies: [Proxy; 3],
    runs: [Vec<Run>; 3],
}

pub(crate) async fn measure(args: &Args, n_routes: usize) -> Result<Vec<Line>> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let names: Vec<_> = (0..n_routes).map(|index| format!("app-{index}")).collect();
    let hosts: Vec<_> = names.iter().map(|name| format!("{name}.test")).collect();
    let backend = backend(args, folder.path()).await?;
    let (control_plane, scaler) = daemons(folder.path(), &names, backend.address()).await?;
    let addresses = [control_plane.addresses().grpc, scaler.addresses().grpc];
    let mut contest = contest(args, &folder, &hosts, backend.address(), addresses).await?;

    let stride = n_routes.div_ceil(N_BUSY_HOSTS);
    let busy: Vec<_> = hosts.into_iter().step_by(stride).collect();
    let load = Load::new(&args.wrk, folder.path(), &busy)?;
    for proxy in &contest.proxies {
        load.run(proxy.address(), WARM_UP, OTHER_CORE).await?;
    }
    for round in 0..args.n_rounds() {
        // Who begins changes, so that no one is always first after a pause.
        for turn in 0..3 {
            contest
                .run((round + turn) % 3, &load, args.round_span())
                .await?;
        }
    }
    ensure!(
        contest.proxies[0]
            .samples()
            .await?
            .sum("wakegate_passed_without_table_total")
            == 0.0,
        "requests passed the filter before it had a table: it was not measured at work"
    );
    Ok(contest.figures(n_routes))
}

impl Contest {
    async fn run(&mut self, index: usize, load: &Load, span: Duration) -> Result<()> {
        let proxy = self.proxies.get(index).context("there are three")?;
        let before = proxy.cpu_time()?;
        let seen = load.run(proxy.address(), span, OTHER_CORE).await?;
        let used = proxy.cpu_time()?.saturating_sub(before);
        let run = Run {
            per_second: seen.per_second(),
            cpu_micros: used.as_secs_f64() * 1e6 / seen.n_requests,
        };
        self.runs
            .get_mut(index)
            .context("there are three")?
            .push(run);
        Ok(())
    }

    fn figures(self, n_routes: usize) -> Vec<Line> {
        let [filter, empty, bare] = &self.runs;
        let line = |what: &str, other: &[Run], of: fn(&Run) -> f64, unit| {
            let pairs = filter.iter().zip(other);
            let ratio = Ratio::of(pairs.map(|(a, b)| (of(a), of(b))));
            Line::new("hot path", format!("{n_routes} routes: {what}"))
                .ratio("ratio", &ratio)
                .figure("ours", median_of(filter, of), unit)
                .figure("other", median_of(other, of), unit)
        };
        let rate: fn(&Run) -> f64 = |run| run.per_second;
        let cpu: fn(&Run) -> f64 = |run| run.cpu_micros;
        vec![
            line(
                "requests per second over an empty filter",
                empty,
                rate,
                "/s",
            )
            .at_least("ratio", OVER_EMPTY.0),
            line("requests per second over no filter", bare, rate, "/s")
                .at_least("ratio", OVER_BARE.0),
            line("CPU per request over an empty filter", empty, cpu, "µs")
                .at_most("ratio", OVER_EMPTY.1),
            line("CPU per request over no filter", bare, cpu, "µs").at_most("ratio", OVER_BARE.1),
        ]
    }
}

fn median_of(runs: &[Run], of: fn(&Run) -> f64) -> f64 {
    let mut values: Vec<_> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    median(&values)
}

/// Another Envoy that answers by itself: the cheapest server at hand.
async fn backend(args: &Args, folder: &Path) -> Result<Proxy> {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let plan = Plan {
        name: "backend",
        filters: Vec::new(),
        hosts: vec!["*".to_owned()],
        backend: None,
        control_plane: nowhere,
        scaler: nowhere,
    };
    Proxy::start(&args.envoy, &plan, folder, OTHER_CORE).await
}

async fn contest(
    args: &Args,
    folder: &TempDir,
    hosts: &[String],
    backend: SocketAddr,
    [control_plane, scaler]: [SocketAddr; 2],
) -> Result<Contest> {
    let start = async |name, filters| {
        let hosts = hosts.to_vec();
        let backend = Some(backend);
        let plan = Plan {
            name,
            filters,
            hosts,
            backend,
            control_plane,
            scaler,
        };
        Proxy::start(&args.envoy, &plan, folder.path(), ENVOY_CORE).await
    };
    let filter = start("filter", vec![args.our_filter()]).await?;
    let empty = start("empty", vec![args.empty_filter("")]).await?;
    let bare = start("bare", Vec::new()).await?;
    filter.has_table().await?;
    Ok(Contest {
        proxies: [filter, empty, bare],
        runs: [vec![], vec![], vec![]],
    })
}

/// Control plane and scaler, with a Service, an endpoint and a route for each name.
async fn daemons(folder: &Path, names: &[String], backend: SocketAddr) -> Result<(Daemon, Daemon)> {
    let manifests = Manifests::in_folder(&folder.join("manifests"))?;
    let texts = names.iter().map(|name| objects(name, backend));
    manifests.write("apps.yaml", texts.collect::<Result<String>>()?)?;
    let args = vec![format!("--manifests={}", manifests.folder().display())];
    let control_plane = Daemon::start("wakegate-control-plane", folder, args).await?;
    let uri = format!("http://{}", control_plane.addresses().grpc);
    let args = vec![format!("--control-plane={uri}")];
    let scaler = Daemon::start("wakegate-scaler", folder, args).await?;
    control_plane.ready().await?;
    scaler.ready().await?;
    Ok((control_plane, scaler))
}

/// The documents of one app that is up.
fn objects(name: &str, backend: SocketAddr) -> Result<String> {
    let documents = [
        json!({ "apiVersion": "v1", "kind": "Service",
            "metadata": { "namespace": "bench", "name": name },
            "spec": { "ports": [ { "name": "http", "port": 80 } ] } }),
        json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": { "namespace": "bench", "name": format!("{name}-1"),
                "labels": { "kubernetes.io/service-name": name } },
            "addressType": "IPv4",
            "ports": [ { "name": "http", "port": backend.port(), "protocol": "TCP" } ],
            "endpoints": [ { "addresses": [backend.ip()], "conditions": { "ready": true } } ] }),
        json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": { "namespace": "bench", "name": name,
                "annotations": { "wakegate.dev/scale-to-zero": "true" } },
            "spec": { "hostnames": [format!("{name}.test")],
                "rules": [ { "backendRefs": [ { "name": name, "port": 80 } ] } ] } }),
    ];
    let mut text = String::new();
    for document in documents {
        writeln!(text, "---\n{document}").context("write into a string")?;
    }
    Ok(text)
}
