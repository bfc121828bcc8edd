//! Looks after the authorities and after every certificate that they signed, while this replica leads.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    AuthorityConfig,
    authorities::Authorities,
    certificates::{CertificateError, Profile},
    holders::Place,
    metrics::{AuthorityMetrics, Outcome},
    plan::{Held, Lifetimes, Step, Time},
    said::Said,
    secrets::{self, AUTHORITY, Found},
};
use crate::{
    backoff::jittered,
    leader::Leadership,
    writers::{
        FIELD_MANAGER,
        write::{Unwritten, write},
    },
};

/// How soon it is looked again after another wrote in between.
const AGAIN: Duration = Duration::from_millis(500);

/// The one who writes Secrets.
pub(super) struct Keeper {
    client: Client,
    namespace: String,
    identity: String,
    lifetimes: Lifetimes,
    look_every: Duration,
    profiles: BTreeMap<Place, Profile>,
    leadership: Leadership,
    metrics: AuthorityMetrics,
    /// Their namespaces are not there, so nobody holds what would be in them.
    homeless: BTreeSet<Place>,
    said: Said,
}

/// What stands at a place.
enum Standing {
    /// Nothing, or nothing that is known.
    Unknown,
    /// Somebody else's.
    Foreign,
    /// One of ours, and what is in it.
    Ours {
        held: Option<Held>,
        version: Option<String>,
    },
}

/// Why a look ended early.
#[derive(Debug)]
enum Stop {
    /// Another wrote in between, or this replica leads no more.
    Again,
    /// It is said already, and there is nothing to do about it.
    Stuck,
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
        Self {
            client,
            namespace: holders.namespace.clone(),
            identity: identity.clone(),
            lifetimes: *lifetimes,
            look_every: lifetimes.look_every(),
            profiles: holders.profiles(),
            leadership,
            metrics,
            homeless: BTreeSet::new(),
            said: Said::default(),
        }
    }

    /// Looks whenever this replica leads, until the shutdown.
    pub(super) async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let mut leadership = self.leadership.clone();
        loop {
            tokio::select! {
                () = leadership.acquired() => {}
                () = shutdown.cancelled() => return Ok(()),
            }
            // Dropping the work drops what is in flight.
            tokio::select! {
                () = self.lead() => {}
                () = leadership.lost() => {}
                () = shutdown.cancelled() => return Ok(()),
            }
            self.metrics.follows();
        }
    }

    /// Never ends by itself.
    async fn lead(&mut self) {
        self.said = Said::default();
        loop {
            let wait = match self.look(now()).await {
                Ok(()) | Err(Stop::Stuck) => self.look_every,
                Err(Stop::Again) => AGAIN.min(self.look_every),
            };
            sleep(jittered(wait)).await;
        }
    }

    /// Looks at everything once, and brings it in order.
    async fn look(&mut self, now: Time) -> Result<(), Stop> {
        let (mut authorities, mut secret) = self.authorities(now).await?;
        let mut standings = Vec::new();
        for (place, profile) in self.profiles.clone() {
            let standing = self.standing(&place, &profile, &authorities).await;
            standings.push((place, profile, standing));
        }
        loop {
            let held = self.held(&standings);
            let step = authorities.state().step(held, self.lifetimes, now);
            if step == Step::Stay {
                break;
            }
            authorities = authorities
                .after(step, self.lifetimes, now)
                .map_err(|error| self.unmade(error))?;
            secret = self.put_authorities(&authorities, secret).await?;
            tracing::info!(?step, "own authority");
        }
        let ends = authorities.current.known.ca.term.until;
        self.metrics.authority_ends(&self.namespace, ends);
        let mut result = Ok(());
        for (place, profile, standing) in standings {
            let kept = self.keep(&place, &profile, standing, &authorities, now);
            result = kept.await.and(result);
        }
        result
    }

    /// What is in the Secrets that are held by somebody.
    fn held<'a>(
        &self,
        standings: &'a [(Place, Profile, Standing)],
    ) -> impl Iterator<Item = Option<&'a Held>> + Clone + use<'a, '_> {
        let standings = standings.iter();
        standings.filter_map(|(place, _, standing)| match standing {
            Standing::Unknown => (!self.homeless.contains(place)).then_some(None),
            Standing::Foreign => None,
            Standing::Ours { held, version: _ } => Some(held.as_ref()),
        })
    }

    /// The authorities; the first of them is made when there is none.
    async fn authorities(&mut self, now: Time) -> Result<(Authorities, Secret), Stop> {
        let api = self.api(&self.namespace);
        let read = write(api.get_opt(AUTHORITY)).await;
        let secret = read.map_err(|error| self.unread_authority(&error))?;
        match (Found::authorities(secret.as_ref()), secret) {
            (Found::Ours(authorities), Some(secret)) => {
                self.said.well(&self.namespace, AUTHORITY);
                Ok((authorities, secret))
            }
            (Found::Broken(error), _) => {
                let error = format!("{:#}", anyhow::Error::new(error));
                self.metrics.wrote(AUTHORITY, Outcome::Broken);
                let advice = "bring it back as it was, or delete it: then a new authority is made at once, and \
                              nothing that holds a certificate of the old one connects until it has a new one";
                self.said.ill(
                    &self.namespace,
                    AUTHORITY,
                    &format!("cannot be used ({error}): {advice}"),
                );
                Err(Stop::Stuck)
            }
            (Found::Foreign, _) => {
                self.metrics.wrote(AUTHORITY, Outcome::Foreign);
                let advice = "is not one that Wakegate made, and is left alone: rename or delete it, or give \
                              --tls-dir";
                self.said.ill(&self.namespace, AUTHORITY, advice);
                Err(Stop::Stuck)
            }
            (Found::Absent | Found::Ours(_), _) => {
                let made = Authorities::create(self.lifetimes, now);
                let made = made.map_err(|error| self.unmade(error))?;
                let secret = self.create_authority(&made).await?;
                tracing::info!("own authority made");
                Ok((made, secret))
            }
        }
    }

    /// Not by force and under a name that no other replica has: whoever comes second has a conflict, so two that
    /// believe that they lead end with one authority. An apply, unlike `create`, can be allowed for one name.
    async fn create_authority(&mut self, made: &Authorities) -> Result<Secret, Stop> {
        self.leads()?;
        let secret = secrets::of_authorities(made, &self.namespace, None);
        let params = PatchParams::apply(&format!("{FIELD_MANAGER}/{}", self.identity));
        let api = self.api(&self.namespace);
        let written = write(api.patch(AUTHORITY, &params, &Patch::Apply(&secret))).await;
        self.wrote_authority(written)
    }

    /// Replaces exactly the version that was read.
    async fn put_authorities(
        &mut self,
        authorities: &Authorities,
        before: Secret,
    ) -> Result<Secret, Stop> {
        self.leads()?;
        let secret = secrets::of_authorities(authorities, &self.namespace, Some(before));
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let api = self.api(&self.namespace);
        let written = write(api.replace(AUTHORITY, &params, &secret)).await;
        self.wrote_authority(written)
    }

    fn wrote_authority(&mut self, written: Result<Secret, Unwritten>) -> Result<Secret, Stop> {
        let outcome = outcome(written.as_ref().err());
        self.metrics.wrote(AUTHORITY, outcome);
        written.map_err(|error| match error {
            Unwritten::Conflict(_) => Stop::Again,
            Unwritten::Refused(_) | Unwritten::Absent | Unwritten::Failed(_) => {
                let said = format!("cannot be written: {}", text(&error));
                self.said.ill(&self.namespace, AUTHORITY, &said);
                Stop::Stuck
            }
        })
    }

    async fn standing(
        &mut self,
        place: &Place,
        profile: &Profile,
        authorities: &Authorities,
    ) -> Standing {
        let api = self.api(&place.namespace);
        match write(api.get_opt(place.name)).await {
            Ok(None) | Err(Unwritten::Absent) => Standing::Unknown,
            Ok(Some(secret)) if !secrets::is_ours(&secret) => Standing::Foreign,
            Ok(Some(secret)) => Standing::Ours {
                held: secrets::held(&secret, profile, authorities),
                version: secret.metadata.resource_version,
            },
            Err(error) => {
                let said = format!("cannot be read: {}", text(&error));
                self.said.ill(&place.namespace, place.name, &said);
                Standing::Unknown
            }
        }
    }

    /// Brings one certificate in order.
    async fn keep(
        &mut self,
        place: &Place,
        profile: &Profile,
        standing: Standing,
        authorities: &Authorities,
        now: Time,
    ) -> Result<(), Stop> {
        let (held, version) = match standing {
            Standing::Foreign => {
                self.metrics.wrote(place.name, Outcome::Foreign);
                let advice = "is not one that Wakegate made, and is left alone: rename or delete it to have one";
                self.said.ill(&place.namespace, place.name, advice);
                return Ok(());
            }
            Standing::Unknown => (None, None),
            Standing::Ours { held, version } => (held, version),
        };
        let state = authorities.state();
        let Some(renewal) = state.renewal(held.as_ref(), now) else {
            if let Some(held) = held {
                self.metrics.certificate_ends(place, held.term.until);
            }
            self.said.well(&place.namespace, place.name);
            return Ok(());
        };
        self.leads()?;
        let term = self.lifetimes.of_certificate(state.current.term, now);
        let issued = authorities.current.issue(profile, term);
        let issued = issued.map_err(|error| self.unmade(error))?;
        let since = state.bundle_since(held.as_ref(), now);
        let secret = secrets::of_certificate(place, &issued, authorities.bundle(), since, version);
        // All of it is ours, and says so: whoever changed it did so by mistake.
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let api = self.api(&place.namespace);
        let written = write(api.patch(place.name, &params, &Patch::Apply(&secret))).await;
        self.metrics
            .wrote(place.name, outcome(written.as_ref().err()));
        match written {
            Ok(_) => {
                self.homeless.remove(place);
                self.metrics.certificate_ends(place, term.until);
                self.said.well(&place.namespace, place.name);
                let Place { namespace, name } = place;
                tracing::info!(namespace, name, ?renewal, "certificate issued");
                Ok(())
            }
            Err(Unwritten::Conflict(_)) => Err(Stop::Again),
            Err(Unwritten::Absent) => {
                self.homeless.insert(place.clone());
                self.said
                    .ill(&place.namespace, place.name, "has no namespace to be in");
                Ok(())
            }
            Err(error @ (Unwritten::Refused(_) | Unwritten::Failed(_))) => {
                let said = format!("cannot be written: {}", text(&error));
                self.said.ill(&place.namespace, place.name, &said);
                Ok(())
            }
        }
    }

    fn leads(&self) -> Result<(), Stop> {
        if self.leadership.is_leader() {
            Ok(())
        } else {
            Err(Stop::Again)
        }
    }

    fn unread_authority(&mut self, error: &Unwritten) -> Stop {
        let said = format!("cannot be read: {}", text(error));
        self.said.ill(&self.namespace, AUTHORITY, &said);
        Stop::Stuck
    }

    fn unmade(&mut self, error: CertificateError) -> Stop {
        let error = format!("{:#}", anyhow::Error::new(error));
        self.said.ill(&self.namespace, AUTHORITY, &error);
        Stop::Stuck
    }

    fn api(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

fn outcome(error: Option<&Unwritten>) -> Outcome {
    match error {
        None => Outcome::Done,
        Some(Unwritten::Conflict(_)) => Outcome::Conflict,
        Some(Unwritten::Refused(_)) => Outcome::Refused,
        Some(Unwritten::Absent) => Outcome::Absent,
        Some(Unwritten::Failed(_)) => Outcome::Failed,
    }
}

/// The API server's words. Those on a Secret name fields, not what is in them.
fn text(error: &Unwritten) -> &str {
    match error {
        Unwritten::Conflict(text) | Unwritten::Refused(text) | Unwritten::Failed(text) => text,
        Unwritten::Absent => "it is not there",
    }
}

/// By the wall clock, in whole seconds, as certificates are.
fn now() -> Time {
    Duration::from_secs(u64::try_from(Timestamp::now().as_second()).unwrap_or_default())
}
