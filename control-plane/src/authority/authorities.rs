//! The authorities that there are, with their keys, and what a step makes of them.

use std::fmt;

use super::{
    certificates::{CertificateError, Known, Signer},
    plan::{Lifetimes, State, Step, Time},
};

/// All of them. At any time one signs.
pub(super) struct Authorities {
    pub(super) current: Signer,
    pub(super) next: Option<Signer>,
    /// Their keys are gone.
    pub(super) previous: Vec<Known>,
    pub(super) previous_until: Time,
}

impl Authorities {
    /// The first one.
    pub(super) fn create(lifetimes: Lifetimes, now: Time) -> Result<Self, CertificateError> {
        Ok(Self {
            current: Signer::make(lifetimes.of_authority(now))?,
            next: None,
            previous: Vec::new(),
            previous_until: Time::ZERO,
        })
    }

    /// What decides.
    pub(super) fn state(&self) -> State {
        State {
            current: self.current.known.ca,
            next: self.next.as_ref().map(|next| next.known.ca),
            previous: self.previous.iter().map(|known| known.ca.id).collect(),
            previous_until: self.previous_until,
        }
    }

    /// After a step.
    pub(super) fn after(
        self,
        step: Step,
        lifetimes: Lifetimes,
        now: Time,
    ) -> Result<Self, CertificateError> {
        let Self {
            current,
            next,
            mut previous,
            previous_until,
        } = self;
        match (step, next) {
            (Step::Stay, next) => Ok(Self {
                current,
                next,
                previous,
                previous_until,
            }),
            (Step::Prepare, _) => Ok(Self {
                current,
                next: Some(Signer::make(lifetimes.of_authority(now))?),
                previous,
                previous_until,
            }),
            (Step::Promote { previous_until }, next) => {
                let Some(next) = next else {
                    return Self::create(lifetimes, now);
                };
                previous.push(current.known);
                Ok(Self {
                    current: next,
                    next: None,
                    previous,
                    previous_until,
                })
            }
            (Step::Forget, next) => Ok(Self {
                current,
                next,
                previous: Vec::new(),
                previous_until,
            }),
        }
    }

    /// All whose signatures are good.
    pub(super) fn known(&self) -> impl Iterator<Item = &Known> {
        let next = self.next.iter().map(|next| &next.known);
        [&self.current.known]
            .into_iter()
            .chain(next)
            .chain(&self.previous)
    }

    /// Their certificates.
    pub(super) fn bundle(&self) -> String {
        self.known().map(|known| known.pem.as_str()).collect()
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorities")
            .field(
                "known",
                &self.known().map(|known| known.ca).collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}
