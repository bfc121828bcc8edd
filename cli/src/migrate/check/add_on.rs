//! InterceptorRoute and HTTPScaledObject.

mod answers;
mod requests;
mod scaling;
mod times;

pub(in crate::migrate) use self::scaling::is_written_for;

use super::{Context, target};
use crate::migrate::{
    objects::{AddOn, Kind},
    rules::{
        Finding,
        objects::{
            FALLBACK_SERVICE, HOST_PATTERN, NOT_IN_FORCE, PENDING_OVERRULED, REPLACED,
            RESPONSE_HEADER, SESSIONS, UNKNOWN_FIELD,
        },
    },
};

pub(super) fn check(context: &Context<'_>, object: &AddOn) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unknown in &object.unknown {
        let nearest = unknown.nearest.as_ref();
        let nearest = nearest.map_or_else(String::new, |name| format!(" ({name}, it seems)"));
        findings.push(UNKNOWN_FIELD.at(&*unknown.field, &[("nearest?", &nearest)]));
    }
    findings.extend(not_in_force(object));
    if is_replaced(context, object) {
        findings.push(REPLACED.at("", &[]));
        findings.extend(scaling::check(context, object));
        return findings;
    }
    findings.extend(target::check(context, object));
    findings.extend(requests::check(context, object));
    findings.extend(times::check(&context.settings, object));
    findings.extend(answers::check(context, object));
    findings.extend(scaling::check(context, object));
    findings
}

/// Whether the InterceptorRoute of the same name has its requests.
pub(super) fn is_replaced(context: &Context<'_>, object: &AddOn) -> bool {
    let id = &object.id;
    let kind = Kind::InterceptorRoute;
    !object.is_route()
        && context
            .objects
            .add_on(kind, &id.namespace, &id.name)
            .is_some()
}

fn not_in_force(object: &AddOn) -> impl Iterator<Item = Finding> {
    object.reading.not_in_force.iter().map(|note| {
        let field = note.field.as_str();
        if field.contains(".hosts[") {
            return HOST_PATTERN.at(field, &[]);
        }
        match field {
            "spec.coldStart.fallback" | "spec.coldStartTimeoutFailoverRef" => {
                FALLBACK_SERVICE.at(field, &[])
            }
            "spec.timeouts.responseHeader" => {
                let value = times::text(object.reading.timeouts.response_header);
                RESPONSE_HEADER.at(field, &[("value", &value)])
            }
            "spec.sessionPersistence" => SESSIONS.at(field, &[]),
            "spec.targetPendingRequests" => PENDING_OVERRULED.at(field, &[]),
            // What the reading learns to say after this table was written.
            _ => NOT_IN_FORCE.at(field, &[("why", note.why)]),
        }
    })
}
