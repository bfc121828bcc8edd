//! What all watches told and nobody has taken yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use kube::runtime::watcher::Event;
use serde_json::Value;

use super::{place::Place, received::Received, trim, watch::News};
use crate::{
    object::{Finding, Kind, Object, ObjectId},
    source::{self, Reload, document},
};

/// Looks in a row that must not find a kind before its objects count as gone: a server that comes up may
/// not know yet what it has, and to be wrong here would take every route away.
const LOOKS_UNTIL_GONE: u32 = 3;

/// Changes and findings of all watches.
#[derive(Debug)]
pub(super) struct Gathered {
    watched: Vec<Watched>,
    changes: BTreeMap<ObjectId, Option<Object>>,
    findings: BTreeMap<ObjectId, Finding>,
    /// Whether findings changed since they were taken.
    has_news: bool,
    was_taken: bool,
}

/// What is known of one place.
#[derive(Debug)]
struct Watched {
    kind: Kind,
    /// The objects that are there, and whether some version of each is in force.
    known: BTreeMap<ObjectId, bool>,
    /// While a list comes in, what it has so far.
    listed: Option<BTreeSet<ObjectId>>,
    is_synced: bool,
    n_not_found: u32,
}

impl Gathered {
    /// Of these places; nothing is known yet.
    pub(super) fn new(places: &[Place]) -> Self {
        let watched = places.iter().map(|place| Watched {
            kind: place.kind,
            known: BTreeMap::new(),
            listed: None,
            is_synced: false,
            n_not_found: 0,
        });
        Self {
            watched: watched.collect(),
            changes: BTreeMap::new(),
            findings: BTreeMap::new(),
            has_news: false,
            was_taken: false,
        }
    }

    /// Takes in what the watch of place `at` told. Returns its kind when it had to list anew.
    pub(super) fn on_news(&mut self, at: usize, news: News) -> Option<Kind> {
        let watched = self.watched.get_mut(at)?;
        let mut news_of = NewsOf {
            watched,
            changes: &mut self.changes,
            findings: &mut self.findings,
            has_news: &mut self.has_news,
        };
        news_of.take_in(news)
    }

    /// Changes that wait; none until everything is synced, because nobody may take them.
    pub(super) fn n_changes(&self) -> usize {
        if self.was_taken {
            self.changes.len()
        } else {
            0
        }
    }

    /// What changed, once everything is synced.
    pub(super) fn take(&mut self) -> Option<Reload> {
        if !self.was_taken {
            if !self.watched.iter().all(|watched| watched.is_synced) {
                return None;
            }
            self.was_taken = true;
        } else if self.changes.is_empty() && !self.has_news {
            return None;
        }
        self.has_news = false;
        Some(Reload {
            changes: mem::take(&mut self.changes).into_iter().collect(),
            findings: self.findings.values().cloned().collect(),
            ..Reload::default()
        })
    }
}

/// One place, and where its changes go.
#[derive(Debug)]
struct NewsOf<'a> {
    watched: &'a mut Watched,
    changes: &'a mut BTreeMap<ObjectId, Option<Object>>,
    findings: &'a mut BTreeMap<ObjectId, Finding>,
    has_news: &'a mut bool,
}

impl NewsOf<'_> {
    fn take_in(&mut self, news: News) -> Option<Kind> {
        let event = match news {
            News::Event(event) => *event,
            News::Missing => {
                self.on_missing();
                return None;
            }
            News::Trouble(_) => return None,
        };
        match event {
            Event::Init => self.watched.listed = Some(BTreeSet::new()),
            Event::InitApply(object) => {
                let id = self.on_object(object);
                self.watched.listed.get_or_insert_default().insert(id);
            }
            Event::InitDone => {
                let listed = self.watched.listed.take().unwrap_or_default();
                self.drop_all_but(&listed);
                return self.synced();
            }
            Event::Apply(object) => {
                self.on_object(object);
            }
            Event::Delete(object) => {
                let id = self.id(&object);
                self.on_gone(&id);
            }
        }
        None
    }

    fn on_missing(&mut self) {
        self.watched.listed = None;
        self.watched.n_not_found += 1;
        if self.watched.known.is_empty() || self.watched.n_not_found >= LOOKS_UNTIL_GONE {
            self.drop_all_but(&BTreeSet::new());
            self.watched.is_synced = true;
        }
    }

    fn synced(&mut self) -> Option<Kind> {
        let (kind, n_objects) = (self.watched.kind, self.watched.known.len());
        tracing::debug!(kind = kind.as_str(), n_objects, "list is read");
        let is_again = self.watched.is_synced && self.watched.n_not_found == 0;
        (self.watched.is_synced, self.watched.n_not_found) = (true, 0);
        is_again.then_some(kind)
    }

    fn drop_all_but(&mut self, listed: &BTreeSet<ObjectId>) {
        let known = self.watched.known.keys();
        let gone: Vec<ObjectId> = known.filter(|id| !listed.contains(id)).cloned().collect();
        for id in &gone {
            self.on_gone(id);
        }
    }

    fn on_gone(&mut self, id: &ObjectId) {
        *self.has_news |= self.findings.remove(id).is_some();
        if self.watched.known.remove(id) == Some(true) {
            self.changes.insert(id.clone(), None);
        }
    }

    /// A version that cannot be used leaves the one before it in force.
    fn on_object(&mut self, object: Received) -> ObjectId {
        let id = self.id(&object);
        match converted(&id, object) {
            Ok(object) => {
                self.watched.known.insert(id.clone(), true);
                *self.has_news |= self.findings.remove(&id).is_some();
                self.changes.insert(id.clone(), Some(object));
            }
            Err((field, reason)) => {
                let is_kept = *self.watched.known.entry(id.clone()).or_insert(false);
                let reason = format!("{reason}; {}", source::follows(is_kept));
                let finding = Finding::new(&id, field, reason);
                *self.has_news |= self.findings.get(&id) != Some(&finding);
                self.findings.insert(id.clone(), finding);
            }
        }
        id
    }

    fn id(&self, object: &Received) -> ObjectId {
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        let name = object.metadata.name.as_deref().unwrap_or_default();
        ObjectId::new(self.watched.kind, namespace, name)
    }
}

fn converted(id: &ObjectId, object: Received) -> Result<Object, (String, String)> {
    let Received { metadata, content } = object;
    let metadata = trim::metadata(id.kind, metadata);
    let mut content = trim::content(id.kind, Value::Object(content));
    let metadata = serde_json::to_value(metadata)
        .map_err(|error| ("metadata".to_owned(), error.to_string()))?;
    if let Value::Object(fields) = &mut content {
        fields.insert("metadata".to_owned(), metadata);
    }
    document::typed(id.kind, content)
}

#[cfg(test)]
mod tests;
