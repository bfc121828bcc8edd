//! Objects as YAML in, table as text out: `fixtures/<name>/*.yaml` against `fixtures/<name>/table.txt`.
//! After a change that is meant, run with `WAKEGATE_BLESS=1` and read the difference.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fmt::Write as _, fs, path::Path, sync::Arc, time::Duration};

use wakegate_control_plane::{
    index::{Index, Origin},
    object::{Kind, Object, ObjectId},
    snapshot::{RouteEntry, Snapshot},
    source::files::{Batch, FileSet},
    wanted::{AncestorVerdict, Refusal, Takeover, WantedScaledObject},
};
use wakegate_wire::v1;

const FIXTURES: [&str; 21] = [
    "http-route",
    "ingress",
    "readiness",
    "workloads",
    "scaled-objects",
    "refused",
    "shadowing",
    "gateways",
    "grants",
    "grpc-route",
    "scaled-elsewhere",
    "unclear",
    "conflicts",
    "wake-policies",
    "wake-policies-refused",
    "interceptor-routes",
    "http-scaled-objects",
    "add-on-operator",
    "taken-hosts",
    "envoy-gateway",
    "virtual-services",
];

fn table_of(dir: &Path) -> String {
    let mut files = FileSet::new(dir);
    let changes = files.reload(&Batch::Everything).unwrap().unwrap();
    let mut index = Index::default();
    let snapshot = index.apply(changes, files.findings()).unwrap();
    text(&snapshot)
}

fn text(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for entry in snapshot.routes.values() {
        let route = &entry.entity.message;
        writeln!(text, "{}", route_text(route)).unwrap();
        let Origin {
            namespace: _,
            gateways,
            ingress_class,
            is_everywhere,
        } = entry.origin.as_ref();
        if let Some(class) = ingress_class {
            writeln!(text, "  class {class}").unwrap();
        }
        if *is_everywhere {
            writeln!(text, "  everywhere").unwrap();
        }
        if !gateways.is_empty() {
            writeln!(text, "  gateways {gateways:?}").unwrap();
        }
        text += &claims_text(entry);
    }
    for backend in snapshot.backends.values() {
        let v1::Backend {
            id,
            ready_endpoints,
            paused,
            no_probe,
            max_in_flight_per_endpoint: most,
            ..
        } = &backend.message;
        write!(
            text,
            "backend {id}: {ready_endpoints} ready, paused {paused}"
        )
        .unwrap();
        if *no_probe || *most > 0 {
            write!(text, ", not probed {no_probe}, in flight {most} at most").unwrap();
        }
        writeln!(text).unwrap();
    }
    for workload in snapshot.workloads.values() {
        writeln!(text, "{}", workload_text(&workload.message)).unwrap();
    }
    for wanted in snapshot.scaled_objects.values() {
        writeln!(text, "{}", wanted_text(wanted)).unwrap();
    }
    for (id, verdict) in &snapshot.policies {
        for ancestor in &verdict.ancestors {
            writeln!(text, "{}", verdict_text(id, ancestor)).unwrap();
        }
    }
    for finding in snapshot.findings.iter() {
        writeln!(text, "finding {:?} {finding}", finding.code).unwrap();
    }
    text
}

fn claims_text(entry: &RouteEntry) -> String {
    let namespaces = |of: &[Arc<Origin>]| -> Vec<String> {
        of.iter().map(|origin| origin.namespace.clone()).collect()
    };
    let mut text = String::new();
    for (host, claims) in entry.entity.message.hosts.iter().zip(&entry.claims) {
        let (others, friends) = (namespaces(&claims.others), namespaces(&claims.friends));
        if !others.is_empty() {
            writeln!(text, "  {host} claimed by {others:?}, not by {friends:?}").unwrap();
        }
    }
    text
}

fn route_text(route: &v1::Route) -> String {
    let policy = route.policy.clone().unwrap();
    let targets = route.targets.iter().map(|target| {
        format!(
            "{} x{} counted as {}",
            target.backend, target.weight, target.key
        )
    });
    let mut lines = vec![format!("route {} of {}", route.id, route.created_ms)];
    let one_label = if route.single_label_wildcards {
        " (one label)"
    } else {
        ""
    };
    let listed = if route.listed { ", listed" } else { "" };
    lines.push(format!("hosts {:?}{one_label}{listed}", route.hosts));
    let path = route
        .path
        .as_ref()
        .and_then(|path| path.path.as_ref())
        .unwrap();
    lines.push(format!("{path:?} {}", route.method));
    lines.extend(
        route
            .headers
            .iter()
            .map(|header| format!("{} {:?}", header.name, header.value)),
    );
    lines.extend(
        route
            .query
            .iter()
            .map(|query| format!("?{}={}", query.name, query.value)),
    );
    lines.extend(targets);
    lines.extend(policy_lines(policy));
    lines.join("\n  ")
}

fn policy_lines(policy: v1::Policy) -> Vec<String> {
    let v1::Policy {
        hold_timeout_ms,
        max_held,
        overflow_status,
        no_wake,
        waiting_page,
        keda_http_header,
        request_timeout_ms,
        placeholder,
        static_routes,
        ..
    } = policy;
    let own: Vec<_> = no_wake
        .iter()
        .skip(3)
        .map(|rule| rule.what.as_ref().unwrap())
        .collect();
    let mut page = String::new();
    if waiting_page {
        page.push_str(", a page");
    }
    if keda_http_header {
        page.push_str(", KEDA's header");
    }
    let mut lines = vec![format!(
        "held {hold_timeout_ms} ms, {max_held} at most, else {overflow_status}{page}; {own:?}"
    )];
    if let Some(ms) = request_timeout_ms {
        lines.push(format!("at most {ms} ms in all"));
    }
    if let Some(v1::Placeholder {
        answer,
        overflow_only,
    }) = placeholder
    {
        let when = if overflow_only { "beyond" } else { "asleep" };
        lines.push(format!("{when}: {}", answer_text(&answer.unwrap())));
    }
    for route in static_routes {
        let requests = route.requests.iter().map(|it| {
            let headers = it.headers.iter().map(|it| (&it.name, &it.value));
            let headers: Vec<_> = headers.collect();
            format!("{:?} {:?} {headers:?}", it.hosts, it.path_prefixes)
        });
        let requests: Vec<String> = requests.collect();
        let when = if route.always { "always" } else { "asleep" };
        let answer = answer_text(&route.answer.unwrap());
        lines.push(format!("{when} {}: {answer}", requests.join(" or ")));
    }
    lines
}

fn answer_text(answer: &v1::StaticAnswer) -> String {
    let headers = answer.headers.iter();
    let headers: Vec<String> = headers
        .map(|header| format!("{}: {}", header.name, header.value))
        .collect();
    let body = match answer.body.as_ref() {
        None => String::new(),
        Some(v1::static_answer::Body::Text(text)) => format!("{text:?}"),
        Some(v1::static_answer::Body::ByPath(files)) => {
            let files = files.files.iter();
            let files =
                files.map(|it| format!("{} ({:?}) {:?}", it.path, it.content_type, it.text));
            files.collect::<Vec<_>>().join(", ")
        }
    };
    format!("{} {headers:?} {body}", answer.status)
}

fn workload_text(workload: &v1::Workload) -> String {
    let targets = workload.targets.unwrap();
    let aliases = workload
        .aliases
        .iter()
        .map(|alias| format!("{}={}", alias.kind, alias.name));
    let aliases: Vec<String> = aliases.collect();
    format!(
        "workload {}: {} ready, replicas {:?}\n  keys {:?}\n  aliases {}\n  concurrency {}, rate {} over {} ms",
        workload.id,
        workload.ready_endpoints,
        workload.replicas,
        workload.keys,
        aliases.join(" "),
        targets.concurrency,
        targets.rate,
        targets.rate_window_ms
    )
}

fn wanted_text(wanted: &WantedScaledObject) -> String {
    let WantedScaledObject {
        workload,
        namespace,
        name,
        target,
        owners,
        min_replicas,
        max_replicas,
        cooldown,
        initial_cooldown,
        trigger: _,
        labels,
        annotations,
        takes_over,
        is_let_go,
        origins,
    } = wanted;
    let owners = owners.iter().map(|owner| {
        let kind = if owner.kind == Kind::Service {
            String::new()
        } else {
            format!("{} ", owner.kind.as_str())
        };
        format!("{kind}{}={}", owner.name, owner.uid)
    });
    let owners: Vec<String> = owners.collect();
    let origins: Vec<&str> = origins.iter().map(|origin| &*origin.namespace).collect();
    let labels = if labels.is_empty() {
        String::new()
    } else {
        format!(", labels {labels:?}")
    };
    let fate = match (takes_over, *is_let_go) {
        (Takeover::Whole, _) => ", taken over",
        (Takeover::Nothing | Takeover::Fields, true) => ", let go",
        (Takeover::Nothing | Takeover::Fields, false) => "",
    };
    format!(
        "scaled object {namespace}/{name} of {workload}: {} {}/{}, owners {}\n  \
         {min_replicas} to {max_replicas}, cooldown {cooldown:?}, at first {initial_cooldown:?}\n  \
         trigger {:?}\n  annotations {annotations:?}{labels}, routes in {origins:?}{fate}",
        target.api_version,
        target.kind,
        target.name,
        owners.join(" "),
        wanted.trigger_metadata(Duration::from_secs(15)),
    )
}

fn verdict_text(id: &ObjectId, ancestor: &AncestorVerdict) -> String {
    let AncestorVerdict {
        target,
        accepted,
        resolved_refs,
        loses,
        origins,
    } = ancestor;
    let shown = |result: &Result<(), Refusal>| match result {
        Ok(()) => "yes".to_owned(),
        Err(Refusal { reason, message }) => format!("{reason}: {message}"),
    };
    let section = target.section_name.as_deref();
    let section = section.map(|section| format!("#{section}"));
    let origins: Vec<&str> = origins.iter().map(|origin| &*origin.namespace).collect();
    let loses = loses.as_ref().map(|it| format!("\n  loses {}", it.reason));
    format!(
        "{id} on {} {}{}\n  accepted {}\n  resolved {}\n  routes in {origins:?}{}",
        target.kind,
        target.name,
        section.unwrap_or_default(),
        shown(accepted),
        shown(resolved_refs),
        loses.unwrap_or_default(),
    )
}

#[track_caller]
fn check(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    let (table, file) = (table_of(&dir), dir.join("table.txt"));
    if std::env::var_os("WAKEGATE_BLESS").is_some() {
        fs::write(&file, &table).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(table, expected, "{name}: the table is\n{table}");
    table
}

#[test]
fn objects_that_are_well_make_a_table_without_findings() {
    for name in [
        "http-route",
        "ingress",
        "readiness",
        "workloads",
        "scaled-objects",
        "wake-policies",
    ] {
        let table = check(name);
        assert!(!table.contains("\nfinding "), "{table}");
    }
}

#[test]
fn what_is_refused_is_found_and_the_rest_is_served() {
    check("refused");
}

#[test]
fn routes_without_targets_are_there_where_ours_are() {
    check("shadowing");
}

#[test]
fn gateways_grants_and_calls_are_asked() {
    for name in ["gateways", "grants", "grpc-route"] {
        check(name);
    }
}

#[test]
fn a_workload_that_is_not_for_us_to_scale_is_left_alone_and_said() {
    let table = check("scaled-elsewhere");
    assert!(!table.contains("scaled object "), "{table}");
}

#[test]
fn a_workload_that_is_not_clear_is_said_where_it_is_asked_for() {
    let table = check("unclear");
    assert!(!table.contains("scaled object "), "{table}");
}

#[test]
fn who_disagrees_about_a_workload_and_loses_is_told() {
    check("conflicts");
}

#[test]
fn the_most_particular_policy_counts_whole_then_annotations_then_defaults() {
    let table = check("wake-policies");
    assert!(!table.contains("accepted T"), "{table}");
}

#[test]
fn a_policy_that_is_not_in_force_says_why() {
    check("wake-policies-refused");
}

#[test]
fn the_objects_of_the_http_add_on_are_one_more_source() {
    for name in ["interceptor-routes", "http-scaled-objects"] {
        check(name);
    }
}

#[test]
fn a_host_that_another_namespace_has_is_not_for_an_overlay() {
    check("taken-hosts");
}

#[test]
fn what_the_add_ons_operator_writes_is_left_alone_while_it_runs() {
    let table = check("add-on-operator");
    assert!(!table.contains("scaled object "), "{table}");
}

#[test]
fn virtual_services_are_listed_and_what_they_cannot_say_here_is_found() {
    check("virtual-services");
}

#[test]
fn where_envoy_gateway_would_lose_what_is_held_it_is_said() {
    let table = check("envoy-gateway");
    let found = table.lines().filter(|line| line.starts_with("finding "));
    let routes: Vec<&str> = found
        .filter_map(|line| line.split_whitespace().nth(3))
        .collect();
    let expected = [
        "bad-call",
        "bad-bare",
        "bad-endpoint",
        "bad-policy",
        "bad-replaced",
        "bad-set",
    ];
    assert_eq!(
        routes,
        expected.map(|name| format!("shop/{name}:")),
        "{table}"
    );
}

/// In an order that looks like chance, and is the same each time.
fn shuffle<T>(items: &mut [T], seed: usize) {
    for at in 1..items.len() {
        items.swap(at, (at + seed).wrapping_mul(0x9e37_79b9) / 7 % (at + 1));
    }
}

fn gone(changes: &[(ObjectId, Option<Object>)]) -> Vec<(ObjectId, Option<Object>)> {
    changes.iter().map(|(id, _)| (id.clone(), None)).collect()
}

#[test]
fn order_and_number_of_changes_do_not_matter() {
    for name in FIXTURES {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name);
        let mut files = FileSet::new(&dir);
        let changes = files.reload(&Batch::Everything).unwrap().unwrap();
        let (mut index, mut changes) = (Index::default(), changes);
        for seed in 0..20 {
            shuffle(&mut changes, seed);
            for change in &changes {
                index.apply(vec![change.clone()], Vec::new());
            }
            assert_eq!(text(&index.snapshot()), table_of(&dir), "{name} {seed}");
            // Some gone, and there again.
            let (some, _) = changes.split_at(changes.len() / 2);
            index.apply(gone(some), Vec::new());
            index.apply(some.to_vec(), Vec::new());
            assert_eq!(text(&index.snapshot()), table_of(&dir), "{name} {seed}");
            // Every object gone, nothing is left.
            shuffle(&mut changes, seed + 1);
            for change in gone(&changes) {
                index.apply(vec![change], Vec::new());
            }
            assert_eq!(text(&index.snapshot()), "", "{name} {seed}");
        }
    }
}
