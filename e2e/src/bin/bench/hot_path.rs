//! What the filter costs a request whose backend is up: our filter, an empty one, and none, in turns.

mod contest;

use anyhow::{Context, Result};
use wakegate_e2e::client::Version;
use wakegate_e2e::stats::{Spread, median};

use crate::args::Args;
use crate::line::Line;
use crate::load::{Kind, Latency, Load, Method};
use contest::{Contest, OTHER_CORE};

const PART: &str = "hot path";

/// Traffic goes to so many hosts, whatever the size of the table: as in life, a few of many are busy.
const N_BUSY_HOSTS: usize = 100;

/// What the design asks for, as ratios of requests per second and of CPU per request.
const OVER_EMPTY: (f64, f64) = (0.97, 1.03);
const OVER_BARE: (f64, f64) = (0.90, 1.12);
/// And of the latency that is added at half load, in milliseconds.
const ADDED_P99: f64 = 0.1;

/// The three, by their place in a contest.
const OURS: usize = 0;
const EMPTY: usize = 1;
const BARE: usize = 2;

/// What is measured with a table of one size.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) n_routes: usize,
    /// At full speed.
    pub(crate) closed: Vec<Kind>,
    /// At half speed too, for latency: some of those at full speed.
    pub(crate) open: Vec<Kind>,
}

/// One run at full speed.
#[derive(Debug, Clone, Copy)]
struct Run {
    per_second: f64,
    cpu_micros: f64,
    /// The share of one core.
    busy: f64,
}

/// The runs of each of the three.
type Runs<T> = [Vec<T>; 3];

impl Scene {
    /// What a full run and a quick one measure: small requests with each size of table and either protocol;
    /// large bodies, which no table makes dearer, and latency where sizes differ most, once.
    pub(crate) fn all(is_quick: bool) -> Vec<Self> {
        let kind = |version, method| Kind { version, method };
        let gets = [
            kind(Version::H1, Method::Get),
            kind(Version::H2, Method::Get),
        ];
        let posts = [
            kind(Version::H1, Method::Post),
            kind(Version::H2, Method::Post),
        ];
        let scene = |n_routes, closed: &[Kind], open: &[Kind]| Self {
            n_routes,
            closed: closed.to_vec(),
            open: open.to_vec(),
        };
        if is_quick {
            let [first, ..] = gets;
            return vec![scene(1_000, &[first], &[first])];
        }
        vec![
            scene(1, &gets, &gets),
            scene(1_000, &[gets, posts].concat(), &[]),
            scene(10_000, &gets, &gets),
        ]
    }
}

pub(crate) async fn measure(args: &Args, scene: Scene) -> Result<Vec<Line>> {
    let contest = Contest::start(args, scene.n_routes).await?;
    let stride = scene.n_routes.div_ceil(N_BUSY_HOSTS);
    let busy = contest.hosts.iter().step_by(stride).cloned().collect();
    let load = Load::new((&args.wrk, &args.oha), contest.folder(), busy, OTHER_CORE)?;
    let mut lines = Vec::new();
    for &kind in &scene.closed {
        let runs = closed(args, &contest, &load, kind).await?;
        let what = format!("{}, {} routes", kind.text(), scene.n_routes);
        lines.extend(throughput(&what, &runs));
        if scene.open.contains(&kind) {
            let rate = contest.half_load(args, &load, kind).await?;
            let runs = open(args, &contest, &load, (kind, rate)).await?;
            lines.extend(latency(&what, rate, &runs));
        }
    }
    contest.is_honest().await?;
    Ok(lines)
}

async fn closed(args: &Args, contest: &Contest, load: &Load, kind: Kind) -> Result<Runs<Run>> {
    // Until V8 has optimised what is called often.
    for proxy in &contest.proxies {
        load.closed(kind, proxy.address(), args.round_span())
            .await?;
    }
    in_turns(args.n_rounds(), async |at| {
        let proxy = contest.proxies.get(at).context("there are three")?;
        let before = proxy.cpu_time()?;
        let seen = load
            .closed(kind, proxy.address(), args.round_span())
            .await?;
        let used = proxy.cpu_time()?.saturating_sub(before).as_secs_f64();
        Ok(Run {
            per_second: seen.per_second,
            cpu_micros: used * 1e6 / seen.n_requests,
            busy: used * seen.per_second / seen.n_requests,
        })
    })
    .await
}

async fn open(
    args: &Args,
    contest: &Contest,
    load: &Load,
    (kind, rate): (Kind, f64),
) -> Result<Runs<Latency>> {
    in_turns(args.n_rounds(), async |at| {
        let proxy = contest.proxies.get(at).context("there are three")?;
        load.open(kind, proxy.address(), args.round_span(), rate)
            .await
    })
    .await
}

/// Runs the three so many times. Who begins changes, so that no one is always first after a pause.
async fn in_turns<T>(n_rounds: usize, run: impl AsyncFn(usize) -> Result<T>) -> Result<Runs<T>> {
    let mut runs = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..n_rounds {
        for turn in 0..3 {
            let at = (round + turn) % 3;
            let done = run(at).await?;
            runs.get_mut(at).context("there are three")?.push(done);
        }
    }
    Ok(runs)
}

fn bare<T>(runs: &Runs<T>) -> &[T] {
    runs.get(BARE).map_or(&[], Vec::as_slice)
}

fn pairs<T>(runs: &Runs<T>, with: usize, of: fn(&T) -> f64) -> Vec<(f64, f64)> {
    let runs_of = |at| runs.get(at).into_iter().flatten().map(of);
    runs_of(OURS).zip(runs_of(with)).collect()
}

fn throughput(what: &str, runs: &Runs<Run>) -> Vec<Line> {
    let rate: fn(&Run) -> f64 = |run| run.per_second;
    let cpu: fn(&Run) -> f64 = |run| run.cpu_micros;
    let line = |of_what, with, of: fn(&Run) -> f64, unit| {
        let pairs = pairs(runs, with, of);
        let (ours, other): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
        Line::new(PART, format!("{what}: {of_what}"))
            .spread("ratio", &Spread::of_ratios(pairs), "")
            .figure("ours", median_of(&ours, |it| *it), unit)
            .figure("other", median_of(&other, |it| *it), unit)
    };
    // A core that has time left means that something else was the limit: then rates say little.
    let busy = median_of(bare(runs), |run| run.busy);
    vec![
        line("requests/s over an empty filter", EMPTY, rate, "/s").at_least("ratio", OVER_EMPTY.0),
        line("requests/s over no filter", BARE, rate, "/s")
            .figure("core busy without a filter", busy, "")
            .at_least("ratio", OVER_BARE.0),
        line("CPU/request over an empty filter", EMPTY, cpu, "µs").at_most("ratio", OVER_EMPTY.1),
        line("CPU/request over no filter", BARE, cpu, "µs").at_most("ratio", OVER_BARE.1),
    ]
}

fn latency(what: &str, rate: f64, runs: &Runs<Latency>) -> Vec<Line> {
    let line = |name, of: fn(&Latency) -> f64| {
        let of_one = |at: usize| median_of(runs.get(at).map_or(&[], Vec::as_slice), of);
        Line::new(PART, format!("{what}, {rate:.0} requests/s: {name}"))
            .spread(
                "added to no filter",
                &Spread::of_differences(pairs(runs, BARE, of)),
                "ms",
            )
            .figure("ours", of_one(OURS), "ms")
            .figure("empty filter", of_one(EMPTY), "ms")
            .figure("no filter", of_one(BARE), "ms")
    };
    vec![
        line("p50", |it| it.p50),
        line("p99", |it| it.p99).at_most("added to no filter", ADDED_P99),
        line("p99.9", |it| it.p999),
    ]
}

fn median_of<T>(runs: &[T], of: impl Fn(&T) -> f64) -> f64 {
    let mut values: Vec<_> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    median(&values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_three_take_turns_and_each_begins_as_often_as_the_others() {
        let order = std::cell::RefCell::new(Vec::new());
        let runs = in_turns(3, async |at| {
            order.borrow_mut().push(at);
            Ok(at)
        });
        assert_eq!(runs.await.unwrap(), [[0; 3], [1; 3], [2; 3]].map(Vec::from));
        assert_eq!(order.into_inner(), [0, 1, 2, 1, 2, 0, 2, 0, 1]);
    }

    #[test]
    fn ours_is_compared_with_each_of_the_others() {
        let run = |per_second, cpu_micros| Run {
            per_second,
            cpu_micros,
            busy: 1.0,
        };
        let runs = [
            vec![run(98.0, 11.0)],
            vec![run(100.0, 10.0)],
            vec![run(140.0, 5.0)],
        ];
        let lines = throughput("here", &runs);
        let ratios: Vec<_> = lines.iter().map(|line| line.figures[0].value).collect();
        assert_eq!(ratios, [0.98, 0.7, 1.1, 2.2]);
    }
}
