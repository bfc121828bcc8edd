//! What Envoy Gateway's policies do to the routes that are Wakegate's.

use super::{Context, Found, name};
use crate::doctor::{
    attachment::{Attachment, By},
    gateway::{Controller, controller, envoy_proxies},
    objects::{
        BACKEND_POLICY, EXTENSION_POLICY, GATEWAY, Object, PATCH_POLICY, SECURITY_POLICY,
        condition, text_at,
    },
    policy::Scope,
    route::Route,
    rules::envoy_gateway::{
        FILTER_ORDER, NO_RETRY, NOT_ACCEPTED, PATCHES_OFF, POLICY_REPLACES, ROUTING_TYPE,
        RUNS_AFTER,
    },
};

/// Filters that come before Wasm by default, authentication or what comes before that.
const BEFORE_WASM: [&str; 11] = [
    "custom_response",
    "health_check",
    "fault",
    "cors",
    "csrf",
    "header_mutation",
    "ext_authz",
    "api_key_auth",
    "basic_auth",
    "oauth2",
    "jwt_authn",
];

const FILTERS: &str = "envoy.filters.http.";

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    for route in &context.routes {
        for scope in scopes(context, route) {
            policy_replaces(context, &scope, found);
            routing(context, &scope, found);
            runs_after(context, &scope, found);
        }
    }
    for gateway in context.objects.all(GATEWAY) {
        if context
            .attached(gateway)
            .any(|it| it.by == By::ExtensionPolicy)
        {
            filter_order(context, gateway, found);
        }
    }
    accepted(context, found);
    programmed(context, found);
}

/// The rules of a route at the Gateways of Envoy Gateway that have the filter.
pub(super) fn scopes<'a>(context: &Context<'a>, route: &Route<'a>) -> Vec<Scope<'a>> {
    let parents = route.parents.iter().filter(|parent| {
        parent.gateway.is_some_and(|gateway| {
            let controller = controller(context.objects, gateway, &context.attachments);
            controller == Controller::EnvoyGateway && context.attached(gateway).next().is_some()
        })
    });
    parents.flat_map(|parent| route.scopes(parent)).collect()
}

fn policy_replaces(context: &Context<'_>, scope: &Scope<'_>, found: &mut Found) {
    let levels = scope.policies(context.objects, EXTENSION_POLICY);
    let has_ours = |policy: &Object| {
        let mut ours = context.attachments.iter();
        ours.any(|it| std::ptr::eq(it.object, policy))
    };
    let parent = levels.listener.or(levels.gateway);
    let nearest = levels.route.or(parent);
    if nearest.is_some_and(has_ours) {
        return;
    }
    let of_gateway = levels.gateway.filter(|it| has_ours(it));
    let ours = levels.listener.filter(|it| has_ours(it)).or(of_gateway);
    let Some((ours, replacing)) = ours.zip(nearest) else {
        return;
    };
    let merges = levels
        .route
        .is_some_and(|it| it.at("/spec/mergeType").is_some());
    let has_wasm = !replacing.list("/spec/wasm").is_empty();
    let is_whole = parent.is_some_and(|it| std::ptr::eq(it, ours));
    let copy = format!(
        "take the filter's entry of spec.wasm[] of {} into it",
        ours.id
    );
    let fix = match (has_wasm, is_whole && levels.route.is_some()) {
        (true, _) | (false, false) => copy,
        (false, true) if merges => return,
        (false, true) => "set `mergeType: StrategicMerge` in it".to_owned(),
    };
    let part = match (levels.route, scope.listener) {
        (None, Some(listener)) => format!("listener {listener}"),
        _ => scope.route.id.to_string(),
    };
    let facts = [
        ("part", &*part),
        ("attachment", &*ours.id.to_string()),
        ("route", &*scope.route.id.to_string()),
        ("fix", &*fix),
    ];
    found.say(&replacing.id, POLICY_REPLACES.at("spec", &facts));
}

fn routing(context: &Context<'_>, scope: &Scope<'_>, found: &mut Found) {
    let levels = scope.policies(context.objects, BACKEND_POLICY);
    let gateway = name(scope.gateway);
    let facts = [("gateway", gateway.as_str())];
    let of_proxy = || {
        let mut proxies = envoy_proxies(context.objects, scope.gateway).into_iter();
        proxies.find_map(|it| it.text("/spec/routingType"))
    };
    let of_policy = levels.routing_type().and_then(|(_, it)| it.as_str());
    if of_policy.or_else(of_proxy) != Some("Service") {
        let finding = ROUTING_TYPE.at("spec.parentRefs", &facts);
        found.say(&scope.route.id, finding);
    }
    if levels.field("/spec/retry").is_none() {
        let finding = NO_RETRY.at("spec.parentRefs", &facts);
        found.say(&scope.route.id, finding);
    }
}

fn runs_after(context: &Context<'_>, scope: &Scope<'_>, found: &mut Found) {
    let route = scope.route.id.to_string();
    let checks = [
        (SECURITY_POLICY, "authorization", "its authorization"),
        (BACKEND_POLICY, "rateLimit", "its rate limit"),
    ];
    for (resource, field, what) in checks {
        let levels = scope.policies(context.objects, resource);
        if let Some((policy, _)) = levels.field(&format!("/spec/{field}")) {
            let facts = [("what", what), ("route", &route)];
            let finding = RUNS_AFTER.at(format!("spec.{field}"), &facts);
            found.say(&policy.id, finding);
        }
    }
}

fn filter_order(context: &Context<'_>, gateway: &Object, found: &mut Found) {
    let short = |name| {
        let name = text_at(name, "");
        name.map(|name| name.strip_prefix(FILTERS).unwrap_or(name))
    };
    for proxy in envoy_proxies(context.objects, gateway) {
        for (at, position) in proxy.list("/spec/filterOrder").iter().enumerate() {
            let field = |name: &str| position.get(name).and_then(short);
            let places = (field("name"), field("before"), field("after"));
            let ((Some("wasm"), Some(other), _) | (Some(other), _, Some("wasm"))) = places else {
                continue;
            };
            if BEFORE_WASM.contains(&other) {
                let facts = [("other", other), ("gateway", &*name(gateway))];
                let finding = FILTER_ORDER.at(format!("spec.filterOrder[{at}]"), &facts);
                found.say(&proxy.id, finding);
            }
        }
    }
}

/// What Envoy Gateway says of our own policies. Of a policy without a status nothing is said: nobody has looked at it yet.
fn accepted(context: &Context<'_>, found: &mut Found) {
    let of_policies = |it: &&Attachment<'_>| it.by == By::ExtensionPolicy;
    for attachment in context.attachments.iter().filter(of_policies) {
        let policy = attachment.object;
        for (at, ancestor) in policy.list("/status/ancestors").iter().enumerate() {
            if let Some(("False", message)) = condition(ancestor, "Accepted") {
                let facts = [
                    ("controller", "Envoy Gateway"),
                    (
                        "ancestor",
                        text_at(ancestor, "/ancestorRef/name").unwrap_or("it"),
                    ),
                    ("message", message),
                ];
                let field = format!("status.ancestors[{at}].conditions");
                found.say(&policy.id, NOT_ACCEPTED.at(field, &facts));
            }
        }
    }
}

/// The same of the policies that add the filter's clusters.
fn programmed(context: &Context<'_>, found: &mut Found) {
    for policy in context.objects.all(PATCH_POLICY) {
        let patches = policy.list("/spec/jsonPatches").iter();
        let mut names = patches.filter_map(|it| text_at(it, "/name"));
        if !names.any(|name| context.is_asked_for(name)) {
            continue;
        }
        for (at, ancestor) in policy.list("/status/ancestors").iter().enumerate() {
            let kinds = ["Accepted", "Programmed"].into_iter();
            let mut conditions = kinds.filter_map(|kind| condition(ancestor, kind));
            if let Some((_, message)) = conditions.find(|(status, _)| *status == "False") {
                let field = format!("status.ancestors[{at}].conditions");
                let finding = PATCHES_OFF.at(field, &[("message", message)]);
                found.say(&policy.id, finding);
            }
        }
    }
}
