//! InterceptorRoute and HTTPScaledObject -> routes: one for each path of each rule.
//!
//! They say which requests scale a Service, and not where Envoy sends them; so with the same match every other
//! object comes first. Each is counted under a key of its own, as in the KEDA HTTP add-on.

mod answer;
mod content_type;
mod operator;
mod policy;
mod scaled_object;
mod verdict;
mod workload;

use std::{net::Ipv6Addr, sync::Arc};

use wakegate_api::http_add_on::{Header, HostPattern, Port, Requests, ServicePort};
use wakegate_core::{HeaderMatch, HostMatch, Key, PathMatch};

pub(super) use self::operator::{concerns, is_operator};

use super::{
    Origin, hosts,
    objects::Objects,
    reader::{PortRef, Reader},
    route_object::{self, Match, RouteObject},
};
use crate::object::{AddOnObject, Code, Kind, ObjectId};

impl ObjectId {
    /// Whether it is of one of the add-on's kinds.
    pub(super) fn is_add_on(&self) -> bool {
        matches!(self.kind, Kind::InterceptorRoute | Kind::HttpScaledObject)
    }
}

/// What the demand of an object is counted under. An InterceptorRoute that replaces the HTTPScaledObject of its name
/// gets the requests, and with them what both scale by.
fn key(id: &ObjectId, objects: &Objects) -> Key {
    let (namespace, name) = (&id.namespace, &id.name);
    if id.kind == Kind::InterceptorRoute || is_replaced(id, objects) {
        Key::interceptor_route(namespace, name)
    } else {
        Key::http_scaled_object(namespace, name)
    }
}

/// Whether an HTTPScaledObject leaves its requests to the InterceptorRoute of its name.
fn is_replaced(id: &ObjectId, objects: &Objects) -> bool {
    id.kind == Kind::HttpScaledObject && objects.get(&successor(id)).is_some()
}

/// The InterceptorRoute of the same name.
fn successor(id: &ObjectId) -> ObjectId {
    ObjectId::new(
        Kind::InterceptorRoute,
        Arc::clone(&id.namespace),
        Arc::clone(&id.name),
    )
}

pub(super) fn read(id: &ObjectId, object: &AddOnObject, objects: &Objects) -> RouteObject {
    let mut reader = Reader::of_add_on(id, &object.metadata, objects);
    let reading = &object.reading;
    for note in &reading.not_in_force {
        let reason = format!("it is not in force: {}", note.why);
        reader.find_with(&note.field, reason, Code::NotInForce);
    }
    if reading.requests.is_empty() {
        let field = field_of_rules(id.kind);
        reader.find(
            field,
            "it is for no requests: there is no rule that any can match",
        );
    }
    let key = key(id, objects);
    let target = read_target(&mut reader, &reading.target, key);
    let policy = policy::read(&mut reader, reading);
    if id.kind == Kind::HttpScaledObject {
        reader.follows().insert(successor(id));
    }
    if let Some(target) = target.filter(|_| !is_replaced(id, objects)) {
        for (at, requests) in reading.requests.iter().enumerate() {
            let field = field_of_rule(id.kind, at);
            let matches = matches(&mut reader, &field, requests);
            for (n, matched) in matches.into_iter().enumerate() {
                let place = format!("{at}/{n}");
                let policy = Arc::clone(&policy);
                reader.add_on_route((&place, &field), matched, target.clone(), policy);
            }
        }
    }
    reader.finish(Origin {
        namespace: id.namespace.as_ref().to_owned(),
        is_everywhere: true,
        ..Origin::default()
    })
}

fn read_target(
    reader: &mut Reader<'_>,
    target: &ServicePort,
    key: Key,
) -> Option<wakegate_core::Target> {
    let ServicePort { service, port } = target;
    let port = match port {
        Port::Number(number) => PortRef::Number(i32::from(number.get())),
        Port::Name(name) => PortRef::Name(name),
    };
    let field = target_field(reader.id().kind);
    let service = reader.service(None, service);
    reader.target(field, &service, port, (key, 1))
}

/// The field that names the Service.
fn target_field(kind: Kind) -> &'static str {
    if kind == Kind::HttpScaledObject {
        "spec.scaleTargetRef"
    } else {
        "spec.target"
    }
}

/// The field that names the requests.
fn field_of_rules(kind: Kind) -> &'static str {
    if kind == Kind::HttpScaledObject {
        "spec.hosts"
    } else {
        "spec.rules"
    }
}

/// An HTTPScaledObject has one rule, which is all of it.
fn field_of_rule(kind: Kind, at: usize) -> String {
    if kind == Kind::HttpScaledObject {
        "spec".to_owned()
    } else {
        format!("spec.rules[{at}]")
    }
}

/// A match for each path.
fn matches(reader: &mut Reader<'_>, field: &str, requests: &Requests) -> Vec<Match> {
    let field = format!("{field}.hosts");
    let Some(hosts) = read_hosts(reader, &field, &requests.hosts) else {
        return Vec::new();
    };
    let headers: Vec<HeaderMatch> = requests.headers.iter().map(read_header).collect();
    let paths = requests.path_prefixes.iter();
    paths
        .map(|path| Match {
            headers: headers.clone(),
            ..Match::of(&hosts, PathMatch::Prefix(encoded(path)))
        })
        .collect()
}

/// Empty for every host; none where no request can have any of them.
fn read_hosts(
    reader: &mut Reader<'_>,
    field: &str,
    patterns: &[HostPattern],
) -> Option<Vec<HostMatch>> {
    if patterns.contains(&HostPattern::Any) {
        return Some(Vec::new());
    }
    let mut read = Vec::new();
    for pattern in patterns {
        let host = match pattern {
            HostPattern::Any => continue,
            // Requests have it in brackets.
            HostPattern::Exact(name) if name.parse::<Ipv6Addr>().is_ok() => {
                Ok(HostMatch::Exact(format!("[{name}]")))
            }
            HostPattern::Exact(name) => hosts::host(name, HostMatch::Suffix),
            HostPattern::Below(name) => hosts::host(&format!("*.{name}"), HostMatch::Suffix),
        };
        match host {
            Ok(host) if read.contains(&host) => {}
            Ok(host) => read.push(host),
            Err(reason) => reader.find(field, reason),
        }
    }
    (!read.is_empty()).then_some(read)
}

fn read_header(header: &Header) -> HeaderMatch {
    route_object::header(&header.name, header.value.as_deref())
}

/// A path as it stands in a request: the add-on compares what is decoded, and Envoy what is not.
fn encoded(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte);
    let mut encoded = String::new();
    for byte in route_object::segments(path).bytes() {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
            let digits = [digit(byte >> 4), digit(byte & 0xf)];
            encoded.push('%');
            encoded.extend(digits.map(|digit| digit.to_ascii_uppercase()));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_compared_as_requests_have_it() {
        assert_eq!(encoded("/api/v1"), "/api/v1");
        assert_eq!(encoded("/"), "/");
        assert_eq!(encoded("/ä b?/100%"), "/%C3%A4%20b%3F/100%25");
    }
}
