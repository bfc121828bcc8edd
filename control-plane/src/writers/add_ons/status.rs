//! The status of an object so far, and what is known of it -> its next status.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use kube::api::DynamicObject;
use serde_json::{Value, json};
use wakegate_api::http_add_on::{HttpScaledObjectSpec, READY, RECONCILED};

use crate::{
    object::{Finding, Kind},
    push::Applied,
    wanted::{AddOnVerdict, Refusal},
    writers::conditions::Said,
};

/// The condition that says which fields have no effect.
const IN_FORCE: &str = "InForce";

/// An object as it is, as far as its status goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Observed {
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) generation: i64,
    pub(super) is_going: bool,
    pub(super) finalizers: Vec<String>,
    conditions: Vec<Condition>,
    /// What the columns of an HTTPScaledObject show, as it is and as it should be.
    columns: Option<(Columns, Columns)>,
}

/// Workload and Service.
#[derive(Clone, Debug, Default, PartialEq)]
struct Columns {
    workload: String,
    service: String,
}

/// What is known of an object.
pub(super) enum Outlook<'a> {
    /// By the index.
    Said {
        verdict: &'a AddOnVerdict,
        applied: Applied,
    },
    /// It could not be read.
    Refused(&'a Finding),
}

impl Observed {
    pub(super) fn new(object: DynamicObject) -> Option<Self> {
        let DynamicObject {
            metadata,
            data,
            types,
        } = object;
        let conditions = data.pointer("/status/conditions").and_then(Value::as_array);
        // Those of old add-ons have no time and are no conditions.
        let conditions = conditions.into_iter().flatten();
        let conditions = conditions.filter_map(|it| serde_json::from_value(it.clone()).ok());
        let is_scaled = types.is_some_and(|types| types.kind == Kind::HttpScaledObject.as_str());
        Some(Self {
            uid: metadata.uid?,
            resource_version: metadata.resource_version?,
            generation: metadata.generation.unwrap_or_default(),
            is_going: metadata.deletion_timestamp.is_some(),
            finalizers: metadata.finalizers.unwrap_or_default(),
            conditions: conditions.collect(),
            columns: is_scaled.then(|| columns(&data)).flatten(),
        })
    }
}

fn columns(data: &Value) -> Option<(Columns, Columns)> {
    let text = |pointer: &str| {
        let text = data.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let spec: HttpScaledObjectSpec = serde_json::from_value(data.get("spec")?.clone()).ok()?;
    let is = Columns {
        workload: text("/status/targetWorkload"),
        service: text("/status/targetService"),
    };
    let should_be = Columns {
        workload: spec.target_workload(),
        service: spec.target_service(),
    };
    Some((is, should_be))
}

/// What is to be merged into the status; none where it is there already.
pub(super) fn next(observed: &Observed, outlook: &Outlook<'_>, now: Timestamp) -> Option<Value> {
    let so_far: Vec<&Condition> = observed.conditions.iter().collect();
    let said = Said {
        generation: observed.generation,
        so_far: &so_far,
        now,
    };
    let ours = match outlook {
        Outlook::Said { verdict, applied } => of_verdict(&said, verdict, *applied),
        Outlook::Refused(finding) => vec![refused(&said, finding)],
    };
    // Each where it was, and what is new at the end.
    let mut next = observed.conditions.clone();
    for condition in ours {
        match next.iter_mut().find(|it| it.type_ == condition.type_) {
            Some(before) => *before = condition,
            None => next.push(condition),
        }
    }
    let columns = observed.columns.as_ref();
    let has_columns = columns.is_none_or(|(is, should_be)| is == should_be);
    if next == observed.conditions && has_columns {
        return None;
    }
    Some(match columns {
        Some((_, Columns { workload, service })) => json!({
            "conditions": next, "targetWorkload": workload, "targetService": service,
        }),
        None => json!({ "conditions": next }),
    })
}

fn of_verdict(said: &Said<'_>, verdict: &AddOnVerdict, applied: Applied) -> Vec<Condition> {
    let AddOnVerdict {
        generation: _,
        ready,
        not_in_force,
        origins: _,
    } = verdict;
    let mut conditions = Vec::new();
    if let Some(ready) = ready {
        conditions.push(match ready {
            Err(Refusal { reason, message }) => said.condition(READY, ("False", reason, message)),
            Ok(()) => match said.programmed(READY, applied) {
                Ok(text) => said.condition(
                    READY,
                    (
                        "True",
                        RECONCILED,
                        &format!("its Service is there, and {text}"),
                    ),
                ),
                Err((reason, text)) => said.condition(READY, ("False", reason, text)),
            },
        });
    }
    let fields = not_in_force
        .iter()
        .map(|(field, why)| format!("{field}: {why}"));
    let fields: Vec<String> = fields.collect();
    conditions.push(if fields.is_empty() {
        said.condition(IN_FORCE, ("True", IN_FORCE, "every field has its effect"))
    } else {
        let text = fields.join("; ");
        said.condition(IN_FORCE, ("False", "FieldsNotInForce", &text))
    });
    conditions
}

fn refused(said: &Said<'_>, finding: &Finding) -> Condition {
    let Finding { field, reason, .. } = finding;
    let text = format!("{field}: {reason}");
    said.condition(READY, ("False", "Invalid", &text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::object::ObjectId;

    fn observed(status: &Value) -> Observed {
        let object = json!({
            "apiVersion": "http.keda.sh/v1alpha1",
            "kind": "HTTPScaledObject",
            "metadata": {"name": "web", "namespace": "shop", "uid": "1", "resourceVersion": "7", "generation": 3},
            "spec": {"scaleTargetRef": {
                "name": "web", "kind": "Deployment", "apiVersion": "apps/v1", "service": "web", "port": 80,
            }},
            "status": status,
        });
        Observed::new(serde_json::from_value(object).unwrap()).unwrap()
    }

    fn verdict(ready: Option<Result<(), Refusal>>, not_in_force: &[&str]) -> AddOnVerdict {
        let pairs = not_in_force.iter();
        let pairs = pairs.map(|field| ((*field).to_owned(), "why".to_owned()));
        AddOnVerdict {
            generation: 3,
            ready,
            not_in_force: pairs.collect(),
            origins: Vec::new(),
        }
    }

    fn after(status: &Value, verdict: &AddOnVerdict, applied: Applied, at: i64) -> Option<Value> {
        let at = Timestamp::from_second(at).unwrap();
        next(&observed(status), &Outlook::Said { verdict, applied }, at)
    }

    /// Type, status, reason and message of each condition.
    fn shown(status: &Value) -> BTreeMap<String, String> {
        let conditions = status["conditions"].as_array().unwrap().iter();
        let text = |condition: &Value, field: &str| condition[field].as_str().unwrap().to_owned();
        let shown = conditions.map(|it| {
            let rest = ["status", "reason", "message"].map(|field| text(it, field));
            (text(it, "type"), rest.join(" "))
        });
        shown.collect()
    }

    const WAITING: Applied = Applied::Waiting { n_behind: 1 };

    #[test]
    fn an_object_is_ready_once_all_filters_have_it_and_stays_so() {
        let ready = verdict(Some(Ok(())), &[]);
        let first = after(&json!({}), &ready, WAITING, 1).unwrap();
        assert!(
            shown(&first)["Ready"].starts_with("False Pending"),
            "{first}"
        );
        assert_eq!(first["targetWorkload"], "apps/v1/Deployment/web");
        assert_eq!(first["targetService"], "web:80");
        let second = after(&first, &ready, Applied::All, 2).unwrap();
        let text =
            "True Reconciled its Service is there, and every filter that is connected has it";
        assert_eq!(shown(&second)["Ready"], text);
        assert_eq!(after(&second, &ready, WAITING, 3), None);
    }

    #[test]
    fn what_is_not_in_force_and_what_is_wrong_is_said() {
        let missing = Refusal {
            reason: "BackendNotHeld",
            message: "spec.target: there is no Service".to_owned(),
        };
        let wrong = verdict(Some(Err(missing)), &["spec.b", "spec.a"]);
        let status = after(&json!({}), &wrong, Applied::All, 1).unwrap();
        let shown = shown(&status);
        assert_eq!(
            shown["Ready"],
            "False BackendNotHeld spec.target: there is no Service"
        );
        assert_eq!(
            shown["InForce"],
            "False FieldsNotInForce spec.a: why; spec.b: why"
        );
    }

    #[test]
    fn while_the_operator_runs_ready_is_its_word() {
        let theirs = json!({"conditions": [{
            "type": "Ready", "status": "True", "reason": "Reconciled", "message": "theirs",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }, {"type": "Ready", "status": "True", "timestamp": "of an old add-on"}]});
        let status = after(&theirs, &verdict(None, &[]), Applied::NoWorker, 1).unwrap();
        let shown = shown(&status);
        assert_eq!(shown["Ready"], "True Reconciled theirs");
        assert_eq!(shown.len(), 2);
    }

    #[test]
    fn an_object_that_cannot_be_read_says_so() {
        let id = ObjectId::new(Kind::HttpScaledObject, "shop", "web");
        let finding = Finding::new(&id, "spec.hosts", "wrong");
        let outlook = Outlook::Refused(&finding);
        let status = next(&observed(&json!({})), &outlook, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(shown(&status)["Ready"], "False Invalid spec.hosts: wrong");
    }
}
