//! `/debug/routes`: what is pushed, what is wrong, and who has applied what.

use axum::{Json, Router, routing::get};
use serde::Serialize;
use wakegate_wire::v1;

use crate::{
    push::{Snapshots, WorkerReport, Workers},
    snapshot::Snapshot,
};

#[derive(Debug, Default, Serialize)]
struct Report {
    routes: Vec<Route>,
    backends: Vec<Backend>,
    workloads: Vec<Workload>,
    findings: Vec<Finding>,
    workers: Vec<WorkerReport>,
}

#[derive(Debug, Serialize)]
struct Route {
    id: String,
    hosts: Vec<String>,
    path: String,
    method: String,
    headers: Vec<String>,
    query: Vec<String>,
    targets: Vec<Target>,
    hold_timeout_ms: u64,
    max_held: u32,
}

#[derive(Debug, Serialize)]
struct Target {
    backend: String,
    key: String,
    weight: u32,
}

#[derive(Debug, Serialize)]
struct Backend {
    id: String,
    ready_endpoints: u32,
    paused: bool,
}

#[derive(Debug, Serialize)]
struct Workload {
    id: String,
    keys: Vec<String>,
    aliases: Vec<String>,
    target_concurrency: f64,
    target_rate: f64,
    ready_endpoints: u32,
    replicas: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Finding {
    object: String,
    field: String,
    reason: String,
}

/// The debug routes, to be merged into the admin server.
pub fn router(snapshots: Snapshots, workers: Workers) -> Router {
    Router::new().route(
        "/debug/routes",
        get(async move || {
            let snapshot = snapshots.borrow().clone();
            Json(report(snapshot.as_deref(), &workers))
        }),
    )
}

fn report(snapshot: Option<&Snapshot>, workers: &Workers) -> Report {
    let workers = workers.reports();
    let Some(snapshot) = snapshot else {
        return Report {
            workers,
            ..Report::default()
        };
    };
    let findings = snapshot.findings.iter().map(|finding| Finding {
        object: finding.object.clone(),
        field: finding.field.clone(),
        reason: finding.reason.clone(),
    });
    let backends = snapshot.backends.values().map(|backend| Backend {
        id: backend.message.id.clone(),
        ready_endpoints: backend.message.ready_endpoints,
        paused: backend.message.paused,
    });
    Report {
        routes: snapshot
            .routes
            .values()
            .map(|route| of_route(&route.entity.message))
            .collect(),
        backends: backends.collect(),
        workloads: snapshot
            .workloads
            .values()
            .map(|one| of_workload(&one.message))
            .collect(),
        findings: findings.collect(),
        workers,
    }
}

fn of_route(route: &v1::Route) -> Route {
    let policy = route.policy.as_ref();
    let path = route.path.as_ref().and_then(|path| path.path.as_ref());
    Route {
        id: route.id.clone(),
        hosts: route.hosts.clone(),
        path: path.map(path_text).unwrap_or_default(),
        method: route.method.clone(),
        headers: route
            .headers
            .iter()
            .map(|header| header.name.clone())
            .collect(),
        query: route
            .query
            .iter()
            .map(|query| format!("{}={}", query.name, query.value))
            .collect(),
        targets: route.targets.iter().map(of_target).collect(),
        hold_timeout_ms: policy
            .map(|policy| policy.hold_timeout_ms)
            .unwrap_or_default(),
        max_held: policy.map(|policy| policy.max_held).unwrap_or_default(),
    }
}

fn path_text(path: &v1::path_match::Path) -> String {
    match path {
        v1::path_match::Path::Exact(path) => format!("exact {path}"),
        v1::path_match::Path::Prefix(path) => format!("prefix {path}"),
        v1::path_match::Path::Regex(path) => format!("regex {path}"),
    }
}

fn of_target(target: &v1::Target) -> Target {
    let v1::Target {
        backend,
        key,
        weight,
    } = target.clone();
    Target {
        backend,
        key,
        weight,
    }
}

fn of_workload(workload: &v1::Workload) -> Workload {
    let targets = workload.targets.unwrap_or_default();
    let aliases = workload.aliases.iter();
    Workload {
        id: workload.id.clone(),
        keys: workload.keys.clone(),
        aliases: aliases
            .map(|alias| format!("{}={}", alias.kind, alias.name))
            .collect(),
        target_concurrency: targets.concurrency,
        target_rate: targets.rate,
        ready_endpoints: workload.ready_endpoints,
        replicas: workload.replicas,
    }
}
