//! Files of manifests beside one that is well: documents, objects, the table, and what a filter makes of it.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use wakegate_control_plane::{
    index::Index,
    object::ObjectId,
    snapshot::Snapshot,
    source::document::{Content, parse},
};
use wakegate_core::{Route, Workload};

use super::ensure;
use crate::{Form, Outcome, Target};

pub(super) const TARGET: Target = Target {
    name: "manifests",
    form: Form::Objects,
    run,
    seeds,
};

/// What must stay in the table, in a namespace that no input is about.
const GOOD: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: web, namespace: untouched, annotations: {wakegate.dev/scaled-object: external}}
spec: {ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: untouched, annotations: {wakegate.dev/scale-to-zero: "true"}}
spec: {rules: [{host: untouched.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}
"#;

/// The control plane's own fixtures, which have every kind that is read.
fn seeds() -> Vec<Vec<u8>> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../control-plane/tests/fixtures"
    );
    let mut files: Vec<_> = fs::read_dir(Path::new(folder))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("objects.yaml"))
        .collect();
    files.sort();
    files
        .iter()
        .filter_map(|file| fs::read(file).ok())
        .collect()
}

fn run(input: &[u8]) -> Result<Outcome, String> {
    let text = String::from_utf8_lossy(input);
    let mut index = Index::default();
    let good = add(&mut index, GOOD).0;
    let before = index.snapshot();
    let (ids, errors) = add(&mut index, &text);
    if ids.iter().any(|id| good.contains(id)) {
        return Ok(Outcome::of("untouched"));
    }
    let snapshot = index.snapshot();
    for (id, entry) in &before.routes {
        let now = snapshot.routes.get(id);
        ensure(
            now.is_some_and(|now| now.entity.message == entry.entity.message),
            || format!("{id} became another by objects that have nothing to do with it"),
        )?;
    }
    a_filter_takes_it(&snapshot)?;
    let findings: Vec<_> = snapshot
        .findings
        .iter()
        .map(|finding| format!("{:?}", finding.code))
        .collect();
    index.apply(ids.into_iter().map(|id| (id, None)).collect(), vec![]);
    let after = index.snapshot();
    let sizes = |snapshot: &Snapshot| {
        (
            snapshot.routes.size(),
            snapshot.backends.size(),
            snapshot.workloads.size(),
        )
    };
    ensure(sizes(&before) == sizes(&after), || {
        format!("{:?} is left of {:?}", sizes(&after), sizes(&before))
    })?;
    let findings: BTreeSet<_> = findings.into_iter().collect();
    let findings: Vec<_> = findings.into_iter().collect();
    Ok(Outcome::of(&format!("{} {errors}", findings.join(" "))).with(snapshot.routes.size()))
}

/// Puts the objects of a file in; returns their ids, and what was wrong first.
fn add(index: &mut Index, text: &str) -> (BTreeSet<ObjectId>, String) {
    let (mut ids, mut changes, mut errors) = (BTreeSet::new(), Vec::new(), String::new());
    for parsed in parse(text) {
        match parsed.content {
            Ok(Content::Object(id, object)) => {
                ids.insert(id.clone());
                changes.push((id, Some(*object)));
            }
            Err(error) if errors.is_empty() => errors = format!("{} {}", error.field, error.reason),
            Ok(Content::Ignored(_)) | Err(_) => {}
        }
    }
    index.apply(changes, vec![]);
    (ids, errors)
}

/// Nothing that the control plane says is refused by those that it says it to.
fn a_filter_takes_it(snapshot: &Arc<Snapshot>) -> Result<(), String> {
    for entry in snapshot.routes.values() {
        let route = Route::try_from(entry.entity.message.clone());
        route.map_err(|error| format!("a filter refuses it: {error}"))?;
    }
    for workload in snapshot.workloads.values() {
        let workload = Workload::try_from(workload.message.clone());
        workload.map_err(|error| format!("a scaler refuses it: {error}"))?;
    }
    Ok(())
}
