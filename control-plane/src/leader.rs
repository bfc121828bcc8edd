//! Which replica writes: the one that holds a Lease.
//!
//! No clock but the own monotonic one decides anything. A replica takes over when it has not seen the Lease
//! change for its whole duration, and stops leading a good while before another could do so, whether or not
//! anything runs then to say it.

mod candidate;
mod lease;

use std::{convert::Infallible, time::Duration};

use kube::Client;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use wakegate_runtime::Tasks;

use self::{
    candidate::{Candidate, Decision},
    lease::{LeaseError, Leases},
};
use crate::{backoff::jittered, metrics::Metrics, source::kubernetes::Reach};

/// The name of the Lease in an installation.
pub const LEASE: &str = "wakegate-control-plane";

/// A Lease, and who wants it.
#[derive(Clone, Debug)]
pub struct LeaseConfig {
    /// The namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The name of this replica, which no other has.
    pub identity: String,
    /// Where other replicas reach this one.
    pub address: String,
    /// How long others respect a Lease that is not renewed.
    pub duration: Duration,
    /// How long this replica leads after a renewal. Below `duration` by more than clocks drift apart.
    pub renew_deadline: Duration,
    /// How often the holder renews.
    pub renew_every: Duration,
    /// How often others look, and the holder after a failure.
    pub retry_every: Duration,
}

/// Whether this replica leads. A clone is a handle to the same.
#[derive(Clone, Debug)]
pub struct Leadership {
    until: watch::Receiver<Option<Instant>>,
    leader: watch::Receiver<Option<String>>,
}

/// The side of [`Leadership`] that the loop has.
#[derive(Debug)]
struct Term {
    until: watch::Sender<Option<Instant>>,
    leader: watch::Sender<Option<String>>,
}

impl LeaseConfig {
    /// The Lease of an installation, with the durations that Kubernetes' own components use.
    pub fn new(namespace: String, identity: String, address: String) -> Self {
        Self {
            namespace,
            name: LEASE.to_owned(),
            identity,
            address,
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            renew_every: Duration::from_secs(5),
            retry_every: Duration::from_secs(2),
        }
    }
}

impl Leadership {
    /// Of a replica that leads for ever, or never: without a Lease there is nobody to agree with.
    pub fn fixed(is_leader: bool) -> Self {
        // Some decades, which no clock's end is near to.
        const EVER: Duration = Duration::from_hours(24 * 365 * 30);
        let until = is_leader.then(|| Instant::now() + EVER);
        Self {
            until: watch::Sender::new(until).subscribe(),
            leader: watch::Sender::new(None).subscribe(),
        }
    }

    /// Whether this replica leads now: false as soon as others may soon take the Lease for given up.
    pub fn is_leader(&self) -> bool {
        is_before(*self.until.borrow())
    }

    /// Waits until this replica leads.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn acquired(&mut self) {
        if self
            .until
            .wait_for(|until| is_before(*until))
            .await
            .is_err()
        {
            // Nobody tries any more.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until this replica does not lead.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn lost(&mut self) {
        loop {
            let until = *self.until.borrow_and_update();
            let Some(until) = until.filter(|until| Instant::now() < *until) else {
                return;
            };
            tokio::select! {
                () = sleep_until(until) => {}
                Ok(()) = self.until.changed() => {}
            }
        }
    }

    /// Waits for the next term of this replica; false at the shutdown.
    pub(crate) async fn next_term(&mut self, shutdown: &CancellationToken) -> bool {
        shutdown
            .run_until_cancelled(self.acquired())
            .await
            .is_some()
    }

    /// Does `work`, which never ends by itself, until the term ends or the shutdown comes; what is in flight then is
    /// dropped.
    pub(crate) async fn while_leading(
        &mut self,
        shutdown: &CancellationToken,
        work: impl Future<Output = ()>,
    ) {
        tokio::select! {
            () = work => {}
            () = self.lost() => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// Where the replica that leads is reached; none while nobody does, or this one.
    pub fn leader(&self) -> watch::Receiver<Option<String>> {
        self.leader.clone()
    }
}

fn is_before(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() < until)
}

/// Strives for the Lease until the drain, then gives it up, and goes on looking who leads until the shutdown.
pub fn start(
    client: Client,
    config: LeaseConfig,
    reach: Reach,
    metrics: Metrics,
    tasks: &Tasks,
) -> Leadership {
    let (until, leadership) = watch::channel(None);
    let (leader, its_address) = watch::channel(None);
    let leadership = Leadership {
        until: leadership,
        leader: its_address,
    };
    let ours = leadership.clone();
    let (drain, shutdown) = (tasks.drain_token(), tasks.shutdown_token());
    tasks.spawn("lease", async move {
        let mut election = Election {
            candidate: Candidate::new(config.identity.clone(), config.duration),
            leases: Leases::new(client, config.clone()),
            config,
            reach,
            term: Term { until, leader },
            is_candidate: true,
            is_failing: false,
        };
        tokio::select! {
            never = election.run() => match never {},
            never = tell(ours, metrics) => match never {},
            () = drain.cancelled() => {}
        }
        election.end().await;
        // Filters are here until the shutdown, and whoever leads is to know of them.
        shutdown.run_until_cancelled(election.run()).await;
        Ok(())
    });
    leadership
}

/// Says each time when it begins and ends.
async fn tell(mut leadership: Leadership, metrics: Metrics) -> Infallible {
    loop {
        metrics.leads(false);
        leadership.acquired().await;
        metrics.leads(true);
        tracing::info!("this replica leads");
        leadership.lost().await;
        tracing::info!("this replica leads no more");
    }
}

/// The loop, and what it knows.
#[derive(Debug)]
struct Election {
    candidate: Candidate,
    leases: Leases,
    config: LeaseConfig,
    reach: Reach,
    term: Term,
    /// Whether it may lead at all.
    is_candidate: bool,
    is_failing: bool,
}

impl Election {
    async fn run(&mut self) -> Infallible {
        loop {
            let outcome = self.step().await;
            let wait = match outcome {
                Ok(true) => self.config.renew_every,
                Ok(false) | Err(_) => jittered(self.config.retry_every),
            };
            self.log(outcome.err());
            sleep(wait).await;
        }
    }

    /// One look at the Lease; whether it is ours.
    async fn step(&mut self) -> Result<bool, LeaseError> {
        let lease = self.leases.read().await?;
        let now = Instant::now();
        match self.candidate.on(lease.as_ref().map(lease::record), now) {
            Decision::Take | Decision::Renew if self.is_candidate => {
                // By the time of sending: the answer may come late, and others count from what was written.
                let sent_at = Instant::now();
                let is_ours = self.leases.hold(lease).await?;
                let until = is_ours.then(|| sent_at + self.config.renew_deadline);
                self.term.until.send_replace(until);
                if is_ours {
                    self.follow(None);
                }
                Ok(is_ours)
            }
            decision @ (Decision::Take | Decision::Renew | Decision::Follow) => {
                self.term.until.send_replace(None);
                let other = lease.as_ref().filter(|_| decision == Decision::Follow);
                self.follow(other.and_then(lease::address));
                Ok(false)
            }
        }
    }

    fn follow(&self, address: Option<&str>) {
        self.term.leader.send_if_modified(|now| {
            let is_new = now.as_deref() != address;
            if is_new {
                *now = address.map(str::to_owned);
            }
            is_new
        });
    }

    /// The first failure of a row, and its end.
    fn log(&mut self, error: Option<LeaseError>) {
        match (error, self.is_failing) {
            (Some(error), false) => {
                let error = format!("{:#}", anyhow::Error::new(error));
                tracing::warn!(error, "the Lease is out of reach");
                self.is_failing = true;
            }
            (None, true) => {
                tracing::info!("the Lease is in reach again");
                self.is_failing = false;
            }
            (Some(_), true) | (None, false) => {}
        }
        if self.is_failing {
            self.reach.failed("Lease", "Lease");
        } else {
            self.reach.works("Lease");
        }
    }

    /// Leads no more, and lets another do so at once.
    async fn end(&mut self) {
        self.is_candidate = false;
        self.term.until.send_replace(None);
        if let Err(error) = self.leases.release().await {
            let error = format!("{:#}", anyhow::Error::new(error));
            tracing::warn!(error, "the Lease is not released: it runs out");
        }
    }
}

#[cfg(test)]
mod tests;
