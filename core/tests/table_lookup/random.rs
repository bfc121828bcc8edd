//! Routes and requests from an alphabet so small that they meet.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{collection::vec, option, prelude::*, sample::select};
use wakegate_core::{
    HeaderMatch, HostMatch, PathMatch, Policy, QueryMatch, Regex, Route, RouteId, ValueMatch,
};

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) host: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) method: String,
    pub(crate) headers: BTreeMap<String, Vec<u8>>,
}

pub(crate) fn id() -> impl Strategy<Value = RouteId> {
    let kind = select(vec!["HTTPRoute", "Ingress"]);
    let object = select(vec!["a/x", "a/y", "a-b/x", "b/x"]);
    let rule = select(vec![0, 1, 9, 10]);
    (kind, object, rule, 0..2).prop_map(|(kind, object, rule, number)| {
        RouteId::from(&*format!("{kind}/{object}/{rule}/{number}"))
    })
}

pub(crate) fn route() -> impl Strategy<Value = Route> {
    let rest = (
        option::weighted(0.3, method()),
        vec((name(), value_match()), 0..3),
        vec((name(), value()), 0..2),
        prop::bool::weighted(0.2),
    );
    (id(), 0..3_u64, vec(host_match(), 0..3), path_match(), rest).prop_map(
        |(id, created_ms, hosts, path, (method, headers, query, listed))| Route {
            id,
            created_ms,
            listed,
            hosts,
            path,
            method,
            headers: headers
                .into_iter()
                .map(|(name, value)| HeaderMatch { name, value })
                .collect(),
            query: query
                .into_iter()
                .map(|(name, value)| QueryMatch { name, value })
                .collect(),
            targets: vec![],
            policy: Arc::new(Policy::default()),
        },
    )
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    let headers = proptest::collection::btree_map(name(), header_value(), 0..3);
    (authority(), request_path(), method(), headers).prop_map(|(host, path, method, headers)| {
        Request {
            host,
            path,
            method,
            headers,
        }
    })
}

fn host_name() -> impl Strategy<Value = String> {
    let label = select(vec!["a", "b", "b.b"]);
    let name = vec(label, 1..4).prop_map(|labels| labels.join("."));
    prop_oneof![
        12 => name,
        1 => Just("[::1]".to_owned()),
        1 => select(vec!["B.a", "a..b", "a.", "::1", ""]).prop_map(str::to_owned),
    ]
}

fn host_match() -> impl Strategy<Value = HostMatch> {
    (host_name(), 0..3).prop_map(|(name, kind)| match kind {
        0 => HostMatch::Exact(name),
        1 => HostMatch::Suffix(name),
        _ => HostMatch::SingleLabel(name),
    })
}

fn authority() -> impl Strategy<Value = Vec<u8>> {
    let dot = select(vec!["", "", "", ".", ".."]);
    let port = select(vec!["", "", "", ":80", ":", ":x", ":1:2"]);
    let byte = option::weighted(0.03, (any::<prop::sample::Index>(), any::<u8>()));
    (host_name(), any::<bool>(), dot, port, byte).prop_map(|(name, is_upper, dot, port, byte)| {
        let name = if is_upper { name.to_uppercase() } else { name };
        let mut authority = format!("{name}{dot}{port}").into_bytes();
        if let Some((at, byte)) = byte {
            authority.insert(at.index(authority.len() + 1), byte);
        }
        authority
    })
}

fn path() -> impl Strategy<Value = String> {
    let segment = select(vec!["a", "b", "ab", ""]);
    prop_oneof![
        12 => vec(segment, 1..4).prop_map(|segments| format!("/{}", segments.join("/"))),
        1 => select(vec!["", "*", "a", "/a?b"]).prop_map(str::to_owned),
    ]
}

fn path_match() -> impl Strategy<Value = PathMatch> {
    let regexes = vec![
        "/a.*",
        "/.*",
        ".*",
        "/(a|b)",
        "/a|/b/a",
        "(?i)/A/?",
        "/ab/[^/]+",
        ".b",
    ];
    prop_oneof![
        path().prop_map(PathMatch::Exact),
        path().prop_map(PathMatch::Prefix),
        Just(PathMatch::Prefix("/".to_owned())),
        select(regexes).prop_map(|pattern| PathMatch::Regex(Regex::new(pattern).unwrap())),
    ]
}

fn request_path() -> impl Strategy<Value = Vec<u8>> {
    let parameter = (name(), select(vec!["", "=", "=1", "=2", "=1=2", "x=1"]));
    let query = vec(parameter, 0..4).prop_map(|parameters| {
        let parameters = parameters
            .into_iter()
            .map(|(name, value)| format!("{name}{value}"));
        parameters.collect::<Vec<_>>().join("&")
    });
    (path(), option::of(query)).prop_map(|(path, query)| {
        let query = query.map(|query| format!("?{query}"));
        format!("{path}{}", query.unwrap_or_default()).into_bytes()
    })
}

fn method() -> impl Strategy<Value = String> {
    select(vec!["GET", "POST"]).prop_map(str::to_owned)
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["x", "y"]).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = String> {
    select(vec!["", "1", "2"]).prop_map(str::to_owned)
}

fn value_match() -> impl Strategy<Value = ValueMatch> {
    prop_oneof![
        value().prop_map(ValueMatch::Exact),
        Just(ValueMatch::Present),
        select(vec!["[12]", "1.*", ""])
            .prop_map(|pattern| ValueMatch::Regex(Regex::new(pattern).unwrap())),
    ]
}

fn header_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => value().prop_map(String::into_bytes),
        1 => Just(b"1,2".to_vec()),
        1 => Just(b"1\xff".to_vec()),
    ]
}
