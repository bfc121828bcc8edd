//! When authorities and certificates are made, put in force and forgotten. Decides; reads no clock and no Secret.
//!
//! ```text
//! authority 1  ├─ signs ───────────────────┬─ known ─┤
//! authority 2                    ├─ known ─┼─ signs ─────────────────────┬─ known ─┤
//!                                 overlap    until what 1 signed has ended
//! ```
//! Whoever holds a certificate takes a new one up when it likes, up to the overlap late. So an authority signs
//! nothing before everybody knows it, and stays known as long as anything that it signed may be shown.

use std::{collections::BTreeSet, time::Duration};

/// By the wall clock, since 1970: certificates of several machines say so.
pub(super) type Time = Duration;

/// What tells one authority from all others: a digest of its certificate.
pub(super) type AuthorityId = [u8; 32];

/// How long things last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// An authority's certificate. A year: none is renewed by hand, and a key that leaks is not good for ever.
    pub authority: Duration,
    /// A certificate of a daemon, a filter or KEDA. A month: what is not revoked ends soon, and ten days are left
    /// to mend what keeps it from being renewed.
    pub certificate: Duration,
    /// How late a new Secret is taken up at most. A day: the kubelet brings files within two minutes, but some
    /// tools copy Secrets once an hour, and an authority can wait.
    pub overlap: Duration,
}

/// When a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) from: Time,
    pub(super) until: Time,
}

/// One authority, as far as it decides anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ca {
    pub(super) id: AuthorityId,
    pub(super) term: Term,
}

/// The authorities that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// It signs.
    pub(super) current: Ca,
    /// It will.
    pub(super) next: Option<Ca>,
    /// They have signed.
    pub(super) previous: BTreeSet<AuthorityId>,
    /// When all that they have signed has ended.
    pub(super) previous_until: Time,
}

/// A certificate that is in a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Who signed it; none where that is nobody we know.
    pub(super) signer: Option<AuthorityId>,
    pub(super) term: Term,
    /// The authorities that it comes with.
    pub(super) bundle: BTreeSet<AuthorityId>,
    /// Since when the Secret has had this bundle.
    pub(super) bundle_since: Time,
    /// Whether it has the names, the uses and the key that it should.
    pub(super) is_as_wanted: bool,
}

/// What to do about the authorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Make the next one known to all.
    Prepare,
    /// The next one signs from now on.
    Promote { previous_until: Time },
    /// What those before have signed has ended.
    Forget,
    /// Nothing.
    Stay,
}

/// Why a certificate is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// There is none.
    Absent,
    /// Names, uses or the key are not as wanted.
    Unlike,
    /// Another authority signs now.
    Signer,
    /// There are other authorities to know.
    Bundle,
    /// It is in the last third of its life.
    Age,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            authority: Duration::from_hours(365 * 24),
            certificate: Duration::from_hours(30 * 24),
            overlap: Duration::from_hours(24),
        }
    }
}

impl Lifetimes {
    /// Whether each leaves time for what happens within it. In the last third of a certificate's life all take up
    /// the next one; in that of an authority's all get to know the next one, what it signed last ends, and all
    /// forget it.
    pub fn fit(self) -> bool {
        !self.overlap.is_zero()
            && self.certificate / 4 >= self.overlap
            && self.authority / 5 >= self.certificate
    }

    /// The term of a certificate that is signed now. It ends with its authority at the latest.
    pub(super) fn of_certificate(self, signer: Term, now: Time) -> Term {
        let until = now.saturating_add(self.certificate).min(signer.until);
        Term { from: now, until }
    }

    /// The term of an authority that is made now.
    pub(super) fn of_authority(self, now: Time) -> Term {
        let until = now.saturating_add(self.authority);
        Term { from: now, until }
    }
}

impl Term {
    fn is_over(self, now: Time) -> bool {
        now >= self.until
    }

    fn is_in_last_third(self, now: Time) -> bool {
        let last_third = self.until.saturating_sub(self.from) / 3;
        now >= self.until.saturating_sub(last_third)
    }
}

impl State {
    /// Everybody whom a certificate may be signed by.
    pub(super) fn bundle(&self) -> BTreeSet<AuthorityId> {
        let next = self.next.iter().map(|next| next.id);
        let previous = self.previous.iter().copied();
        [self.current.id]
            .into_iter()
            .chain(next)
            .chain(previous)
            .collect()
    }

    /// What is next for the authorities; `held` is what is in each Secret, none where that is not known.
    pub(super) fn step<'a>(
        &self,
        held: impl Iterator<Item = Option<&'a Held>> + Clone,
        lifetimes: Lifetimes,
        now: Time,
    ) -> Step {
        if !self.previous.is_empty() && now >= self.previous_until {
            return Step::Forget;
        }
        match self.next.filter(|next| !next.term.is_over(now)) {
            Some(next) => {
                let has_known = |held: &Held| held.has_known(next.id, lifetimes.overlap, now);
                // A Secret that is away is in use all the same.
                let is_known = held.clone().all(|held| held.is_some_and(has_known));
                // One that cannot be written must not shorten what all others hold.
                let limit = self
                    .current
                    .term
                    .until
                    .saturating_sub(lifetimes.certificate);
                if is_known || now >= limit {
                    let previous_until = self.last_end(held.flatten(), lifetimes, now);
                    Step::Promote { previous_until }
                } else {
                    Step::Stay
                }
            }
            None if self.current.term.is_in_last_third(now) => Step::Prepare,
            None => Step::Stay,
        }
    }

    /// When the last certificate that the current authority has signed will have ended.
    fn last_end<'a>(
        &self,
        held: impl Iterator<Item = &'a Held>,
        lifetimes: Lifetimes,
        now: Time,
    ) -> Time {
        // Lifetimes may have been longer once.
        let ends = held.map(|held| held.term.until);
        let last = ends.fold(now.saturating_add(lifetimes.certificate), Time::max);
        last.min(self.current.term.until).max(self.previous_until)
    }

    /// Whether a Secret needs another certificate, and why.
    pub(super) fn renewal(&self, held: Option<&Held>, now: Time) -> Option<Renewal> {
        let Some(held) = held else {
            return Some(Renewal::Absent);
        };
        if !held.is_as_wanted {
            Some(Renewal::Unlike)
        } else if held.signer != Some(self.current.id) {
            Some(Renewal::Signer)
        } else if held.bundle != self.bundle() {
            Some(Renewal::Bundle)
        } else if held.term.is_in_last_third(now) {
            Some(Renewal::Age)
        } else {
            None
        }
    }

    /// Since when a Secret that is written now will have had its bundle.
    pub(super) fn bundle_since(&self, held: Option<&Held>, now: Time) -> Time {
        match held {
            Some(held) if held.bundle == self.bundle() => held.bundle_since,
            Some(_) | None => now,
        }
    }
}

impl Held {
    /// Whether whoever holds it knows an authority by now.
    fn has_known(&self, authority: AuthorityId, overlap: Duration, now: Time) -> bool {
        self.bundle.contains(&authority) && now.saturating_sub(self.bundle_since) >= overlap
    }
}

#[cfg(test)]
mod tests;
