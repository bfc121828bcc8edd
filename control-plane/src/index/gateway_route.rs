//! What HTTPRoute and GRPCRoute have in common: parents, hostnames, backends.

use std::collections::{BTreeMap, BTreeSet};

use wakegate_core::{HeaderMatch, HostMatch, Regex, ValueMatch};

use super::{
    ServiceId, envoy_gateway,
    gateway::{Gateways, ParentRef},
    hosts,
    reader::{PortRef, Reader, Resolved},
    route_object::{self, Match, Place, RouteObject},
};
use crate::object::{Code, ObjectId};

/// A field of a match that cannot be used, and why.
pub(super) type Refusal = (String, String);

/// A backend that a rule names.
#[derive(Clone, Copy, Debug)]
pub(super) struct BackendRef<'a> {
    pub(super) group: Option<&'a str>,
    pub(super) kind: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) port: Option<i32>,
    pub(super) weight: Option<i32>,
}

/// Where a route is attached, and on which hosts: a place for each set of hosts, so that who serves one
/// Gateway has no hosts of another. None where it is not ours.
pub(super) fn places(
    reader: &mut Reader<'_>,
    gateways: Gateways<'_>,
    parents: &[ParentRef<'_>],
    hostnames: Option<&[String]>,
) -> Vec<Place> {
    let Some(hosts) = hosts(reader, hostnames.unwrap_or_default()) else {
        return Vec::new();
    };
    let id = reader.id();
    if parents.is_empty() || !gateways.are_checked() {
        let named = parents.iter().filter_map(|parent| parent.gateway(id));
        let gateways = named.map(|gateway| text(&gateway)).collect();
        return vec![Place { gateways, hosts }];
    }
    let mut taken: BTreeMap<String, Vec<HostMatch>> = BTreeMap::new();
    let mut refused = Vec::new();
    for (at, parent) in parents.iter().enumerate() {
        match gateways.take(id, parent, &hosts, reader.follows()) {
            Ok((gateway, more)) => {
                let gateway = text(&gateway);
                match taken.get_mut(&gateway) {
                    Some(hosts) => hosts::add(hosts, more),
                    None => drop(taken.insert(gateway, more)),
                }
            }
            Err(why) => refused.push((format!("spec.parentRefs[{at}]"), why)),
        }
    }
    if taken.is_empty() {
        for (field, why) in refused {
            reader.refuse(&field, &why, Code::NotAttached);
        }
    }
    by_hosts(taken)
}

/// What was read, at each of its places. Of a route that leads to backends of ours it is said where its requests cannot be
/// held.
pub(super) fn finish(
    mut reader: Reader<'_>,
    gateways: Gateways<'_>,
    parents: &[ParentRef<'_>],
    places: Vec<Place>,
) -> RouteObject {
    let id = reader.id();
    if reader.has_targets() {
        for (at, parent) in parents.iter().enumerate() {
            if gateways.sends_to_endpoints(id, parent, reader.follows()) {
                let field = format!("spec.parentRefs[{at}]");
                reader.find_with(&field, envoy_gateway::REASON, Code::RoutesToEndpoints);
            }
        }
    }
    reader.finish_in(places)
}

/// `namespace/name`.
fn text(gateway: &ObjectId) -> String {
    format!("{}/{}", gateway.namespace, gateway.name)
}

fn by_hosts(taken: BTreeMap<String, Vec<HostMatch>>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (gateway, hosts) in taken {
        let same = |place: &&mut Place| hosts::are_same(&place.hosts, &hosts);
        match places.iter_mut().find(same) {
            Some(place) => drop(place.gateways.insert(gateway)),
            None => places.push(Place {
                gateways: BTreeSet::from([gateway]),
                hosts,
            }),
        }
    }
    places
}

/// The hosts of a route; empty for every host. Hostnames that are all wrong are no hostname at all, and
/// not every one.
fn hosts(reader: &mut Reader<'_>, names: &[String]) -> Option<Vec<HostMatch>> {
    let mut hosts = Vec::new();
    for (at, name) in names.iter().enumerate() {
        match hosts::host(name, HostMatch::Suffix) {
            Ok(host) => hosts.push(host),
            Err(reason) => reader.find(&format!("spec.hostnames[{at}]"), reason),
        }
    }
    (names.is_empty() || !hosts.is_empty()).then_some(hosts)
}

/// The backends of a rule that are ours.
pub(super) fn backends<'r>(
    reader: &mut Reader<'_>,
    rule: &str,
    refs: impl Iterator<Item = BackendRef<'r>>,
) -> Vec<Resolved> {
    let numbered = refs.enumerate();
    numbered
        .filter_map(|(at, named)| backend(reader, &format!("{rule}.backendRefs[{at}]"), named))
        .collect()
}

fn backend(reader: &mut Reader<'_>, field: &str, named: BackendRef<'_>) -> Option<Resolved> {
    let kind = named.kind.unwrap_or("Service");
    if !named.group.unwrap_or_default().is_empty() || kind != "Service" {
        let reason = format!("{kind} is no Service");
        reader.refuse(field, &reason, Code::BackendNotHeld);
        return None;
    }
    let service = reader.service(named.namespace, named.name);
    if !reader.may_lead_to(&service) {
        let ServiceId { namespace, name } = service;
        let (kind, own) = (reader.id().kind.as_str(), &reader.id().namespace);
        let reason = format!(
            "no ReferenceGrant in namespace {namespace} lets {kind}s of namespace {own} lead to Service {name}"
        );
        reader.refuse(field, &reason, Code::RefNotPermitted);
        return None;
    }
    let Some(port) = named.port else {
        reader.refuse(field, "it names no port", Code::BackendNotHeld);
        return None;
    };
    let weight = u32::try_from(named.weight.unwrap_or(1)).unwrap_or(0);
    reader.backend(field, &service, PortRef::Number(port), weight)
}

/// Adds the routes of a rule: one for each match, or one for every request where it has none.
pub(super) fn rule(
    reader: &mut Reader<'_>,
    at: usize,
    matches: impl Iterator<Item = Result<Match, Refusal>>,
    backends: &[Resolved],
) {
    let field = format!("spec.rules[{at}]");
    let mut matches = matches.enumerate().peekable();
    if matches.peek().is_none() {
        let every = Match::of(&[], route_object::prefix("/"));
        reader.route((&format!("{at}/0"), &field), every, backends);
    }
    for (n, read) in matches {
        let field = format!("{field}.matches[{n}]");
        match read {
            Ok(read) => reader.route((&format!("{at}/{n}"), &field), read, backends),
            Err((inner, reason)) => {
                let reason = format!("{reason}; the match is passed over");
                reader.find(&format!("{field}.{inner}"), reason);
            }
        }
    }
}

pub(super) fn header(name: &str, value: &str, is_regex: bool) -> Result<HeaderMatch, String> {
    let value = if is_regex {
        ValueMatch::Regex(regex(value)?)
    } else {
        ValueMatch::Exact(value.to_owned())
    };
    let name = name.to_ascii_lowercase();
    Ok(HeaderMatch { name, value })
}

/// Of several headers with one name the first counts, as Gateway API has it.
pub(super) fn add_header(headers: &mut Vec<HeaderMatch>, header: HeaderMatch) {
    if headers.iter().all(|first| first.name != header.name) {
        headers.push(header);
    }
}

pub(super) fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    })
}
