//! Istio's `VirtualService` -> routes: one for each match of each of its HTTP routes, in their order.

mod matching;

use std::{collections::BTreeSet, sync::Arc};

use wakegate_core::HostMatch;

use self::matching::Skipped;
use super::{
    Origin, ServiceId, hosts,
    objects::Objects,
    reader::{PortRef, Reader, Resolved},
    route_object::{self, Match, RouteObject},
};
use crate::object::{Code, Destination, ObjectId, VirtualRoute, VirtualServiceObject};

/// The gateway that stands for all sidecars.
const MESH: &str = "mesh";

pub(super) fn read(id: &ObjectId, object: &VirtualServiceObject, objects: &Objects) -> RouteObject {
    let mut reader = Reader::new(id, &object.metadata, objects);
    let gateways = gateways(id, &object.spec.gateways);
    let origin = Origin {
        namespace: id.namespace.as_ref().to_owned(),
        gateways: gateways.clone(),
        ..Origin::default()
    };
    if gateways.is_empty() {
        let reason = "it names no gateway but the mesh, whose sidecars have no filter";
        reader.refuse("spec.gateways", reason, Code::NotAttached);
        return reader.finish(origin);
    }
    if let Some(hosts) = hosts_of(&mut reader, &object.spec.hosts) {
        for (at, route) in object.spec.http.iter().enumerate() {
            read_route(&mut reader, at, route, (&hosts, &gateways));
        }
    }
    reader.finish(origin)
}

/// `namespace/name` of each, without the mesh.
fn gateways(id: &ObjectId, names: &[String]) -> BTreeSet<String> {
    let names = names.iter().filter(|name| *name != MESH);
    let full = names.map(|name| match name.strip_prefix("./") {
        Some(name) => format!("{}/{name}", id.namespace),
        None if name.contains('/') => name.clone(),
        None => format!("{}/{name}", id.namespace),
    });
    full.collect()
}

/// The hosts; empty for every one. Hosts that are all wrong are no host at all, and not every one.
fn hosts_of(reader: &mut Reader<'_>, names: &[String]) -> Option<Vec<HostMatch>> {
    let mut hosts = Vec::new();
    for (at, name) in names.iter().enumerate() {
        match name.as_str() {
            "*" => return Some(Vec::new()),
            name => match hosts::host(name, HostMatch::Suffix) {
                Ok(host) => hosts.push(host),
                Err(reason) => reader.find(&format!("spec.hosts[{at}]"), reason),
            },
        }
    }
    (!hosts.is_empty()).then_some(hosts)
}

fn read_route(
    reader: &mut Reader<'_>,
    at: usize,
    route: &VirtualRoute,
    (hosts, gateways): (&[HostMatch], &BTreeSet<String>),
) {
    let field = format!("spec.http[{at}]");
    reader.begin_rule(None);
    if route.delegate.is_some() {
        let reason =
            "another VirtualService says where its requests go, which is not followed: say it here";
        reader.refuse(&format!("{field}.delegate"), reason, Code::BackendNotHeld);
    }
    let backends = backends(reader, &field, &route.route);
    if route.r#match.is_empty() {
        let every = Match {
            listed: true,
            ..Match::of(hosts, route_object::prefix("/"))
        };
        reader.route((&format!("{at}/0"), &field), every, &backends);
    }
    for (n, asked) in route.r#match.iter().enumerate() {
        let field = format!("{field}.match[{n}]");
        let own = self::gateways(reader.id(), &asked.gateways);
        let is_for_all = matching::of_gateways(asked, &own, gateways);
        match is_for_all.and_then(|()| matching::read(asked, hosts)) {
            Ok(read) => reader.route((&format!("{at}/{n}"), &field), read, &backends),
            Err(Skipped::OfOthers) => {}
            Err(Skipped::Refused(inner, reason)) => {
                let reason = format!("{reason}; the match is passed over");
                reader.find(&format!("{field}.{inner}"), reason);
            }
        }
    }
}

/// The backends that are ours; several subsets of a port are one.
fn backends(reader: &mut Reader<'_>, field: &str, route: &[Destination]) -> Vec<Resolved> {
    let is_one = route.len() == 1;
    let mut all: Vec<Resolved> = Vec::new();
    for (at, destination) in route.iter().enumerate() {
        let weight = destination.weight.filter(|weight| !is_one || *weight > 0);
        let weight = weight.unwrap_or(u32::from(is_one));
        let field = format!("{field}.route[{at}].destination");
        let Some(backend) = backend(reader, &field, destination, weight) else {
            continue;
        };
        match all.iter_mut().find(|it| it.is_at_same_port(&backend)) {
            Some(same) => same.add_weight(weight),
            None => all.push(backend),
        }
    }
    all
}

fn backend(
    reader: &mut Reader<'_>,
    field: &str,
    destination: &Destination,
    weight: u32,
) -> Option<Resolved> {
    let destination = &destination.destination;
    let Some(service) = service(reader.id(), &destination.host) else {
        let reason = format!("{:?} is no Service of the cluster", destination.host);
        reader.refuse(&format!("{field}.host"), &reason, Code::BackendNotHeld);
        return None;
    };
    let port = destination.port.map(|port| i32::from(port.number));
    let Some(port) = port.or_else(|| reader.only_port(&service)) else {
        let reason = format!("it names no port, and Service {service} has not just one");
        reader.refuse(&format!("{field}.port"), &reason, Code::BackendNotHeld);
        return None;
    };
    let port = PortRef::Number(port);
    // Istio lets a route lead anywhere. What wakes, and is scaled, is for its own namespace to say.
    if service.namespace != reader.id().namespace && !reader.opts_in(&service, port) {
        let reason = format!(
            "Service {service} is of another namespace: annotate the Service, and not what leads to it"
        );
        reader.refuse(&format!("{field}.host"), &reason, Code::RefNotPermitted);
        return None;
    }
    reader.backend(field, &service, port, weight)
}

/// A name without dots is in the object's namespace; with them it is as DNS has it, with whatever domain.
fn service(id: &ObjectId, host: &str) -> Option<ServiceId> {
    let (namespace, name) = match host.split_once('.') {
        None => (Arc::clone(&id.namespace), host),
        Some((name, rest)) => {
            let (namespace, rest) = rest.split_once('.')?;
            let is_service = rest == "svc" || rest.starts_with("svc.");
            (is_service.then(|| Arc::from(namespace))?, name)
        }
    };
    let name = Arc::from(name);
    Some(ServiceId { namespace, name })
}
