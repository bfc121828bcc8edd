//! Objects -> a report.

mod add_on;
mod installation;
mod interceptors;
mod leftovers;
mod route;
mod scaled_object;
mod settings;
mod target;

use std::collections::BTreeMap;

pub(super) use self::{add_on::is_written_for, installation::runs, scaled_object::is_for_add_on};

use self::{interceptors::Interceptors, settings::Settings};
use super::{
    objects::{Id, Objects},
    report::{ObjectReport, Report},
    rules::{Finding, everywhere, installation::NOT_SEEN, objects::UNREADABLE},
    steps,
};
use crate::source::Unread;

/// What every check may look at.
struct Context<'a> {
    objects: &'a Objects,
    settings: Settings,
    interceptors: Interceptors,
    /// Where KEDA finds Wakegate's scaler.
    scaler: &'a str,
}

/// What is found of each object.
pub(super) type Found = BTreeMap<Id, Vec<Finding>>;

/// Says of each object what stays and what does not, and in which order the move goes.
pub(crate) fn check(objects: &Objects, scaler: &str, unread: Vec<Unread>) -> Report {
    let context = Context {
        objects,
        settings: Settings::of(objects),
        interceptors: Interceptors::of(objects),
        scaler,
    };
    let mut found = Found::new();
    for object in &objects.unreadable {
        let facts = [("reason", object.reason.as_str())];
        let finding = UNREADABLE.at(&*object.field, &facts);
        found.entry(object.id.clone()).or_default().push(finding);
    }
    for object in &objects.add_ons {
        let findings = add_on::check(&context, object);
        found.entry(object.id.clone()).or_default().extend(findings);
    }
    scaled_object::check(&context, &mut found);
    route::check(&context, &mut found);
    leftovers::check(&context, &mut found);
    installation::check(&context, &mut found);
    let everywhere = everywhere(&context);
    let steps = steps::steps(objects, &found, scaler);
    let reports = found.into_iter();
    let reports = reports.map(|(id, findings)| {
        let fields = fields(objects, &id);
        ObjectReport::new(id, findings, &fields)
    });
    Report {
        objects: reports.collect(),
        everywhere,
        steps,
        unread,
    }
}

/// What is true of all routes, where there are any.
fn everywhere(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if context.objects.has_add_on() {
        if !context.settings.is_seen && !context.objects.sees_add_on() {
            findings.push(NOT_SEEN.at("", &[]));
        }
        findings.extend(everywhere::ALL.iter().map(|rule| rule.at("", &[])));
    }
    findings
}

/// What an object says that may stay.
fn fields(objects: &Objects, id: &Id) -> Vec<String> {
    let add_on = objects.add_ons.iter().find(|it| it.id == *id);
    let scaled_object = objects.scaled.iter().find(|it| it.id == *id);
    add_on
        .map(|it| it.fields.clone())
        .or_else(|| scaled_object.map(scaled_object::fields))
        .unwrap_or_default()
}
