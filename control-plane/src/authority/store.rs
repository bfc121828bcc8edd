//! Reads and writes the Secrets. What is wrong with one is counted and said here.

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};

use super::{
    authorities::Authorities,
    certificates::{CertificateError, Profile},
    holders::Place,
    metrics::{AuthorityMetrics, Outcome},
    plan::Held,
    said::Said,
    secrets::{self, AUTHORITY, Found},
};
use crate::{
    leader::Leadership,
    writers::{
        FIELD_MANAGER,
        write::{Unwritten, write},
    },
};

const BROKEN: &str = "bring it back as it was, or delete it: then a new authority is made at once, and \
                      nothing that holds a certificate of the old one connects until it has a new one";
const FOREIGN_AUTHORITY: &str =
    "is not one that Wakegate made, and is left alone: rename or delete it, or give --tls-dir";
const FOREIGN: &str =
    "is not one that Wakegate made, and is left alone: rename or delete it to have one";

/// The Secrets, as far as this replica may write them.
pub(super) struct Store {
    client: Client,
    /// Where the authority's is.
    pub(super) namespace: String,
    /// The name of this replica.
    identity: String,
    leadership: Leadership,
    pub(super) metrics: AuthorityMetrics,
    said: Said,
}

/// What stands at a place.
pub(super) enum Standing {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Another wrote in between, or this replica leads no more.
    Again,
    /// It is said already, and there is nothing to do about it.
    Stuck,
}

/// What became of a certificate's Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    Done,
    /// There is no such namespace.
    Homeless,
    /// It is said already.
    Stuck,
}

impl Store {
    pub(super) fn new(
        client: Client,
        (namespace, identity): (String, String),
        leadership: Leadership,
        metrics: AuthorityMetrics,
    ) -> Self {
        Self {
            client,
            namespace,
            identity,
            leadership,
            metrics,
            said: Said::default(),
        }
    }

    /// The authorities, and the Secret that they were read from; none while there is no such Secret.
    pub(super) async fn authorities(&mut self) -> Result<Option<(Authorities, Secret)>, Stop> {
        let read = write(self.api(&self.namespace).get_opt(AUTHORITY)).await;
        let secret =
            read.map_err(|error| self.ill_authority(&format!("cannot be read: {}", text(&error))))?;
        match (Found::authorities(secret.as_ref()), secret) {
            (Found::Ours(authorities), Some(secret)) => {
                self.said.well(&self.namespace, AUTHORITY);
                Ok(Some((authorities, secret)))
            }
            (Found::Broken(error), _) => {
                let error = format!("{:#}", anyhow::Error::new(error));
                self.metrics.wrote(AUTHORITY, Outcome::Broken);
                Err(self.ill_authority(&format!("cannot be used ({error}): {BROKEN}")))
            }
            (Found::Foreign, _) => {
                self.metrics.wrote(AUTHORITY, Outcome::Foreign);
                Err(self.ill_authority(FOREIGN_AUTHORITY))
            }
            (Found::Absent | Found::Ours(_), _) => Ok(None),
        }
    }

    /// Not by force and under a name that no other replica has: whoever comes second has a conflict, so two that
    /// believe that they lead end with one authority. An apply, unlike `create`, can be allowed for one name.
    pub(super) async fn create_authority(&mut self, made: &Authorities) -> Result<Secret, Stop> {
        self.leads()?;
        let secret = secrets::of_authorities(made, &self.namespace, None);
        let params = PatchParams::apply(&format!("{FIELD_MANAGER}/{}", self.identity));
        let api = self.api(&self.namespace);
        let written = write(api.patch(AUTHORITY, &params, &Patch::Apply(&secret))).await;
        self.wrote_authority(written)
    }

    /// Replaces exactly the version that was read.
    pub(super) async fn replace_authorities(
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
        self.metrics
            .wrote(AUTHORITY, outcome(written.as_ref().err()));
        written.map_err(|error| match error {
            Unwritten::Conflict(_) => Stop::Again,
            Unwritten::Refused(_) | Unwritten::Absent | Unwritten::Failed(_) => {
                self.ill_authority(&format!("cannot be written: {}", text(&error)))
            }
        })
    }

    /// What stands where a certificate belongs.
    pub(super) async fn standing(
        &mut self,
        place: &Place,
        profile: &Profile,
        authorities: &Authorities,
    ) -> Standing {
        match write(self.api(&place.namespace).get_opt(place.name)).await {
            Ok(None) | Err(Unwritten::Absent) => Standing::Unknown,
            Ok(Some(secret)) if secrets::is_ours(&secret) => Standing::Ours {
                held: secrets::held(&secret, profile, authorities),
                version: secret.metadata.resource_version,
            },
            Ok(Some(_)) => {
                self.metrics.wrote(place.name, Outcome::Foreign);
                self.ill(place, FOREIGN);
                Standing::Foreign
            }
            Err(error) => {
                self.ill(place, &format!("cannot be read: {}", text(&error)));
                Standing::Unknown
            }
        }
    }

    /// Writes a certificate's Secret.
    pub(super) async fn apply(&mut self, place: &Place, secret: &Secret) -> Result<Applied, Stop> {
        self.leads()?;
        // All of it is ours, and says so: whoever changed it did so by mistake.
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let api = self.api(&place.namespace);
        let written = write(api.patch(place.name, &params, &Patch::Apply(secret))).await;
        self.metrics
            .wrote(place.name, outcome(written.as_ref().err()));
        match written {
            Ok(_) => {
                self.well(place);
                Ok(Applied::Done)
            }
            Err(Unwritten::Conflict(_)) => Err(Stop::Again),
            Err(Unwritten::Absent) => {
                self.ill(place, "has no namespace to be in");
                Ok(Applied::Homeless)
            }
            Err(error @ (Unwritten::Refused(_) | Unwritten::Failed(_))) => {
                self.ill(place, &format!("cannot be written: {}", text(&error)));
                Ok(Applied::Stuck)
            }
        }
    }

    /// A certificate could not be made.
    pub(super) fn unmade(&mut self, error: CertificateError) -> Stop {
        self.ill_authority(&format!("{:#}", anyhow::Error::new(error)))
    }

    /// Nothing is wrong with what stands there.
    pub(super) fn well(&mut self, place: &Place) {
        self.said.well(&place.namespace, place.name);
    }

    fn ill(&mut self, place: &Place, what: &str) {
        self.said.ill(&place.namespace, place.name, what);
    }

    fn ill_authority(&mut self, what: &str) -> Stop {
        self.said.ill(&self.namespace, AUTHORITY, what);
        Stop::Stuck
    }

    fn leads(&self) -> Result<(), Stop> {
        if self.leadership.is_leader() {
            Ok(())
        } else {
            Err(Stop::Again)
        }
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
