//! Which workload a trigger means, and which workloads a key counts for.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::Workload;
use crate::Key;

/// The keys of a trigger's metadata that may name a workload.
pub const TRIGGER_KINDS: [&str; 9] = [
    "workload",
    "service",
    "httpRoute",
    "grpcRoute",
    "ingress",
    "virtualService",
    "wakePolicy",
    INTERCEPTOR_ROUTE,
    HTTP_SCALED_OBJECT,
];

const INTERCEPTOR_ROUTE: &str = "interceptorRoute";
const HTTP_SCALED_OBJECT: &str = "httpScaledObject";

/// Names that an error lists at most: it ends up in a condition of a ScaledObject.
const MAX_NAMES: usize = 10;

/// All workloads, as the control plane last said.
#[derive(Clone, Debug, Default)]
pub struct Book {
    workloads: BTreeMap<String, Arc<Workload>>,
    /// By namespace, then kind and name. Two workloads may claim one name; then none of them has it.
    aliases: HashMap<String, BTreeMap<(String, String), BTreeSet<String>>>,
    keys: HashMap<Key, BTreeSet<String>>,
    digest: u64,
}

/// Why a trigger means no workload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The trigger names nothing.
    #[error("the trigger's metadata names no workload: give one of {}", TRIGGER_KINDS.join(", "))]
    Unnamed,
    /// The trigger names several different workloads.
    #[error("the trigger's metadata names {0} and {1}, which are different workloads")]
    Contradiction(String, String),
    /// Nothing has that name.
    #[error("no workload is known as {kind} {name:?} in namespace {namespace:?}; {known}")]
    NotFound {
        /// The key of the metadata.
        kind: &'static str,
        /// Its value.
        name: String,
        /// The ScaledObject's namespace.
        namespace: String,
        /// What is known there.
        known: String,
    },
    /// Several workloads have that name.
    #[error("{kind} {name:?} stands for several workloads: {candidates}; name one as workload")]
    Ambiguous {
        /// The key of the metadata.
        kind: &'static str,
        /// Its value.
        name: String,
        /// Their names.
        candidates: String,
    },
}

impl Book {
    /// Replaces everything, and says which workloads changed.
    pub fn replace(&mut self, workloads: Vec<Workload>) -> Vec<String> {
        let named: BTreeSet<&String> = workloads.iter().map(|workload| &workload.id).collect();
        let gone = self.workloads.keys().filter(|id| !named.contains(id));
        let gone: Vec<String> = gone.cloned().collect();
        self.apply(workloads, &gone)
    }

    /// Takes in what changed, and says which workloads did.
    pub fn apply(&mut self, upserted: Vec<Workload>, removed: &[String]) -> Vec<String> {
        let mut changed = Vec::new();
        for id in removed {
            if self.remove(id).is_some() {
                changed.push(id.clone());
            }
        }
        for workload in upserted {
            let before = self.remove(&workload.id);
            if before.is_none_or(|before| *before != workload) {
                changed.push(workload.id.clone());
            }
            self.insert(workload);
        }
        changed
    }

    /// The workload that a trigger's metadata means in `namespace`. Beside an InterceptorRoute an
    /// HTTPScaledObject is not looked at, as with the KEDA HTTP Add-on: a move from one to the other
    /// may have left the name of an object that is gone.
    ///
    /// # Errors
    /// When it names none, one that is not known, or several that differ.
    pub fn resolve(
        &self,
        namespace: &str,
        metadata: &HashMap<String, String>,
    ) -> Result<&Arc<Workload>, BookError> {
        let named = |kind| metadata.get(kind).filter(|name: &&String| !name.is_empty());
        let is_moved = named(INTERCEPTOR_ROUTE).is_some();
        let mut found: Option<(&str, &Arc<Workload>)> = None;
        for kind in TRIGGER_KINDS {
            let Some(name) = named(kind).filter(|_| !(is_moved && kind == HTTP_SCALED_OBJECT))
            else {
                continue;
            };
            let workload = self.find(namespace, kind, name)?;
            match found {
                Some((_, first)) if first.id == workload.id => {}
                Some((first, _)) => {
                    return Err(BookError::Contradiction(first.to_owned(), kind.to_owned()));
                }
                None => found = Some((kind, workload)),
            }
        }
        found
            .map(|(_, workload)| workload)
            .ok_or(BookError::Unnamed)
    }

    /// The workload of that id.
    pub fn get(&self, id: &str) -> Option<&Arc<Workload>> {
        self.workloads.get(id)
    }

    /// The workloads that a key counts for.
    pub fn of_key(&self, key: &Key) -> impl Iterator<Item = &str> {
        self.keys.get(key).into_iter().flatten().map(String::as_str)
    }

    /// All workloads.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Workload>> {
        self.workloads.values()
    }

    /// All keys, each once.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.keys()
    }

    /// The digest of all keys: that of the table of a worker without a scope.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// How many workloads there are.
    pub fn len(&self) -> usize {
        self.workloads.len()
    }

    /// Whether there is no workload.
    pub fn is_empty(&self) -> bool {
        self.workloads.is_empty()
    }

    fn find(
        &self,
        namespace: &str,
        kind: &'static str,
        name: &str,
    ) -> Result<&Arc<Workload>, BookError> {
        let alias = (kind.to_owned(), name.to_owned());
        let ids = self
            .aliases
            .get(namespace)
            .and_then(|aliases| aliases.get(&alias));
        let mut ids = ids.into_iter().flatten();
        match (ids.next().and_then(|id| self.workloads.get(id)), ids.next()) {
            (Some(workload), None) => Ok(workload),
            (Some(first), Some(second)) => {
                let names = [first.id.as_str(), second.as_str()];
                let names = names.into_iter().chain(ids.map(String::as_str));
                Err(BookError::Ambiguous {
                    kind,
                    name: name.to_owned(),
                    candidates: listed(names.map(ToOwned::to_owned).collect()),
                })
            }
            (None, _) => Err(BookError::NotFound {
                kind,
                name: name.to_owned(),
                namespace: namespace.to_owned(),
                known: self.known_in(namespace, kind),
            }),
        }
    }

    /// What is known in a namespace: names of that kind, or of all kinds when there is none.
    fn known_in(&self, namespace: &str, kind: &str) -> String {
        let aliases = self.aliases.get(namespace);
        let all = || aliases.into_iter().flat_map(BTreeMap::keys);
        let of_kind = all()
            .filter(|(other, _)| other == kind)
            .map(|(_, name)| name.clone());
        let of_kind: Vec<_> = of_kind.collect();
        if !of_kind.is_empty() {
            return format!("known {kind} names there: {}", listed(of_kind));
        }
        let any: Vec<_> = all().map(|(kind, name)| format!("{kind} {name}")).collect();
        if any.is_empty() {
            "nothing is known in that namespace".to_owned()
        } else {
            format!("known there: {}", listed(any))
        }
    }

    fn insert(&mut self, workload: Workload) {
        let aliases = self.aliases.entry(workload.namespace.clone()).or_default();
        for alias in &workload.aliases {
            let alias = (alias.kind.clone(), alias.name.clone());
            aliases
                .entry(alias)
                .or_default()
                .insert(workload.id.clone());
        }
        for key in &workload.keys {
            let ids = self.keys.entry(key.clone()).or_default();
            if ids.is_empty() {
                self.digest = self.digest.wrapping_add(key.digest());
            }
            ids.insert(workload.id.clone());
        }
        self.workloads
            .insert(workload.id.clone(), Arc::new(workload));
    }

    fn remove(&mut self, id: &str) -> Option<Arc<Workload>> {
        let workload = self.workloads.remove(id)?;
        if let Some(aliases) = self.aliases.get_mut(&workload.namespace) {
            for alias in &workload.aliases {
                let alias = (alias.kind.clone(), alias.name.clone());
                take_out(aliases.get_mut(&alias), id);
                if aliases.get(&alias).is_some_and(BTreeSet::is_empty) {
                    aliases.remove(&alias);
                }
            }
            if aliases.is_empty() {
                self.aliases.remove(&workload.namespace);
            }
        }
        for key in &workload.keys {
            take_out(self.keys.get_mut(key), id);
            if self.keys.get(key).is_some_and(BTreeSet::is_empty) {
                self.keys.remove(key);
                self.digest = self.digest.wrapping_sub(key.digest());
            }
        }
        Some(workload)
    }
}

fn take_out(ids: Option<&mut BTreeSet<String>>, id: &str) {
    if let Some(ids) = ids {
        ids.remove(id);
    }
}

fn listed(mut names: Vec<String>) -> String {
    names.sort_unstable();
    names.dedup();
    let n_more = names.len().saturating_sub(MAX_NAMES);
    names.truncate(MAX_NAMES);
    let more = if n_more > 0 {
        format!(" and {n_more} more")
    } else {
        String::new()
    };
    names.join(", ") + &more
}
