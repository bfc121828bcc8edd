//! Where hosts overlap: which names two routes can both be asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, iter,
};

use wakegate_core::{HostMatch, Route};

use super::objects::put;
use crate::object::ObjectId;

/// The names that a host of a route stands for.
///
/// Ordered so that a wildcard comes right before all that it covers. That an Ingress has wildcards for one
/// label alone is not looked at: a route that is there for nothing takes a little room, and that is all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Zone {
    /// The last label first, and a dot after each: `test.shop.`; empty for every host.
    labels: String,
    is_wildcard: bool,
}

impl Zone {
    /// The zones of a route, one for each of its hosts.
    pub(super) fn of_route(route: &Route) -> impl Iterator<Item = Self> {
        let every = route.hosts.is_empty().then(Self::every);
        route.hosts.iter().map(Self::of).chain(every)
    }

    /// Every host.
    pub(super) fn every() -> Self {
        Self::wildcard("")
    }

    pub(super) fn of(host: &HostMatch) -> Self {
        match host {
            HostMatch::Exact(name) => Self {
                is_wildcard: false,
                ..Self::wildcard(name)
            },
            HostMatch::Suffix(name) | HostMatch::SingleLabel(name) => Self::wildcard(name),
        }
    }

    fn wildcard(name: &str) -> Self {
        let mut labels = String::with_capacity(name.len() + 1);
        for label in name.rsplit('.').filter(|label| !label.is_empty()) {
            labels.push_str(label);
            labels.push('.');
        }
        Self {
            labels,
            is_wildcard: true,
        }
    }

    /// The wildcards that cover it, without itself.
    fn wider(&self) -> impl Iterator<Item = Self> {
        let ends = self.labels.match_indices('.').map(|(at, _)| at + 1);
        let ends = iter::once(0).chain(ends);
        ends.filter(|end| *end < self.labels.len())
            .filter_map(|end| self.labels.get(..end))
            .map(|labels| Self {
                labels: labels.to_owned(),
                is_wildcard: true,
            })
    }

    fn covers(&self, other: &Self) -> bool {
        self == other || (self.is_wildcard && other.labels.starts_with(&self.labels))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<&str> = self.labels.split_terminator('.').rev().collect();
        match (self.is_wildcard, labels.is_empty()) {
            (true, true) => f.write_str("every host"),
            (true, false) => write!(f, "*.{}", labels.join(".")),
            (false, _) => f.write_str(&labels.join(".")),
        }
    }
}

/// Objects by the zones of their routes.
#[derive(Debug, Default)]
pub(super) struct ByZone(BTreeMap<Zone, BTreeSet<ObjectId>>);

impl ByZone {
    /// Adds an object to a zone or takes it out.
    pub(super) fn put(&mut self, zone: &Zone, id: &ObjectId, is_there: bool) {
        put(&mut self.0, zone.clone(), id.clone(), is_there);
    }

    /// The objects of each zone that shares a name with this one.
    pub(super) fn overlapping(
        &self,
        zone: &Zone,
    ) -> impl Iterator<Item = (&Zone, &BTreeSet<ObjectId>)> {
        let wider = zone
            .wider()
            .filter_map(|wider| self.0.get_key_value(&wider));
        // The name of a wildcard without its `*.` stands before it in order, and is not covered.
        let narrower = self.0.range(zone..);
        wider.chain(narrower.take_while(|(other, _)| zone.covers(other)))
    }

    /// The objects of each zone that has every name of this one.
    pub(super) fn covering(&self, zone: &Zone) -> impl Iterator<Item = &ObjectId> {
        let itself = self.0.get(zone);
        let wider = zone.wider().filter_map(|wider| self.0.get(&wider));
        itself.into_iter().chain(wider).flatten()
    }

    /// The objects of all zones that share a name with one of these.
    pub(super) fn overlapping_any(&self, zones: &BTreeSet<Zone>) -> BTreeSet<ObjectId> {
        // The zones first: of many that overlap the same one, its objects are gathered once.
        let found = zones.iter().flat_map(|zone| self.overlapping(zone));
        let found: BTreeMap<_, _> = found.collect();
        found.into_values().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Kind;

    fn zone(host: &str) -> Zone {
        match host.strip_prefix('*') {
            Some(name) => Zone::wildcard(name.trim_start_matches('.')),
            None => Zone::of(&HostMatch::Exact(host.to_owned())),
        }
    }

    #[test]
    fn zones_overlap_where_one_covers_the_other() {
        let hosts = [
            "*",
            "*.test",
            "test",
            "*.shop.test",
            "shop.test",
            "a.shop.test",
            "b.a.shop.test",
            "ashop.test",
            "shop-a.test",
            "*.shop-a.test",
            "*.example",
        ];
        let overlap = |a: &str, b: &str| {
            let suffix = |wildcard: &str| wildcard.trim_start_matches('*').to_owned();
            let name = |host: &str| host.replace('*', "x");
            match (a.starts_with('*'), b.starts_with('*')) {
                (false, false) => a == b,
                (true, false) => b.ends_with(&suffix(a)),
                (false, true) => a.ends_with(&suffix(b)),
                (true, true) => name(b).ends_with(&suffix(a)) || name(a).ends_with(&suffix(b)),
            }
        };
        let id = |host: &str| ObjectId::new(Kind::HttpRoute, "shop", host);
        let mut objects = ByZone::default();
        for host in hosts {
            objects.put(&zone(host), &id(host), true);
        }
        for a in hosts {
            let found = objects.overlapping_any(&BTreeSet::from([zone(a)]));
            let expected = hosts.into_iter().filter(|b| overlap(a, b)).map(id);
            assert_eq!(found, expected.collect(), "{a}");
        }
    }
}
