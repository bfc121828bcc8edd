//! What of the API server is out of reach, and for how long: a replica whose watches fail serves a table that grows
//! old, and says so.

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use kube::{Client, client::Body};
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic::codegen::{
    BoxFuture, Service,
    http::{Request, Response},
};
use wakegate_runtime::Condition;

use crate::metrics::Metrics;

/// What fails for so long makes the replica not ready. An API server that restarts is back sooner, and so is one of
/// several that another takes over for; who holds the Lease is another after as long.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Names in what an operator is told; there may be a kind in each of many namespaces.
const MAX_NAMES: usize = 24;

/// What is out of reach. A clone is a handle to the same.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    lost: Arc<Mutex<Lost>>,
}

/// By what an operator calls it, with its kind and since when.
#[derive(Debug, Default)]
struct Lost {
    since: BTreeMap<String, (&'static str, Instant)>,
}

/// What has failed for too long.
#[derive(Debug, PartialEq, Eq)]
struct Overdue {
    since: Instant,
    kinds: Vec<&'static str>,
    text: String,
}

/// A client that tells when a watch was opened.
struct Observed {
    client: Client,
    reach: Reach,
    name: String,
}

impl Reach {
    /// It failed.
    pub(crate) fn failed(&self, kind: &'static str, name: &str) {
        self.lost.lock().failed(kind, name, Instant::now());
    }

    /// It works.
    pub(crate) fn works(&self, name: &str) {
        self.lost.lock().since.remove(name);
    }

    /// The same client, which tells when a watch was opened: one in which nothing changes says nothing else.
    pub(super) fn observing(&self, client: Client, name: String) -> Client {
        let namespace = client.default_namespace().to_owned();
        let reach = self.clone();
        Client::new(
            Observed {
                client,
                reach,
                name,
            },
            namespace,
        )
    }

    /// Says whether `condition` holds, until the shutdown.
    ///
    /// # Errors
    /// None.
    pub(crate) async fn watch(
        self,
        condition: Condition,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kinds: Vec<&'static str> = Vec::new();
        while shutdown.run_until_cancelled(looks.tick()).await.is_some() {
            let overdue = self.lost.lock().overdue(Instant::now());
            let before = std::mem::take(&mut kinds);
            match overdue {
                None => condition.holds(),
                Some(overdue) => {
                    condition.fails(overdue.text, overdue.since);
                    kinds = overdue.kinds;
                }
            }
            for kind in before.iter().filter(|kind| !kinds.contains(kind)) {
                metrics.out_of_reach(kind, false);
            }
            for kind in &kinds {
                metrics.out_of_reach(kind, true);
            }
        }
        Ok(())
    }
}

impl Lost {
    /// The first failure counts, and no later one: what fails again and again has failed since then.
    fn failed(&mut self, kind: &'static str, name: &str, now: Instant) {
        if !self.since.contains_key(name) {
            self.since.insert(name.to_owned(), (kind, now));
        }
    }

    fn overdue(&self, now: Instant) -> Option<Overdue> {
        let overdue = self.since.iter();
        let overdue = overdue.filter(|(_, (_, since))| now.duration_since(*since) >= PATIENCE);
        let mut names: Vec<_> = overdue.collect();
        names.sort_by_key(|(_, (_, since))| *since);
        let (_, (_, since)) = names.first()?;
        let since = *since;
        let kinds = names.iter().map(|(_, (kind, _))| *kind).collect();
        let shown: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        let n_left_out = shown.len().saturating_sub(MAX_NAMES);
        let mut text = shown
            .into_iter()
            .take(MAX_NAMES)
            .collect::<Vec<_>>()
            .join(", ");
        if n_left_out > 0 {
            text = format!("{text} and {n_left_out} more");
        }
        Some(Overdue { since, kinds, text })
    }
}

impl Service<Request<Body>> for Observed {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = BoxFuture<Response<Body>, kube::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<kube::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (client, reach, name) = (self.client.clone(), self.reach.clone(), self.name.clone());
        let is_watch = request.uri().query().is_some_and(is_watch);
        Box::pin(async move {
            let response = client.send(request).await?;
            // A list that is answered may be followed by a watch that is refused.
            if is_watch && response.status().is_success() {
                reach.works(&name);
            }
            Ok(response)
        })
    }
}

fn is_watch(query: &str) -> bool {
    query
        .split('&')
        .any(|pair| pair == "watch=true" || pair == "watch=1")
}

#[cfg(test)]
mod tests {
    use wakegate_runtime::Readiness;

    use super::*;

    #[test]
    fn what_fails_for_long_is_told_with_the_first_failure_and_by_name() {
        let (mut lost, now) = (Lost::default(), Instant::now());
        let after = |secs| now + Duration::from_secs(secs);
        lost.failed("Service", "Service in shop", after(0));
        lost.failed("Ingress", "Ingress", after(3));
        lost.failed("Service", "Service in shop", after(14));
        assert_eq!(lost.overdue(after(14)), None);
        let overdue = lost.overdue(after(15)).unwrap();
        assert_eq!((overdue.since, overdue.kinds), (now, vec!["Service"]));
        assert_eq!(overdue.text, "Service in shop");
        let overdue = lost.overdue(after(18)).unwrap();
        assert_eq!(overdue.text, "Service in shop, Ingress");
    }

    #[test]
    fn many_names_are_cut_short() {
        let (mut lost, now) = (Lost::default(), Instant::now());
        for n in 100..130 {
            lost.failed("Service", &n.to_string(), now);
        }
        let overdue = lost.overdue(now + PATIENCE).unwrap();
        assert!(
            overdue.text.ends_with("122, 123 and 6 more"),
            "{}",
            overdue.text
        );
    }

    #[tokio::test(start_paused = true)]
    async fn readiness_is_lost_and_comes_back() {
        let (reach, readiness) = (Reach::default(), Readiness::default());
        let mut changed = readiness.changed();
        let metrics = Metrics::register(&mut prometheus_client::registry::Registry::default());
        let condition = readiness.condition("watches are lost");
        let shutdown = CancellationToken::new();
        let watch = reach.clone().watch(condition, metrics, shutdown.clone());
        let test = async {
            let begin = Instant::now();
            reach.failed("Service", "Service");
            changed.wait_for(|is_ready| !is_ready).await.unwrap();
            assert!(begin.elapsed() >= PATIENCE, "{:?}", begin.elapsed());
            let missing = readiness.missing().unwrap();
            assert_eq!(missing, "watches are lost, since 15 s: Service");
            reach.works("Service");
            changed.wait_for(|is_ready| *is_ready).await.unwrap();
            shutdown.cancel();
        };
        let (ended, ()) = tokio::join!(watch, test);
        ended.unwrap();
    }

    #[test]
    fn a_watch_is_told_from_a_list() {
        assert!(is_watch(
            "allowWatchBookmarks=true&watch=true&resourceVersion=7"
        ));
        assert!(!is_watch("limit=500&allowWatchBookmarks=true"));
    }
}
