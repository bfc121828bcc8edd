//! The order in which the move goes. Each step leaves requests served.
//!
//! A route that leads to the interceptor hides the add-on's objects from the filter, so Wakegate knows of no demand
//! before the routes lead to their Services; and KEDA asks Wakegate only when the operator is stopped and the
//! addresses are changed. In between nobody wakes anything: that is what `keep` is for.

mod add_on;
mod demand;
mod traffic;

use super::{
    check::{Found, is_written_for},
    objects::{Id, Objects},
    rules::{Rule, scaling, traffic as of_routes},
};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, which stays the same.
    pub id: &'static str,
    /// What to do.
    pub text: String,
    /// With what.
    pub objects: Vec<Id>,
    /// How, where a shell does it.
    pub commands: Vec<String>,
}

/// Said of what leads to the interceptor.
const REPOINTED: [&Rule; 6] = [
    &of_routes::BACKEND,
    &of_routes::BACKEND_SPLIT,
    &of_routes::BACKEND_NOBODY,
    &of_routes::INGRESS_BACKEND,
    &of_routes::INGRESS_MOVES,
    &of_routes::OTHER_ROUTE,
];

/// Said of what nobody needs without the interceptor.
const LEFT: [&Rule; 3] = [
    &scaling::OF_INTERCEPTOR,
    &of_routes::GRANT,
    &of_routes::EXTERNAL_NAME,
];

/// The steps that are left.
pub(super) fn steps(objects: &Objects, found: &Found, scaler: &str) -> Vec<Step> {
    let is_used = is_used(objects, found);
    let backends = traffic::backends(found);
    let (keep, wake) = demand::keep_and_wake(objects, backends.is_some());
    let later = [
        add_on::operator(objects, is_used),
        demand::scaler_address(found, scaler),
        wake,
        add_on::finalizers(objects, found),
        add_on::remove(objects, found, is_used),
    ];
    let later: Vec<Step> = later.into_iter().flatten().collect();
    if backends.is_none() && later.is_empty() {
        return Vec::new();
    }
    let first = [Some(traffic::install()), keep, backends];
    let first = first.into_iter().flatten();
    first.chain([traffic::filters()]).chain(later).collect()
}

impl Step {
    fn new(id: &'static str, text: impl Into<String>) -> Self {
        Self {
            id,
            text: text.into(),
            objects: Vec::new(),
            commands: Vec::new(),
        }
    }
}

/// Whether the add-on still has a part in anything.
fn is_used(objects: &Objects, found: &Found) -> bool {
    let signs = [
        &REPOINTED[..],
        &[&scaling::SCALER_ADDRESS, &scaling::TAKEN_OVER],
        &LEFT,
    ];
    let is_ours = |name: &str| {
        let mut all = objects.scaled.iter();
        all.any(|it| it.id.name == name && it.is_ours())
    };
    let mut add_ons = objects.add_ons.iter();
    !having(found, &signs.concat()).is_empty()
        || add_ons.any(|it| is_written_for(it) && !is_ours(&it.id.name))
}

/// The objects of which one of these is said.
fn having(found: &Found, rules: &[&'static Rule]) -> Vec<Id> {
    let has = |rule: &'static Rule| rules.iter().any(|it| it.id == rule.id);
    let objects = found.iter();
    let objects = objects.filter(|(_, findings)| findings.iter().any(|it| has(it.rule)));
    objects.map(|(id, _)| id.clone()).collect()
}

/// A command for an object, with what comes behind its name.
fn kubectl(verb: &str, id: &Id, rest: &str) -> String {
    let Id {
        kind,
        namespace,
        name,
        ..
    } = id;
    let kind = kind.as_str().to_ascii_lowercase();
    let command = format!("kubectl {verb} {kind} {name} --namespace {namespace} {rest}");
    command.trim_end().to_owned()
}
