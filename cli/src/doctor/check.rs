//! Objects -> a report.

mod certificates;
mod connections;
mod destinations;
mod envoy_gateway;
mod ingress;
mod installation;
mod istio;
mod modules;
mod reach;
mod routes;
mod scaling;
mod timeouts;
mod virtual_services;

use std::{collections::BTreeMap, time::Duration};

use wakegate_api::GoDuration;

use super::{
    attachment::{Attachment, attachments},
    gateway::serves,
    objects::{Id, Object, Objects},
    report::{ObjectReport, Report},
    route::{Route, routes},
    rules::Finding,
};
use crate::source::Unread;

/// Whom the filter asks, as its configuration calls them.
const PARTS: [&str; 2] = ["control_plane", "scaler"];

/// What every check may look at.
struct Context<'a> {
    objects: &'a Objects,
    attachments: Vec<Attachment<'a>>,
    routes: Vec<Route<'a>>,
    /// In seconds since 1970.
    now: i64,
}

/// What is found: of objects, and of the cluster.
#[derive(Default)]
struct Found {
    objects: BTreeMap<Id, Vec<Finding>>,
    cluster: Vec<Finding>,
}

/// Says what is to be said.
pub(crate) fn check(objects: &Objects, unread: Vec<Unread>, now: i64) -> Report {
    let context = Context {
        objects,
        attachments: attachments(objects),
        routes: routes(objects),
        now,
    };
    let mut found = Found::default();
    routes::check(&context, &mut found);
    ingress::check(&context, &mut found);
    virtual_services::check(&context, &mut found);
    envoy_gateway::check(&context, &mut found);
    timeouts::check(&context, &mut found);
    modules::check(&context, &mut found);
    istio::check(&context, &mut found);
    connections::check(&context, &mut found);
    destinations::check(&context, &mut found);
    reach::check(&context, &mut found);
    scaling::check(&context, &mut found);
    installation::check(&context, &mut found);
    certificates::check(&context, &mut found);
    let reports = found.objects.into_iter();
    Report {
        n_read: objects.n(),
        cluster: found.cluster,
        objects: reports
            .map(|(id, findings)| ObjectReport::new(id, findings))
            .collect(),
        unread,
    }
}

impl<'a> Context<'a> {
    /// The attachments that reach any listener of a Gateway.
    fn attached(&self, gateway: &Object) -> impl Iterator<Item = &Attachment<'a>> {
        self.attachments.iter().filter(|it| serves(it, gateway))
    }

    /// Whether a filter is told to ask this cluster.
    fn is_asked_for(&self, cluster: &str) -> bool {
        let mut attachments = self.attachments.iter();
        attachments.any(|it| PARTS.iter().any(|part| it.cluster(part) == Some(cluster)))
    }
}

impl Found {
    /// Says it once, however many ways lead there.
    fn say(&mut self, id: &Id, finding: Finding) {
        let findings = self.objects.entry(id.clone()).or_default();
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
}

/// As Go writes it, and whoever reads manifests.
fn shown(duration: Duration) -> String {
    GoDuration::from(duration).to_string()
}

/// As Go reads it.
fn duration(text: &str) -> Option<Duration> {
    GoDuration::from(text).parse().ok()
}

/// A name with its namespace.
fn name(object: &Object) -> String {
    format!("{}/{}", object.id.namespace, object.id.name)
}
