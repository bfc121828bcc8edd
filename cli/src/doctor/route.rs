//! The routes that are Wakegate's, with the Gateways that they are at and the longest that their requests are held.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use wakegate_api::{GoDuration, Settings, annotations::PREFIX, parse_duration};

use super::{
    objects::{
        GATEWAY, GRPC_ROUTE, HTTP_ROUTE, HTTP_SCALED_OBJECT, INGRESS, INTERCEPTOR_ROUTE,
        LISTENER_SET, Object, Objects, SERVICE, VIRTUAL_SERVICE, WAKE_POLICY, list_at, text_at,
    },
    policy::Scope,
};
use crate::source::Resource;

/// How long a request is held where nothing is said.
pub(crate) const HOLD: Duration = Duration::from_mins(1);

/// One of them.
#[derive(Debug)]
pub(crate) struct Route<'a> {
    pub(crate) object: &'a Object,
    pub(crate) parents: Vec<Parent<'a>>,
    /// Namespaces and names of the Services that it leads to, whether they were read or not.
    pub(crate) services: BTreeSet<(String, String)>,
    /// The longest that one of its requests is held.
    pub(crate) hold: Duration,
    /// Where that is said, as a field of the route.
    pub(crate) hold_field: String,
}

/// A Gateway that a route names, or whose ListenerSet it names.
#[derive(Debug)]
pub(crate) struct Parent<'a> {
    /// What would be here if it was not read: the ListenerSet, or the Gateway.
    pub(crate) resource: Resource,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    /// By which the Gateway is named.
    pub(crate) set: Option<&'a Object>,
    /// `None`: all of its listeners, or none of its own.
    pub(crate) listener: Option<&'a str>,
    /// `None` where it was not read.
    pub(crate) gateway: Option<&'a Object>,
}

/// All of them: by an annotation of their own or of a Service that they lead to, by a WakePolicy, or by an object of the
/// KEDA HTTP add-on for their Service.
pub(crate) fn routes(objects: &Objects) -> Vec<Route<'_>> {
    let kinds = [HTTP_ROUTE, GRPC_ROUTE, INGRESS, VIRTUAL_SERVICE];
    let all = kinds.into_iter().flat_map(|kind| objects.all(kind));
    all.filter_map(|object| Route::of(objects, object))
        .collect()
}

/// What the annotations of an object say.
pub(crate) fn settings(object: &Object) -> Settings {
    Settings::parse(object.annotations()).0
}

impl<'a> Route<'a> {
    fn of(objects: &'a Objects, object: &'a Object) -> Option<Self> {
        let places = services(object);
        let services: Vec<_> = places
            .iter()
            .filter_map(|(namespace, name)| objects.get(SERVICE, namespace, name))
            .collect();
        let policies: Vec<_> = objects
            .all(WAKE_POLICY)
            .iter()
            .filter(|policy| {
                targets(policy, object) || services.iter().any(|it| targets(policy, it))
            })
            .collect();
        let own = settings(object);
        let of_services: Vec<_> = services.iter().map(|it| settings(it)).collect();
        let is_annotated = match own.scale_to_zero {
            Some(is_ours) => is_ours,
            None => of_services.iter().any(|it| it.scale_to_zero == Some(true)),
        };
        let add_ons = add_ons(objects, &services);
        if !is_annotated && policies.is_empty() && add_ons.is_empty() {
            return None;
        }
        let of_policies = policies
            .iter()
            .filter_map(|it| parse_duration(it.text("/spec/hold/timeout")?))
            .max();
        let of_services = of_services.iter().filter_map(|it| it.hold_timeout).max();
        let of_add_ons = add_ons.iter().filter_map(|it| add_on_hold(it)).max();
        let hold = of_policies.or(own.hold_timeout).or(of_services);
        let hold = hold.or(of_add_ons);
        let is_own = of_policies.is_none() && own.hold_timeout.is_some();
        let field = format!("metadata.annotations[{PREFIX}hold-timeout]");
        Some(Self {
            object,
            parents: parents(objects, object),
            services: places,
            hold: hold.unwrap_or(HOLD),
            hold_field: if is_own { field } else { String::new() },
        })
    }

    /// Each of its rules that leads to a Service, at each listener of a Gateway.
    pub(crate) fn scopes(&self, parent: &Parent<'a>) -> Vec<Scope<'a>> {
        let Some(gateway) = parent.gateway else {
            return Vec::new();
        };
        let of_gateway = gateway.list("/spec/listeners").iter();
        let listeners: Vec<_> = match parent.listener {
            listener @ Some(_) => vec![listener],
            // What is said of one of the Gateway's own listeners is not said of these.
            None if parent.set.is_some() => vec![None],
            None => of_gateway.map(|it| text_at(it, "/name")).collect(),
        };
        let rules = self.object.list("/spec/rules").iter();
        let rules = rules.filter(|rule| !list_at(rule, "/backendRefs").is_empty());
        let rules: BTreeSet<_> = rules.map(|rule| text_at(rule, "/name")).collect();
        let each = |rule| {
            listeners.iter().map(move |listener| Scope {
                route: self.object,
                rule,
                gateway,
                listener: *listener,
            })
        };
        rules.into_iter().flat_map(each).collect()
    }
}

fn parents<'a>(objects: &'a Objects, route: &'a Object) -> Vec<Parent<'a>> {
    let refs = route.list("/spec/parentRefs").iter();
    let parents = refs.filter_map(|it| {
        let kind = text_at(it, "/kind").unwrap_or(GATEWAY.kind);
        let namespace = text_at(it, "/namespace").unwrap_or(&route.id.namespace);
        let (name, listener) = (text_at(it, "/name")?, text_at(it, "/sectionName"));
        if kind == LISTENER_SET.kind {
            return Parent::by_set(objects, namespace, name);
        }
        (kind == GATEWAY.kind).then(|| Parent::of(objects, namespace, name, listener))
    });
    parents.collect()
}

impl<'a> Parent<'a> {
    fn of(
        objects: &'a Objects,
        namespace: &'a str,
        name: &'a str,
        listener: Option<&'a str>,
    ) -> Self {
        Self {
            resource: GATEWAY,
            namespace,
            name,
            set: None,
            listener,
            gateway: objects.get(GATEWAY, namespace, name),
        }
    }

    /// The Gateway that a ListenerSet adds listeners to.
    fn by_set(objects: &'a Objects, namespace: &'a str, name: &'a str) -> Option<Self> {
        let Some(set) = objects.get(LISTENER_SET, namespace, name) else {
            return Some(Self {
                resource: LISTENER_SET,
                gateway: None,
                ..Self::of(objects, namespace, name, None)
            });
        };
        let namespace = set.text("/spec/parentRef/namespace").unwrap_or(namespace);
        let name = set.text("/spec/parentRef/name")?;
        Some(Self {
            set: Some(set),
            ..Self::of(objects, namespace, name, None)
        })
    }
}

/// The Services that a route or an Ingress leads to.
fn services(route: &Object) -> BTreeSet<(String, String)> {
    let mut services = BTreeSet::new();
    for rule in route.list("/spec/rules") {
        for backend in list_at(rule, "/backendRefs") {
            let is_service = text_at(backend, "/kind").is_none_or(|kind| kind == SERVICE.kind);
            let namespace = text_at(backend, "/namespace").unwrap_or(&route.id.namespace);
            if let (true, Some(name)) = (is_service, text_at(backend, "/name")) {
                services.insert((namespace.to_owned(), name.to_owned()));
            }
        }
        let paths = list_at(rule, "/http/paths").iter();
        let backends = paths.filter_map(|path| path.pointer("/backend"));
        services.extend(backends.filter_map(|it| of_ingress(route, it)));
    }
    for rule in route.list("/spec/http") {
        let hosts = list_at(rule, "/route").iter();
        let hosts = hosts.filter_map(|it| text_at(it, "/destination/host"));
        services.extend(hosts.filter_map(|host| of_istio(route, host)));
    }
    let default = route.at("/spec/defaultBackend");
    services.extend(default.and_then(|it| of_ingress(route, it)));
    services
}

fn of_ingress(route: &Object, backend: &Value) -> Option<(String, String)> {
    let name = text_at(backend, "/service/name")?;
    Some((route.id.namespace.clone(), name.to_owned()))
}

/// A name without dots is in the route's namespace, `name.namespace.svc…` in that one; all else is outside.
fn of_istio(route: &Object, host: &str) -> Option<(String, String)> {
    let mut parts = host.split('.');
    let name = parts.next()?.to_owned();
    match (parts.next(), parts.next()) {
        (None, _) => Some((route.id.namespace.clone(), name)),
        (Some(namespace), Some("svc")) => Some((namespace.to_owned(), name)),
        (Some(_), _) => None,
    }
}

/// The objects of the KEDA HTTP add-on for one of these Services.
fn add_ons<'a>(objects: &'a Objects, services: &[&Object]) -> Vec<&'a Object> {
    let kinds = [
        (INTERCEPTOR_ROUTE, "/spec/target/service"),
        (HTTP_SCALED_OBJECT, "/spec/scaleTargetRef/service"),
    ];
    let all = kinds.into_iter().flat_map(|(kind, service)| {
        let all = objects.all(kind).iter();
        all.map(move |object| (object, object.text(service)))
    });
    let ours = all.filter(|(object, service)| {
        let mut services = services.iter().map(|it| &it.id);
        services.any(|it| it.namespace == object.id.namespace && Some(&*it.name) == *service)
    });
    ours.map(|(object, _)| object).collect()
}

/// How long one of these says that requests are held.
fn add_on_hold(object: &Object) -> Option<Duration> {
    let fields = ["/spec/timeouts/readiness", "/spec/timeouts/conditionWait"];
    let text = fields.into_iter().find_map(|it| object.text(it))?;
    GoDuration::from(text).parse().ok()
}

fn targets(policy: &Object, object: &Object) -> bool {
    let mut refs = policy.list("/spec/targetRefs").iter();
    policy.id.namespace == object.id.namespace
        && refs.any(|it| {
            text_at(it, "/kind") == Some(object.id.kind)
                && text_at(it, "/name") == Some(&*object.id.name)
        })
}
