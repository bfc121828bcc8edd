//! How long streams last, and what comes before their server ends: the flags of whoever serves some.
//!
//! A client stays with the replica that it has found. After a rollout all hang on the one that was there first, and
//! would for ever. So each stream ends by itself one day, with OK, and its client looks for a replica anew.

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep_until};
use tonic::transport::Server;

/// When a peer that says nothing is asked whether it is there. KEDA has no keepalive of its own; filters go by heartbeats,
/// which are faster.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// How long it may take to answer.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The flags of streams, to be flattened into a daemon's own.
#[derive(Clone, Copy, Debug, Args)]
pub struct StreamArgs {
    /// After about so long a stream ends well, and its client finds a replica anew; 0: never
    #[arg(
        long,
        env = "WAKEGATE_MAX_STREAM_AGE_SECS",
        value_name = "SECS",
        default_value_t = 1_800
    )]
    pub max_stream_age_secs: u64,

    /// After SIGTERM, for so long it is not ready but serves, until no client is sent here any more; in a cluster 5
    #[arg(
        long,
        env = "WAKEGATE_DRAIN_DELAY_SECS",
        value_name = "SECS",
        default_value_t = 0
    )]
    pub drain_delay_secs: u64,
}

/// How old streams get: each a third less or more than the mean, so that those that began together do not end
/// together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamAge {
    mean: Option<Duration>,
}

/// When one stream ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamEnd(Option<Instant>);

impl StreamArgs {
    /// How old streams get.
    pub fn age(&self) -> StreamAge {
        StreamAge::of(Duration::from_secs(self.max_stream_age_secs))
    }

    /// How long nothing but readiness ends.
    pub fn drain_delay(&self) -> Duration {
        Duration::from_secs(self.drain_delay_secs)
    }
}

impl StreamAge {
    /// About as old as that; zero is without an end.
    pub fn of(mean: Duration) -> Self {
        Self {
            mean: (!mean.is_zero()).then_some(mean),
        }
    }

    /// The end of a stream that begins now. `share`, from 0 to 1, is by chance.
    pub fn end(self, now: Instant, share: f64) -> StreamEnd {
        let age = self
            .mean
            .map(|mean| mean.mul_f64((2.0 + 2.0 * share) / 3.0));
        StreamEnd(age.and_then(|age| now.checked_add(age)))
    }

    /// A server that takes so many streams on one connection, notices a peer that is gone, and gives connections up in
    /// time.
    pub fn server(self, max_streams: u32) -> Server {
        let server = match self.of_connections() {
            Some(age) => Server::builder().max_connection_age(age),
            None => Server::builder(),
        };
        server
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .max_concurrent_streams(Some(max_streams))
    }

    /// How old connections get: as old as the youngest stream. Then a client that has its streams on one connection
    /// has left it to them by the time that one ends, and opens the next on a new one, which may lead elsewhere; behind
    /// a Service with an address of its own it would be here for ever.
    fn of_connections(self) -> Option<Duration> {
        self.mean.map(|mean| mean * 2 / 3)
    }

    /// The end of a stream that begins now, by chance.
    pub fn some_end(self) -> StreamEnd {
        self.end(Instant::now(), rand::random_range(0.0..=1.0))
    }
}

impl StreamEnd {
    /// Whether it is there.
    pub fn is_due(self, now: Instant) -> bool {
        self.0.is_some_and(|at| now >= at)
    }

    /// Waits for it.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn due(self) {
        match self.0 {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_within_a_third_of_the_mean_and_streams_differ() {
        let (age, now) = (StreamAge::of(HOUR), Instant::now());
        for (share, mins) in [(0.0, 40), (0.5, 60), (1.0, 80)] {
            let at = now + Duration::from_mins(mins);
            let end = age.end(now, share);
            assert!(!end.is_due(at - Duration::from_secs(1)), "{share}");
            assert!(end.is_due(at + Duration::from_secs(1)), "{share}");
        }
        assert_eq!(age.of_connections(), Some(Duration::from_mins(40)));
        assert_ne!(age.some_end(), age.some_end());
        age.some_end().due().await;
        assert!(now.elapsed() >= HOUR * 2 / 3, "{:?}", now.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn zero_is_never() {
        let end = StreamAge::of(Duration::ZERO).some_end();
        assert!(!end.is_due(Instant::now() + HOUR * 24 * 365));
        assert!(tokio::time::timeout(HOUR, end.due()).await.is_err());
    }
}
