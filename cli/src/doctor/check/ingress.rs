//! Whether the filter is where an Ingress is served. Who serves it is said by its class.

use serde_json::Value;

use super::{Context, Found};
use crate::doctor::{
    attachment::{Attachment, By},
    objects::{
        DEPLOYMENT, ENVOY_FILTER, INGRESS, INGRESS_CLASS, Object, Objects, WASM_PLUGIN, list_at,
        text_at,
    },
    rules::routes::{INGRESS_NOT_ATTACHED, INGRESS_NOT_ENVOY, INGRESS_NOT_SEEN},
};

/// The annotation that named the class before the field did.
const CLASS: &str = "kubernetes.io/ingress.class";

/// Marks the class of what names none.
const IS_DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";

/// Istio's controller, and the class that it serves without an IngressClass too.
const ISTIO: (&str, &str) = ("istio.io/ingress-controller", "istio");

/// Controllers that are known to run something else than Envoy.
const NOT_ENVOY: [&str; 7] = [
    "k8s.io/ingress-nginx",
    "nginx.org/ingress-controller",
    "traefik.io/ingress-controller",
    "haproxy.org/ingress-controller",
    "haproxy-ingress.github.io/controller",
    "ingress.k8s.aws/alb",
    "ingress-controllers.konghq.com/kong",
];

/// Who serves a class.
enum Server<'a> {
    Istio,
    NotEnvoy(&'a str),
    /// An Envoy, or not: nobody here knows.
    Other(String),
}

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    let ingresses = context.routes.iter().map(|it| it.object);
    for ingress in ingresses.filter(|it| it.id.kind == INGRESS.kind) {
        let class = class(context.objects, ingress);
        let shown = class.unwrap_or("that it does not name");
        let (rule, facts) = match server(context.objects, class) {
            Server::NotEnvoy(controller) => (
                &INGRESS_NOT_ENVOY,
                vec![("controller", controller.to_owned())],
            ),
            Server::Istio => match not_at_istio(context, ingress, class) {
                Some(how) => (&INGRESS_NOT_ATTACHED, vec![("how", how)]),
                None => continue,
            },
            // Files need not have the class.
            Server::Other(_) if !context.objects.is_cluster() => continue,
            Server::Other(why) => (&INGRESS_NOT_SEEN, vec![("why", why)]),
        };
        let mut facts: Vec<_> = facts.iter().map(|(name, fact)| (*name, &**fact)).collect();
        facts.push(("class", shown));
        found.say(&ingress.id, rule.at("spec.ingressClassName", &facts));
    }
}

/// The class that it names, or else the one of those that name none.
fn class<'a>(objects: &'a Objects, ingress: &'a Object) -> Option<&'a str> {
    let of_cluster = || {
        let mut classes = objects.all(INGRESS_CLASS).iter();
        classes
            .find(|it| annotation(it, IS_DEFAULT) == Some("true"))
            .map(|it| &*it.id.name)
    };
    named(ingress).or_else(of_cluster)
}

/// The class that it names itself: the control plane knows no other.
fn named(ingress: &Object) -> Option<&str> {
    let field = ingress.text("/spec/ingressClassName");
    field.or_else(|| annotation(ingress, CLASS))
}

fn annotation<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.at("/metadata/annotations")?.get(key)?.as_str()
}

fn server<'a>(objects: &'a Objects, class: Option<&str>) -> Server<'a> {
    let Some(class) = class else {
        return Server::Other("no IngressClass is the default one".to_owned());
    };
    let object = objects.get(INGRESS_CLASS, "", class);
    match object.and_then(|it| it.text("/spec/controller")) {
        Some(name) if name == ISTIO.0 => Server::Istio,
        Some(name) if NOT_ENVOY.contains(&name) => Server::NotEnvoy(name),
        Some(name) => Server::Other(format!("{name} serves it, of which nothing is known here")),
        None if class == ISTIO.1 => Server::Istio,
        None => Server::Other("there is no IngressClass of that name".to_owned()),
    }
}

/// The attachments for pods of Istio's ingress gateways. One by targets is for Gateways of the Gateway API, whose pods serve
/// neither Ingresses nor VirtualServices.
pub(super) fn at_ingress_gateways<'a>(
    context: &'a Context<'_>,
) -> impl Iterator<Item = &'a Attachment<'a>> {
    context.attachments.iter().filter(|it| {
        it.by != By::ExtensionPolicy && it.target_refs().is_empty() && reaches(context.objects, it)
    })
}

/// Whether all attachments by Istio are here.
pub(super) fn sees_attachments(objects: &Objects) -> bool {
    objects.is_whole() && objects.lists(WASM_PLUGIN) && objects.lists(ENVOY_FILTER)
}

/// What to do where no attachment is for Istio's ingress gateway and this class.
fn not_at_istio(context: &Context<'_>, ingress: &Object, class: Option<&str>) -> Option<String> {
    let mut here = at_ingress_gateways(context);
    let objects = context.objects;
    match here.next() {
        None => {
            let is_seen = sees_attachments(objects);
            // Files that have the class have what belongs to it.
            let is_file = !objects.is_cluster()
                && class.is_some_and(|it| objects.get(INGRESS_CLASS, "", it).is_some());
            let how =
                "attach it to the gateway's pods by their labels: a WasmPlugin in their namespace";
            (is_seen || is_file).then(|| how.to_owned())
        }
        Some(first) => {
            let is_for = |it: &Attachment<'_>| is_for(it, ingress);
            if is_for(first) || here.any(is_for) {
                return None;
            }
            Some(format!(
                "leave `scope` out of the filter's configuration in {}, or say there `ingress_class: {}`",
                first.object.id,
                class.unwrap_or_default()
            ))
        }
    }
}

/// Whether it may be in the pods of Istio's ingress gateway. Which these are its owner says in the mesh's settings,
/// and by default a label; without labels it is for all pods of the namespace.
fn reaches(objects: &Objects, attachment: &Attachment<'_>) -> bool {
    let Some(labels) = attachment.selector() else {
        return true;
    };
    // Labels that only pods of a Gateway have, which Istio runs for the Gateway API.
    let is_of_gateway = labels
        .keys()
        .any(|it| it.starts_with("gateway.networking.k8s.io/"));
    let mut deployments = objects.all(DEPLOYMENT).iter();
    let has_pods = deployments.any(|it| {
        let pod = it.at("/spec/template/metadata/labels");
        labels
            .iter()
            .all(|(key, value)| pod.and_then(|it| it.get(key)) == Some(value))
    });
    !is_of_gateway && (has_pods || !objects.lists(DEPLOYMENT) || !objects.is_whole())
}

/// As the control plane chooses what it sends to a filter that says a scope.
fn is_for(attachment: &Attachment<'_>, ingress: &Object) -> bool {
    let Some(scope) = attachment
        .config
        .as_ref()
        .and_then(|it| it.pointer("/scope"))
    else {
        return true;
    };
    let text = |field| text_at(scope, field).filter(|it| !it.is_empty());
    let namespaces = list_at(scope, "/namespaces");
    let is_near = namespaces.is_empty()
        || namespaces
            .iter()
            .filter_map(Value::as_str)
            .any(|it| it == ingress.id.namespace);
    is_near
        && match text("/ingress_class") {
            Some(said) => named(ingress) == Some(said),
            None => text("/gateway").is_none(),
        }
}
