//! Looks after the authorities and after every certificate that they signed, while this replica leads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    AuthorityConfig,
    authorities::Authorities,
    certificates::Profile,
    holders::Place,
    metrics::AuthorityMetrics,
    plan::{Held, Lifetimes, Step, Time},
    secrets,
    store::{Applied, Standing, Stop, Store},
};
use crate::{backoff::jittered, leader::Leadership};

/// How soon it is looked again after another wrote in between.
const AGAIN: Duration = Duration::from_millis(500);

/// How soon it is looked again after a Secret was written: by then its readers have what is in it.
const SETTLED: Duration = Duration::from_secs(2);

/// The one who writes Secrets.
pub(super) struct Keeper {
    store: Store,
    leadership: Leadership,
    lifetimes: Lifetimes,
    profiles: BTreeMap<Place, Profile>,
    /// Their namespaces are not there, so nobody holds what would be in them.
    homeless: BTreeSet<Place>,
    keda: Place,
    /// Which version of KEDA's was found in order last.
    keda_version: watch::Sender<Option<Arc<str>>>,
    /// A Secret was written in this look.
    has_issued: bool,
}

/// A Secret as it should be, and as it is.
struct Holder {
    place: Place,
    profile: Profile,
    standing: Standing,
}

impl Keeper {
    pub(super) fn new(
        client: Client,
        config: &AuthorityConfig,
        leadership: Leadership,
        metrics: AuthorityMetrics,
    ) -> Self {
        let AuthorityConfig {
            holders,
            identity,
            lifetimes,
        } = config;
        let names = (holders.namespace.clone(), identity.clone());
        Self {
            store: Store::new(client, names, leadership.clone(), metrics),
            leadership,
            lifetimes: *lifetimes,
            profiles: holders.profiles(),
            homeless: BTreeSet::new(),
            keda: holders.keda(),
            keda_version: watch::Sender::new(None),
            has_issued: false,
        }
    }

    /// Which version of KEDA's Secret is there for a while; none before there is one, and while another leads.
    pub(super) fn keda_version(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.keda_version.subscribe()
    }

    /// Looks whenever this replica leads, until the shutdown.
    pub(super) async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let mut leadership = self.leadership.clone();
        while leadership.next_term(&shutdown).await {
            leadership
                .while_leading(&shutdown, Box::pin(self.lead()))
                .await;
            self.store.metrics.follows();
            self.keda_version.send_replace(None);
        }
        Ok(())
    }

    /// Never ends by itself.
    async fn lead(&mut self) {
        let every = self.lifetimes.look_every();
        loop {
            let wait = match self.look(now()).await {
                Ok(()) | Err(Stop::Stuck) if self.has_issued => every.min(SETTLED),
                Ok(()) | Err(Stop::Stuck) => every,
                Err(Stop::Again) => every.min(AGAIN),
            };
            sleep(jittered(wait)).await;
        }
    }

    /// Looks at everything once, and brings it in order.
    async fn look(&mut self, now: Time) -> Result<(), Stop> {
        self.has_issued = false;
        let (authorities, secret) = self.authorities(now).await?;
        let mut holders = Vec::new();
        for (place, profile) in self.profiles.clone() {
            let standing = self.store.standing(&place, &profile, &authorities).await;
            holders.push(Holder {
                place,
                profile,
                standing,
            });
        }
        let authorities = self.go_on(authorities, secret, &holders, now).await?;
        let mut result = Ok(());
        for holder in holders {
            // One that does not succeed keeps no other waiting.
            result = self.keep(holder, &authorities, now).await.and(result);
        }
        result
    }

    /// The authorities; the first of them is made when there is none.
    async fn authorities(&mut self, now: Time) -> Result<(Authorities, Secret), Stop> {
        if let Some(found) = self.store.authorities().await? {
            return Ok(found);
        }
        let made = Authorities::create(self.lifetimes, now);
        let made = made.map_err(|error| self.store.unmade(error))?;
        let secret = self.store.create_authority(&made).await?;
        tracing::info!("own authority made");
        Ok((made, secret))
    }

    /// Takes every step of a rotation that is due.
    async fn go_on(
        &mut self,
        mut authorities: Authorities,
        mut secret: Secret,
        holders: &[Holder],
        now: Time,
    ) -> Result<Authorities, Stop> {
        loop {
            let held = holders.iter().filter(|it| it.is_held(&self.homeless));
            let held = held.map(Holder::held);
            let step = authorities.state().step(held, self.lifetimes, now);
            if step == Step::Stay {
                let namespace = &self.store.namespace;
                let ends = authorities.current.known.ca.term.until;
                self.store.metrics.authority_ends(namespace, ends);
                return Ok(authorities);
            }
            authorities = authorities
                .after(step, self.lifetimes, now)
                .map_err(|error| self.store.unmade(error))?;
            secret = self.store.replace_authorities(&authorities, secret).await?;
            tracing::info!(?step, "own authority");
        }
    }

    /// KEDA's certificate is in order, in this version of its Secret.
    fn found_keda(&self, version: Option<&str>) {
        self.keda_version.send_if_modified(|known| {
            let is_new = known.as_deref() != version;
            if is_new {
                *known = version.map(Arc::from);
            }
            is_new
        });
    }

    /// Brings one certificate in order.
    async fn keep(
        &mut self,
        holder: Holder,
        authorities: &Authorities,
        now: Time,
    ) -> Result<(), Stop> {
        let Holder {
            place,
            profile,
            standing,
        } = holder;
        let (held, version) = match standing {
            Standing::Foreign => return Ok(()),
            Standing::Unknown => (None, None),
            Standing::Ours { held, version } => (held, version),
        };
        let state = authorities.state();
        let Some(renewal) = state.renewal(held.as_ref(), now) else {
            let ends = held.map(|held| held.term.until).unwrap_or_default();
            self.store.metrics.certificate_ends(&place, ends);
            self.store.well(&place);
            if place == self.keda {
                self.found_keda(version.as_deref());
            }
            return Ok(());
        };
        let term = self.lifetimes.of_certificate(state.current.term, now);
        let issued = authorities.current.issue(&profile, term);
        let issued = issued.map_err(|error| self.store.unmade(error))?;
        let since = state.bundle_since(held.as_ref(), now);
        let secret = secrets::of_certificate(&place, &issued, authorities.bundle(), since, version);
        match self.store.apply(&place, &secret).await? {
            Applied::Done => {
                self.store.metrics.certificate_ends(&place, term.until);
                let Place { namespace, name } = &place;
                tracing::info!(namespace, name, ?renewal, "certificate issued");
                self.homeless.remove(&place);
                self.has_issued = true;
            }
            Applied::Homeless => {
                self.homeless.insert(place);
            }
            Applied::Stuck => {}
        }
        Ok(())
    }
}

impl Holder {
    /// Whether somebody may hold what is, or was, in it.
    fn is_held(&self, homeless: &BTreeSet<Place>) -> bool {
        match &self.standing {
            Standing::Unknown => !homeless.contains(&self.place),
            Standing::Foreign => false,
            Standing::Ours { .. } => true,
        }
    }

    /// What is in it, if that is known.
    fn held(&self) -> Option<&Held> {
        match &self.standing {
            Standing::Unknown | Standing::Foreign => None,
            Standing::Ours { held, version: _ } => held.as_ref(),
        }
    }
}

/// By the wall clock, in whole seconds, as certificates are.
fn now() -> Time {
    Duration::from_secs(u64::try_from(Timestamp::now().as_second()).unwrap_or_default())
}
