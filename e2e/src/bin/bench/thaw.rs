//! How many held requests reach a backend that has woken, in which order, and how soon: at Envoy's
//! default circuit breakers, against what the backend can serve.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use tokio::time::Instant;
use wakegate_e2e::{Service, Stack};

use crate::args::Args;
use crate::backend::Backend;
use crate::crowd::{Answers, Crowd, pass};
use crate::line::{Line, as_f64};
use wakegate_e2e::resources;

const PART: &str = "thaw";

/// Of the rate at which the backend can serve, for ten thousand.
const AIM: f64 = 0.8;
const N_OF_AIM: usize = 10_000;

/// The same number of requests without a hold is worth the time when there are many, and not too many for
/// the backend: it says what the machine can do.
const WORTH_COMPARING: usize = 1_000;
const COMPARED_UP_TO: Duration = Duration::from_secs(30);

/// What is waited for beyond what the ideal takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// For what is held over many backends.
const RATE_OF_MANY: u32 = 5_000;

/// So many held on one backend that serves so many a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thaw {
    pub(crate) n: usize,
    pub(crate) per_second: u32,
}

pub(crate) async fn one_backend(thaw: Thaw) -> Result<Vec<Line>> {
    let service = service("shop", thaw.n);
    let stack = stack([service.clone()]).await?;
    let crowd = Crowd::hold(&stack, std::slice::from_ref(&service), thaw.n).await?;
    let backend = Backend::start(thaw.per_second).await?;
    let pid = stack.envoy()?.process().pid();
    let cpu_before = resources::cpu_time(pid)?;
    let woken = Instant::now();
    stack
        .manifests
        .put_endpoint(&service, Some(backend.address()))?;
    let answers = crowd.answers(thaw.ideal() + PATIENCE).await;
    let took = answers.last()? - woken;
    let cpu = resources::cpu_time(pid)?.saturating_sub(cpu_before);
    let lost = stack.counted("lost_total").await?;
    let arrivals = backend.arrivals();
    let awake = if thaw.n >= WORTH_COMPARING && thaw.ideal() <= COMPARED_UP_TO {
        Some(pass(stack.address()?, &service, thaw.n).await?)
    } else {
        None
    };
    stack.finish().await?;
    let what = format!(
        "{} held, a backend that serves {} a second",
        thaw.n, thaw.per_second
    );
    let line = delivered(Line::new(PART, what), &answers, &arrivals);
    let line = line
        .count("lost on release", usize::try_from(lost)?)
        .figure("took", took.as_secs_f64(), "s")
        .figure("Envoy used", cpu.as_secs_f64(), "s of CPU")
        .figure("ideal", thaw.ideal().as_secs_f64(), "s")
        .figure(
            "ideal/took",
            thaw.ideal().as_secs_f64() / took.as_secs_f64(),
            "",
        );
    let line = match awake {
        Some(awake) => line.figure("took when awake", awake.as_secs_f64(), "s"),
        None => line,
    };
    let line = if thaw.n >= N_OF_AIM {
        line.at_least("ideal/took", AIM)
    } else {
        line
    };
    Ok(vec![line])
}

impl FromStr for Thaw {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (n, per_second) = text.split_once('@').context("HELD@PER_SECOND")?;
        Ok(Self {
            n: n.parse().context("how many are held")?,
            per_second: per_second.parse().context("how many are served")?,
        })
    }
}

impl Thaw {
    /// A backend that has something to do all the time.
    fn ideal(self) -> Duration {
        let n = u32::try_from(self.n).unwrap_or(u32::MAX);
        Duration::from_secs(1) * n / self.per_second.max(1)
    }
}

/// Many held over many backends, which wake one after the other in random order.
pub(crate) async fn many_backends(args: &Args) -> Result<Vec<Line>> {
    let (n, n_backends) = args.over_backends();
    let services: Vec<_> = (0..n_backends)
        .map(|index| service(&format!("app-{index}"), n))
        .collect();
    let stack = stack(services.clone()).await?;
    let crowd = Crowd::hold(&stack, &services, n).await?;
    let backend = Backend::start(RATE_OF_MANY).await?;
    let mut order: Vec<_> = services.iter().collect();
    order.shuffle(&mut StdRng::seed_from_u64(args.seed));
    let woken = Instant::now();
    for service in order {
        stack
            .manifests
            .put_endpoint(service, Some(backend.address()))?;
    }
    let answers = crowd.answers(PATIENCE * 2).await;
    let took = answers.last()? - woken;
    stack.finish().await?;
    let what = format!(
        "{n} held over {} backends that wake in random order (seed {})",
        services.len(),
        args.seed
    );
    ensure!(
        backend.n_arrived() >= n.saturating_sub(answers.n_other_than(200)),
        "the backend saw what was answered"
    );
    let line = Line::new(PART, what)
        .figure("errors", as_f64(answers.n_other_than(200)), "")
        .figure("took", took.as_secs_f64(), "s")
        .must_be_zero("errors");
    Ok(vec![line])
}

fn delivered(line: Line, answers: &Answers, arrivals: &[String]) -> Line {
    line.count("errors", answers.n_other_than(200))
        .count("out of order", n_out_of_order(arrivals))
        .must_be_zero("errors")
        .must_be_zero("out of order")
}

/// How many arrived after one that was held later. Requests of one connection belong to one worker, and
/// were held in the order of their numbers.
fn n_out_of_order(arrivals: &[String]) -> usize {
    let mut last = BTreeMap::new();
    let mut n = 0;
    for path in arrivals {
        let Some((connection, number)) = place(path) else {
            continue;
        };
        let last = last.entry(connection).or_insert(number);
        if number < *last {
            n += 1;
        }
        *last = number.max(*last);
    }
    n
}

/// The connection and the number in a path, see [`Crowd::hold`].
fn place(path: &str) -> Option<(u32, u32)> {
    let (connection, number) = path.strip_prefix('/')?.split_once('/')?;
    Some((connection.parse().ok()?, number.parse().ok()?))
}

fn service(name: &str, max_held: usize) -> Service {
    Service::new(name)
        .with("max-held", &max_held.to_string())
        .with("hold-timeout", "10m")
}

async fn stack(services: impl IntoIterator<Item = Service>) -> Result<Stack> {
    let builder = Stack::builder().stream_idle_timeout(Duration::from_mins(15));
    services
        .into_iter()
        .fold(builder, wakegate_e2e::StackBuilder::serve)
        .start()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(paths: &[&str]) -> Vec<String> {
        paths.iter().copied().map(str::to_owned).collect()
    }

    #[test]
    fn order_is_kept_per_connection_and_overtaking_is_counted() {
        let in_order = ["/0/0", "/1/1", "/0/16", "/1/17", "/0/32"];
        assert_eq!(n_out_of_order(&arrivals(&in_order)), 0);
        let one_connection_late = ["/0/0", "/0/16", "/1/1", "/1/17"];
        assert_eq!(n_out_of_order(&arrivals(&one_connection_late)), 0);
        let overtaken_by_one = ["/0/16", "/0/0", "/0/32", "/1/1"];
        assert_eq!(n_out_of_order(&arrivals(&overtaken_by_one)), 1);
        let overtaken_twice = ["/0/32", "/0/0", "/0/16"];
        assert_eq!(n_out_of_order(&arrivals(&overtaken_twice)), 2);
    }

    #[test]
    fn the_ideal_is_what_is_held_over_the_rate() {
        let thaw = Thaw {
            n: 10_000,
            per_second: 500,
        };
        assert_eq!(thaw.ideal(), Duration::from_secs(20));
    }
}
