//! What an object scales by, and the ScaledObject that belongs to it.

use wakegate_api::{
    GoDuration,
    http_add_on::{
        FINALIZER, HTTP_SCALED_OBJECT_KEY, INTERCEPTOR_ROUTE_KEY, orphans_scaled_object,
        skips_scaled_object,
    },
};

use super::is_replaced;
use crate::migrate::{
    check::Context,
    objects::{AddOn, ScaledObject},
    rules::{
        Finding,
        objects::{FINALIZER as IT_STAYS, GRANULARITY, NO_SCALED_OBJECT, SCALED_ELSEWHERE, WINDOW},
    },
};

pub(super) fn check(context: &Context<'_>, object: &AddOn) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(rate) = object.reading.metrics.request_rate {
        let field = "spec.scalingMetric.requestRate";
        let granularity = GoDuration::from(rate.granularity);
        let window = object.window.as_ref();
        let written = window.filter(|text| {
            let window = GoDuration::from(text.as_str()).parse();
            window.is_ok_and(|window| window < rate.granularity)
        });
        if let Some(window) = written {
            let facts = [
                ("window", window.as_str()),
                ("granularity", granularity.as_str()),
            ];
            findings.push(WINDOW.at(format!("{field}.window"), &facts));
        }
        if rate.granularity.as_secs() == 0 {
            let facts = [("granularity", granularity.as_str())];
            findings.push(GRANULARITY.at(format!("{field}.granularity"), &facts));
        }
    }
    if is_written_for(object) {
        findings.extend(elsewhere(context, object));
    } else if !is_replaced(context, object) && !has_trigger(context, object) {
        let facts = [("key", key(object)), ("name", object.id.name.as_str())];
        findings.push(NO_SCALED_OBJECT.at("", &facts));
    }
    let finalizers = object.metadata.finalizers.as_ref();
    if finalizers.is_some_and(|all| all.iter().any(|it| it == FINALIZER)) {
        findings.push(IT_STAYS.at("metadata.finalizers", &[]));
    }
    findings
}

/// Whether its ScaledObject is written for it, and not by a user.
pub(in crate::migrate) fn is_written_for(object: &AddOn) -> bool {
    let metadata = &object.metadata;
    !object.is_route() && !skips_scaled_object(metadata) && !orphans_scaled_object(metadata)
}

fn key(object: &AddOn) -> &'static str {
    if object.is_route() {
        INTERCEPTOR_ROUTE_KEY
    } else {
        HTTP_SCALED_OBJECT_KEY
    }
}

fn has_trigger(context: &Context<'_>, object: &AddOn) -> bool {
    let id = &object.id;
    let all = context.objects.scaled.iter();
    let mut all = all.filter(|it| it.id.namespace == id.namespace);
    all.any(|it| {
        let mut triggers = it.triggers.iter();
        triggers.any(|trigger| trigger.says(key(object)) == Some(&id.name))
    })
}

/// A ScaledObject of someone else's in the way.
fn elsewhere(context: &Context<'_>, object: &AddOn) -> Option<Finding> {
    let id = &object.id;
    let named = object.reading.scaling.as_ref()?.workload.as_ref();
    let workload = named.map(|named| format!("{}/{}", named.kind, named.name));
    let is_own = |it: &ScaledObject| it.controller() == Some(&id.name) || it.is_ours();
    let all = context.objects.scaled.iter();
    let mut all = all.filter(|it| it.id.namespace == id.namespace);
    let other = all.find(|it| {
        let is_same = it.id.name == id.name || workload.as_ref() == Some(&it.workload);
        is_same && !is_own(it)
    })?;
    let facts = [
        ("scaled-object", other.id.name.as_str()),
        ("workload", &other.workload),
    ];
    Some(SCALED_ELSEWHERE.at("", &facts))
}
