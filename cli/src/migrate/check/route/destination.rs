//! Where the interceptor sends the requests of a route's rule.

use std::collections::BTreeSet;

use wakegate_api::http_add_on::{Header, HostPattern, Requests};

use super::{Context, shown, target};
use crate::migrate::{
    check::add_on,
    objects::{
        AddOn, Objects, Path, Rewrite, RouteRule, covers, overlap, path_covers, path_overlap,
    },
};

/// The objects that get requests of a rule.
pub(super) struct Destination<'a>(BTreeSet<Part<'a>>);

/// Some requests of an object, by the order in which the interceptor looks.
struct Part<'a> {
    weight: Weight,
    object: &'a AddOn,
    host: &'a HostPattern,
    path: &'a str,
    headers: &'a [Header],
}

/// Exact hosts before wildcards before any, then by length; then the longer path.
type Weight = (u8, usize, usize);

impl<'a> Destination<'a> {
    pub(super) fn of(context: &Context<'a>, rule: &RouteRule) -> Self {
        let (hosts, paths) = as_it_arrives(rule);
        let mut all = Vec::new();
        for host in &hosts {
            for path in &paths {
                all.extend(get(context, host, path));
            }
        }
        Self(all.into_iter().collect())
    }

    pub(super) fn objects(&self) -> Vec<&'a AddOn> {
        let mut objects: Vec<&AddOn> = Vec::new();
        for part in &self.0 {
            if !objects.iter().any(|it| it.id == part.object.id) {
                objects.push(part.object);
            }
        }
        objects
    }

    /// The Services, each once, with an object for it, as a route of this namespace names them.
    pub(super) fn targets(&self, namespace: &str, objects: &Objects) -> Vec<(&'a AddOn, String)> {
        let mut targets: Vec<(&AddOn, String)> = Vec::new();
        for object in self.objects() {
            let target = target::shown(object, namespace, objects);
            if !targets.iter().any(|(_, it)| *it == target) {
                targets.push((object, target));
            }
        }
        targets
    }

    /// The Services with the requests that each of them gets.
    pub(super) fn by_requests(&self, namespace: &str, objects: &Objects) -> String {
        let parts = self.0.iter().map(|part| {
            let target = target::shown(part.object, namespace, objects);
            format!(
                "{}{}{} to {target}",
                shown(part.host),
                part.path,
                part.with()
            )
        });
        let parts: Vec<String> = parts.collect();
        parts.join("; ")
    }
}

/// Hosts and paths as the interceptor gets them.
fn as_it_arrives(rule: &RouteRule) -> (Vec<HostPattern>, Vec<Path>) {
    let (mut hosts, mut paths) = (rule.hosts.clone(), rule.paths.clone());
    for rewrite in &rule.rewrites {
        match rewrite {
            Rewrite::Host(_, host) => hosts = HostPattern::parse(host).into_iter().collect(),
            Rewrite::Path(_, path) => paths = vec![path.clone()],
        }
    }
    (hosts, paths)
}

fn get<'a>(context: &Context<'a>, host: &HostPattern, path: &Path) -> Vec<Part<'a>> {
    let objects = context.objects.add_ons.iter();
    let objects = objects.filter(|object| !add_on::is_replaced(context, object));
    let parts = objects.flat_map(|object| {
        let requests = object.reading.requests.iter();
        requests.flat_map(move |requests| parts(object, requests))
    });
    let meant = parts.filter(|part| overlap(part.host, host) && path_overlap(part.path, path));
    let mut meant: Vec<_> = meant.collect();
    // What takes all of them leaves nothing for who comes later.
    let takes_all = meant.iter().filter(|part| {
        part.headers.is_empty() && covers(part.host, host) && path_covers(part.path, path)
    });
    let last = takes_all.map(|part| part.weight).max();
    meant.retain(|part| last.is_none_or(|last| part.weight >= last));
    let is_younger = |part: &Part<'_>| meant.iter().any(|other| other.is_before(part));
    let younger: Vec<bool> = meant.iter().map(is_younger).collect();
    let parts = meant.into_iter().zip(younger);
    parts
        .filter(|(_, is_younger)| !is_younger)
        .map(|(part, _)| part)
        .collect()
}

fn parts<'a>(object: &'a AddOn, requests: &'a Requests) -> impl Iterator<Item = Part<'a>> {
    requests.hosts.iter().flat_map(move |host| {
        requests.path_prefixes.iter().map(move |path| {
            let (kind, len) = match host {
                HostPattern::Any => (0, 0),
                HostPattern::Below(name) => (1, name.len()),
                HostPattern::Exact(name) => (2, name.len()),
            };
            Part {
                weight: (kind, len, path.len()),
                object,
                host,
                path,
                headers: &requests.headers,
            }
        })
    })
}

impl Part<'_> {
    fn key(&self) -> (&HostPattern, &str, &[Header], String) {
        (
            self.host,
            self.path,
            self.headers,
            self.object.id.to_string(),
        )
    }

    /// What its requests must have beside host and path.
    fn with(&self) -> String {
        let headers = self.headers.iter().map(|header| match &header.value {
            Some(value) => format!(" with {}: {value}", header.name),
            None => format!(" with {}", header.name),
        });
        headers.collect()
    }

    /// Whether it is for the same requests and of an older object.
    fn is_before(&self, other: &Self) -> bool {
        let age = |part: &Self| {
            part.object
                .metadata
                .creation_timestamp
                .as_ref()
                .map(|it| it.0)
        };
        let is_same =
            (self.host, self.path, self.headers) == (other.host, other.path, other.headers);
        is_same
            && age(self)
                .zip(age(other))
                .is_some_and(|(own, other)| own < other)
    }
}

impl PartialEq for Part<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Part<'_> {}

impl PartialOrd for Part<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Part<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}
