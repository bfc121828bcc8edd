//! Whether the filter is where a route is, and what is said on the route itself.

use std::time::Duration;

use wakegate_api::Settings;

use super::{Context, Found, PARTS, name, shown};
use crate::doctor::{
    attachment::By,
    gateway::{Controller, controller},
    objects::{
        EXTENSION_POLICY, GATEWAY, GRPC_ROUTE, HTTP_ROUTE, INGRESS, SERVICE, VIRTUAL_SERVICE,
        WASM_PLUGIN,
    },
    policy::sections,
    route::{Parent, Route},
    rules::routes::{
        ANNOTATION, ATTACHED_TWICE, ATTACHMENT_NOT_SEEN, LONG_HOLD, NO_CONFIG, NO_PARENT,
        NOT_ATTACHED,
    },
};

/// The shortest idle time-out of the load balancers that many have.
const LOAD_BALANCER: Duration = Duration::from_mins(1);

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    for route in &context.routes {
        for parent in &route.parents {
            is_attached(context, route, parent, found);
        }
        if route.hold > LOAD_BALANCER {
            let facts = [("hold", &*shown(route.hold))];
            let finding = LONG_HOLD.at(&*route.hold_field, &facts);
            found.say(&route.object.id, finding);
        }
    }
    annotations(context, found);
    attached_twice(context, found);
    configurations(context, found);
}

fn is_attached(context: &Context<'_>, route: &Route<'_>, parent: &Parent<'_>, found: &mut Found) {
    let Some(gateway) = parent.gateway else {
        if context.objects.has_all(parent.resource, parent.namespace) {
            let (kind, namespace) = (parent.resource.kind, parent.namespace);
            let gateway = format!("{kind} {namespace}/{}", parent.name);
            let finding = NO_PARENT.at("spec.parentRefs", &[("gateway", &gateway)]);
            found.say(&route.object.id, finding);
        }
        return;
    };
    let mut of_route = context.attachments.iter();
    let is_own = of_route.any(|it| !sections(it.object, route.object).is_empty());
    if is_own || context.attached(gateway).next().is_some() {
        return;
    }
    let objects = context.objects;
    let namespace = &gateway.id.namespace;
    let (rule, how, is_seen) = match controller(objects, gateway, &context.attachments) {
        Controller::EnvoyGateway => (
            &NOT_ATTACHED,
            "an EnvoyExtensionPolicy in its namespace",
            objects.has_all(EXTENSION_POLICY, namespace),
        ),
        Controller::Istio => (
            &NOT_ATTACHED,
            "a WasmPlugin in its namespace",
            objects.has_all(WASM_PLUGIN, namespace) && objects.is_whole(),
        ),
        Controller::Other => (&ATTACHMENT_NOT_SEEN, "", objects.is_cluster()),
    };
    // Files that have the Gateway have what belongs to it.
    let is_file = !objects.is_cluster() && *rule == NOT_ATTACHED;
    if is_seen || is_file {
        let facts = [("gateway", &*name(gateway)), ("how", how)];
        let finding = rule.at("spec.parentRefs", &facts);
        found.say(&route.object.id, finding);
    }
}

fn annotations(context: &Context<'_>, found: &mut Found) {
    let kinds = [HTTP_ROUTE, GRPC_ROUTE, INGRESS, VIRTUAL_SERVICE, SERVICE];
    let all = kinds.into_iter().flat_map(|kind| context.objects.all(kind));
    for object in all {
        let (_, errors) = Settings::parse(object.annotations());
        for error in errors {
            let field = format!("metadata.annotations[{}]", error.key());
            let problem = error.to_string();
            found.say(&object.id, ANNOTATION.at(field, &[("problem", &problem)]));
        }
    }
}

fn attached_twice(context: &Context<'_>, found: &mut Found) {
    for gateway in context.objects.all(GATEWAY) {
        let mut attached = context.attached(gateway);
        let Some(first) = attached.next() else {
            continue;
        };
        for other in attached {
            // The parts of an EnvoyFilter belong together.
            if first.by == By::EnvoyFilter && std::ptr::eq(first.object, other.object) {
                continue;
            }
            let facts = [
                ("gateway", &*name(gateway)),
                ("other", &*first.object.id.to_string()),
            ];
            let finding = ATTACHED_TWICE.at(&*other.field, &facts);
            found.say(&other.object.id, finding);
        }
    }
}

fn configurations(context: &Context<'_>, found: &mut Found) {
    for attachment in &context.attachments {
        let parts = PARTS.into_iter();
        let missing: Vec<_> = parts
            .filter(|part| attachment.cluster(part).is_none())
            .map(|part| format!("{part}.cluster"))
            .collect();
        if !missing.is_empty() {
            let facts = [("missing", &*missing.join(" and "))];
            let finding = NO_CONFIG.at(&*attachment.field, &facts);
            found.say(&attachment.object.id, finding);
        }
    }
}
