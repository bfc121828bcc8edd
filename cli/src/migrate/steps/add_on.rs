//! The add-on's own parts, one after the other.

use wakegate_api::http_add_on::FINALIZER;

use super::{LEFT, Step, having, kubectl};
use crate::migrate::{
    check::{Found, is_written_for, runs},
    objects::{Id, Kind, Objects, Part},
    rules::objects::FINALIZER as HAS_FINALIZER,
};

/// How the add-on calls a part of itself, and where, as long as nobody says otherwise.
fn usual(part: Part) -> Id {
    let name = match part {
        Part::Operator => "keda-add-ons-http-operator",
        Part::Interceptor => "keda-add-ons-http-interceptor",
        Part::Scaler => "keda-add-ons-http-external-scaler",
    };
    Id {
        kind: Kind::Deployment,
        namespace: "keda".to_owned(),
        name: name.to_owned(),
        file: None,
    }
}

/// What is there of a part; how it is usually called where nothing of the add-on was to be seen.
struct Deployments {
    seen: Vec<Id>,
    guessed: Vec<Id>,
}

impl Deployments {
    fn of(objects: &Objects, part: Part, is_used: bool) -> Self {
        let is_guess = objects.parts.is_empty() && !objects.sees_add_on() && is_used;
        Self {
            seen: objects.parts(part).map(|(id, _)| id.clone()).collect(),
            guessed: is_guess.then(|| usual(part)).into_iter().collect(),
        }
    }

    fn commands(&self, verb: &str, rest: &str) -> Vec<String> {
        let all = self.seen.iter().chain(&self.guessed);
        all.map(|id| kubectl(verb, id, rest)).collect()
    }
}

pub(super) fn operator(objects: &Objects, is_used: bool) -> Option<Step> {
    let mut deployments = Deployments::of(objects, Part::Operator, is_used);
    let running = objects.parts(Part::Operator);
    let running: Vec<&Id> = running
        .filter(|(_, deployment)| runs(deployment))
        .map(|(id, _)| id)
        .collect();
    deployments.seen.retain(|id| running.contains(&id));
    let commands = deployments.commands("scale", "--replicas 0");
    let written = objects.add_ons.iter().filter(|it| is_written_for(it));
    let taken_over = match written.count() {
        0 => String::new(),
        1 => ": Wakegate takes over the ScaledObject that it wrote, with its scalerAddress"
            .to_owned(),
        n => format!(
            ": Wakegate takes over the {n} ScaledObjects that it wrote, with their scalerAddress"
        ),
    };
    let text = format!("Stop the add-on's operator{taken_over}.");
    (!commands.is_empty()).then(|| Step {
        objects: deployments.seen,
        commands,
        ..Step::new("operator", text)
    })
}

pub(super) fn finalizers(objects: &Objects, found: &Found) -> Option<Step> {
    let ids = having(found, &[&HAS_FINALIZER]);
    let commands = ids.iter().filter_map(|id| {
        let object = objects.add_ons.iter().find(|it| it.id == *id)?;
        let mut finalizers = object.metadata.finalizers.as_ref()?.iter();
        let at = finalizers.position(|it| it == FINALIZER)?;
        let patch = format!(r#"[{{"op":"remove","path":"/metadata/finalizers/{at}"}}]"#);
        Some(kubectl(
            "patch",
            id,
            &format!("--type json --patch '{patch}'"),
        ))
    });
    let commands = commands.collect();
    let text = format!(
        "Take the finalizer {FINALIZER} from the HTTPScaledObjects, which nobody else does once the operator is stopped."
    );
    (!ids.is_empty()).then(|| Step {
        objects: ids,
        commands,
        ..Step::new("finalizers", text)
    })
}

pub(super) fn remove(objects: &Objects, found: &Found, is_used: bool) -> Option<Step> {
    let (mut ids, mut commands) = (Vec::new(), Vec::new());
    for part in [Part::Interceptor, Part::Scaler, Part::Operator] {
        let deployments = Deployments::of(objects, part, is_used);
        commands.extend(deployments.commands("delete", ""));
        ids.extend(deployments.seen);
    }
    let left = having(found, &LEFT);
    commands.extend(left.iter().map(|id| kubectl("delete", id, "")));
    ids.extend(left);
    let text = "Remove the interceptor, the scaler and what belonged to them, and never the CRDs: with them go all \
                InterceptorRoutes and HTTPScaledObjects. The add-on's chart has the CRDs among its templates, so do not \
                uninstall its release: have Helm forget it (kubectl delete secret --selector owner=helm,name=RELEASE).";
    (!commands.is_empty()).then(|| Step {
        objects: ids,
        commands,
        ..Step::new("remove", text)
    })
}
