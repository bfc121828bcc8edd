//! The head of a request, looked up in a table of odd routes. Its lines are: host, path, method, and headers as
//! `name: value`; the first byte of all says which routes are there.

use std::collections::BTreeMap;

use wakegate_core::{
    HeaderMatch, HostMatch, PathMatch, QueryMatch, Regex, Route, RouteTable, ValueMatch,
};

use super::lookup;
use crate::{Form, Outcome, Target, random::Request};

pub(super) const TARGET: Target = Target {
    name: "heads",
    form: Form::Bytes,
    run,
    seeds,
};

const HOSTS: [&str; 12] = [
    "a.test", "A.test", "*.a.test", "*.test", "*", "*.", "a..test", "[::1]", "a.test.", "x.a.test",
    "test", "*.*.test",
];

const PATHS: [&str; 12] = [
    "=/",
    "=/a",
    "=/a/",
    "/",
    "/a",
    "/a/",
    "/a/b",
    "//",
    "/%2F",
    "~/a.*",
    "~/(a|b)+",
    "~(?i)/A/?",
];

fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "\u{1}a.test\n/a?q=1\nGET\nx-a: 1\nx-b: 2",
        "\u{2}X.A.TEST.:8443\n/a/b/c\nPOST\n",
        "\u{3}[::1]:80\n//\nGET\nx-a: 1,2",
        "\u{4}unknown\n/%2F..;x=1?q=1&q=2&r\nOPTIONS\nx-a: \u{fffd}",
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).into()
}

fn run(input: &[u8]) -> Result<Outcome, String> {
    let (which, rest) = input.split_first().unwrap_or((&0, b""));
    let mut lines = rest.split(|byte| *byte == b'\n');
    let host = lines.next().unwrap_or_default().to_vec();
    let path = lines.next().unwrap_or_default().to_vec();
    let method = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let headers = lines.filter_map(|line| {
        let at = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(at)?;
        let name = String::from_utf8(name.to_ascii_lowercase()).ok()?;
        Some((name, value.get(1..)?.trim_ascii().to_vec()))
    });
    let request = Request {
        host,
        path,
        method,
        headers: headers.collect::<BTreeMap<_, _>>(),
    };
    let mut table = RouteTable::default();
    table.replace(routes(usize::from(*which))?);
    let is_found = lookup::agree(&table, &request)?;
    let n_segments = request.path.split(|byte| *byte == b'/').count();
    let n_labels = request.host.split(|byte| *byte == b'.').count();
    let kind = Outcome::of(if is_found { "found" } else { "none" });
    Ok(kind
        .with(usize::from(*which))
        .with(n_segments)
        .with(n_labels))
}

/// Every pair of a host and a path, some with more to ask, each seventh left out from another one on.
fn routes(which: usize) -> Result<Vec<Route>, String> {
    let mut routes = Vec::new();
    for (number, host) in HOSTS.iter().enumerate() {
        for (rule, path) in PATHS.iter().enumerate() {
            let index = number * PATHS.len() + rule;
            if (index + which).is_multiple_of(7) {
                continue;
            }
            routes.push(route(index, host, path)?);
        }
    }
    Ok(routes)
}

fn route(index: usize, host: &str, path: &str) -> Result<Route, String> {
    let host = match host.strip_prefix("*.") {
        Some(suffix) if index.is_multiple_of(2) => HostMatch::SingleLabel(suffix.to_owned()),
        Some(suffix) => HostMatch::Suffix(suffix.to_owned()),
        None => HostMatch::Exact(host.to_owned()),
    };
    let regex = |pattern: &str| Regex::new(pattern).map_err(|error| error.to_string());
    let path = match path.split_at_checked(1) {
        Some(("=", path)) => PathMatch::Exact(path.to_owned()),
        Some(("~", pattern)) => PathMatch::Regex(regex(pattern)?),
        _ => PathMatch::Prefix(path.to_owned()),
    };
    let header = |value| HeaderMatch {
        name: "x-a".to_owned(),
        value,
    };
    let headers = match index % 5 {
        0 => vec![header(ValueMatch::Exact("1".to_owned()))],
        1 => vec![
            header(ValueMatch::Regex(regex("[0-9,]+")?)),
            header(ValueMatch::Present),
        ],
        _ => vec![],
    };
    let query = QueryMatch {
        name: "q".to_owned(),
        value: "1".to_owned(),
    };
    let hosts = if index.is_multiple_of(11) {
        vec![]
    } else {
        vec![host]
    };
    Ok(Route {
        id: format!("HTTPRoute/shop/r{}/{index}/0", index % 3)
            .as_str()
            .into(),
        created_ms: 0,
        listed: false,
        hosts,
        path,
        method: index.is_multiple_of(4).then(|| "GET".to_owned()),
        headers,
        query: if index.is_multiple_of(6) {
            vec![query]
        } else {
            vec![]
        },
        targets: vec![],
        policy: std::sync::Arc::default(),
    })
}
