//! What all filter workers have, in numbers: those of one scope and one version are alike.

use std::{collections::BTreeMap, sync::Arc};

use wakegate_wire::v1;

use super::{MAX_NAME, scope::Scope};

/// Standings that one replica may name: the scopes of its workers, each with a few versions.
const MAX_STANDINGS: usize = 10_000;

/// The version that a worker has and did not refuse; none before its first.
pub(super) type Standing = Option<String>;

/// Replicas that may speak at once, those that a rollout replaces among them.
const MAX_PEERS: usize = 64;

/// How many workers stand where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standings {
    by_scope: BTreeMap<Arc<Scope>, BTreeMap<Standing, usize>>,
}

/// Those of other replicas, by stream: a replica that comes back may be there twice for a while.
#[derive(Debug, Default)]
pub(super) struct PeerStandings {
    by_stream: BTreeMap<u64, Standings>,
    last_stream: u64,
}

impl Standings {
    pub(super) fn add(&mut self, scope: &Arc<Scope>, standing: Standing, n_workers: usize) {
        if n_workers > 0 {
            let of_scope = self.by_scope.entry(Arc::clone(scope)).or_default();
            let now = of_scope.entry(standing).or_default();
            *now = now.saturating_add(n_workers);
        }
    }

    pub(super) fn remove_one(&mut self, scope: &Arc<Scope>, standing: &Standing) {
        let Some(of_scope) = self.by_scope.get_mut(scope) else {
            return;
        };
        if let Some(now) = of_scope.get_mut(standing) {
            *now = now.saturating_sub(1);
            if *now == 0 {
                of_scope.remove(standing);
            }
        }
        if of_scope.is_empty() {
            self.by_scope.remove(scope);
        }
    }

    /// As another replica is told.
    pub(crate) fn message(&self, replica: String) -> v1::Standings {
        let scopes = self.scopes().flat_map(|(scope, of_scope)| {
            of_scope.iter().map(|(standing, n_workers)| v1::Standing {
                scope: Some(v1::Scope::from(&**scope)),
                version: standing.clone().unwrap_or_default(),
                workers: u32::try_from(*n_workers).unwrap_or(u32::MAX),
            })
        });
        v1::Standings {
            replica,
            standings: scopes.collect(),
        }
    }

    /// Adds those of another replica.
    pub(super) fn add_all(&mut self, others: &Self) {
        for (scope, of_scope) in others.scopes() {
            for (standing, n_workers) in of_scope {
                self.add(scope, standing.clone(), *n_workers);
            }
        }
    }

    /// Scope by scope.
    pub(super) fn scopes(&self) -> impl Iterator<Item = (&Arc<Scope>, &BTreeMap<Standing, usize>)> {
        self.by_scope.iter()
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<Scope>, &Standing, usize)> {
        self.by_scope.iter().flat_map(|(scope, of_scope)| {
            let in_scope = of_scope.iter();
            in_scope.map(move |(standing, n_workers)| (scope, standing, *n_workers))
        })
    }
}

impl PeerStandings {
    /// A place for one more stream, if there is room.
    pub(super) fn open(&mut self) -> Option<u64> {
        if self.by_stream.len() >= MAX_PEERS {
            return None;
        }
        self.last_stream += 1;
        self.by_stream
            .insert(self.last_stream, Standings::default());
        Some(self.last_stream)
    }

    pub(super) fn add_to(&self, all: &mut Standings) {
        for standings in self.by_stream.values() {
            all.add_all(standings);
        }
    }

    /// Replaces what a stream says; whether that is another.
    pub(super) fn replace(&mut self, stream: u64, standings: Standings) -> bool {
        let now = self.by_stream.entry(stream).or_default();
        let is_new = *now != standings;
        *now = standings;
        is_new
    }

    /// Gives a place up; whether anything was said there.
    pub(super) fn close(&mut self, stream: u64) -> bool {
        let gone = self.by_stream.remove(&stream);
        gone.is_some_and(|gone| gone != Standings::default())
    }
}

impl TryFrom<v1::Standings> for Standings {
    type Error = String;

    fn try_from(message: v1::Standings) -> Result<Self, String> {
        if message.standings.len() > MAX_STANDINGS {
            return Err(format!("a replica has at most {MAX_STANDINGS} standings"));
        }
        let mut standings = Self::default();
        for v1::Standing {
            scope,
            version,
            workers,
        } in message.standings
        {
            if version.len() > MAX_NAME {
                return Err(format!("a version is longer than {MAX_NAME} bytes"));
            }
            let scope = Scope::of_filter(scope.unwrap_or_default())?;
            let standing = (!version.is_empty()).then_some(version);
            let n_workers = usize::try_from(workers).unwrap_or(usize::MAX);
            standings.add(&Arc::new(scope), standing, n_workers);
        }
        Ok(standings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_and_went_leaves_nothing() {
        let (scope, mut standings) = (Arc::new(Scope::default()), Standings::default());
        standings.add(&scope, None, 2);
        standings.add(&scope, Some("1".to_owned()), 1);
        standings.add(&scope, Some("2".to_owned()), 0);
        standings.remove_one(&scope, &None);
        let now: Vec<_> = standings.iter().map(|(_, at, n)| (at.clone(), n)).collect();
        assert_eq!(now, [(None, 1), (Some("1".to_owned()), 1)]);
        standings.remove_one(&scope, &None);
        standings.remove_one(&scope, &Some("1".to_owned()));
        assert_eq!(standings, Standings::default());
    }
}
