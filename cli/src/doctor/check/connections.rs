//! Time-outs of Istio's gateways that go on while a request is held, wherever they are said: for the whole mesh, for the
//! pods of a gateway, or by an EnvoyFilter.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Context, Found, duration, istio::workloads, shown};
use crate::doctor::{
    attachment::{Attachment, By},
    objects::{CONFIG_MAP, ENVOY_FILTER, Id, MESH, Object, text_at},
    rules::istio::CONNECTION_SETTINGS,
};

/// Where a pod says what its proxy is told.
const PROXY_CONFIG: &str = "proxy.istio.io/config";

/// Settings of connections that end a request, and what the profile EDGE makes of those that are not said.
const SETTINGS: [(&str, Option<Duration>); 3] = [
    ("httpStreamIdleTimeout", Some(Duration::from_mins(5))),
    ("httpRequestTimeout", Some(Duration::from_mins(5))),
    ("httpMaxStreamDuration", None),
];

/// The same as Envoy has them, in a patch of its connection manager.
const OF_ENVOY: [&str; 6] = [
    "/stream_idle_timeout",
    "/streamIdleTimeout",
    "/request_timeout",
    "/requestTimeout",
    "/common_http_protocol_options/max_stream_duration",
    "/commonHttpProtocolOptions/maxStreamDuration",
];

/// What says settings: a place, and what is there.
struct Source<'a> {
    id: &'a Id,
    field: String,
    settings: Value,
}

/// One time-out.
struct TimeOut<'a> {
    id: &'a Id,
    field: &'a str,
    setting: &'a str,
    after: Duration,
}

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    let of_mesh = of_mesh(context);
    let by_istio = |it: &&Attachment<'_>| it.by != By::ExtensionPolicy;
    for attachment in context.attachments.iter().filter(by_istio) {
        let gateways = workloads(context.objects, attachment);
        if gateways.is_empty() {
            settings(context, &of_mesh.iter().collect::<Vec<_>>(), found);
        }
        for gateway in &gateways {
            let own = of_pods(gateway);
            let sources: Vec<_> = own.iter().chain(&of_mesh).collect();
            settings(context, &sources, found);
        }
        for filter in context.objects.all(ENVOY_FILTER) {
            if is_for(filter, attachment, &gateways) {
                patches(context, filter, found);
            }
        }
    }
}

/// What is said for all proxies.
fn of_mesh<'a>(context: &Context<'a>) -> Option<Source<'a>> {
    let (namespace, name) = MESH;
    let config = context.objects.get(CONFIG_MAP, namespace, name)?;
    let mesh: Value = serde_saphyr::from_str(config.text("/data/mesh")?).ok()?;
    Some(Source {
        id: &config.id,
        field: "data.mesh".to_owned(),
        settings: mesh.pointer("/defaultConfig/connectionSettings")?.clone(),
    })
}

/// What is said for the pods of a Deployment, which goes before.
fn of_pods(gateway: &Object) -> Option<Source<'_>> {
    let annotations = gateway.at("/spec/template/metadata/annotations")?;
    let text = annotations.get(PROXY_CONFIG)?.as_str()?;
    let config: Value = serde_saphyr::from_str(text).ok()?;
    Some(Source {
        id: &gateway.id,
        field: format!("spec.template.metadata.annotations[{PROXY_CONFIG}]"),
        settings: config.pointer("/connectionSettings")?.clone(),
    })
}

/// Each setting is said by the first that says it.
fn settings(context: &Context<'_>, sources: &[&Source<'_>], found: &mut Found) {
    let first = |name: &str| {
        let mut said = sources
            .iter()
            .filter_map(|it| Some((*it, it.settings.get(name)?.as_str()?)));
        said.next()
    };
    let profile = first("profile").filter(|(_, profile)| *profile == "EDGE");
    for (setting, of_edge) in SETTINGS {
        let timeout = match (first(setting), profile, of_edge) {
            (Some((source, said)), ..) => duration(said).map(|it| (source, it)),
            (None, Some((source, _)), Some(of_edge)) => Some((source, of_edge)),
            (None, ..) => None,
        };
        if let Some((source, after)) = timeout {
            let timeout = TimeOut {
                id: source.id,
                field: &source.field,
                setting,
                after,
            };
            say(context, &timeout, found);
        }
    }
}

/// Whether an EnvoyFilter is for the Envoys that an attachment is for.
fn is_for(filter: &Object, attachment: &Attachment<'_>, gateways: &[&Object]) -> bool {
    let (own, other) = (&filter.id.namespace, &attachment.object.id.namespace);
    if own != other && own != MESH.0 {
        return false;
    }
    let labels = filter.at("/spec/workloadSelector/labels");
    let Some(labels) = labels.and_then(Value::as_object) else {
        // By targets it is for what they name, and not for all.
        return filter.list("/spec/targetRefs").is_empty();
    };
    let has = |pod: Option<&Map<String, Value>>| {
        pod.is_some_and(|pod| {
            labels
                .iter()
                .all(|(key, value)| pod.get(key) == Some(value))
        })
    };
    let mut pods = gateways.iter().map(|it| {
        let labels = it.at("/spec/template/metadata/labels");
        labels.and_then(Value::as_object)
    });
    has(attachment.selector()) || pods.any(has)
}

fn patches(context: &Context<'_>, filter: &Object, found: &mut Found) {
    for (at, patch) in filter.list("/spec/configPatches").iter().enumerate() {
        let is_manager = text_at(patch, "/applyTo") == Some("NETWORK_FILTER");
        let is_gateway =
            text_at(patch, "/match/context").is_none_or(|it| it == "ANY" || it == "GATEWAY");
        let config = patch.pointer("/patch/value/typed_config");
        let config = config.or_else(|| patch.pointer("/patch/value/typedConfig"));
        let Some(config) = config.filter(|_| is_manager && is_gateway) else {
            continue;
        };
        for pointer in OF_ENVOY {
            let said = text_at(config, pointer).and_then(duration);
            if let (Some(after), Some((_, setting))) = (said, pointer.rsplit_once('/')) {
                let timeout = TimeOut {
                    id: &filter.id,
                    field: &format!("spec.configPatches[{at}].patch.value"),
                    setting,
                    after,
                };
                say(context, &timeout, found);
            }
        }
    }
}

fn say(context: &Context<'_>, timeout: &TimeOut<'_>, found: &mut Found) {
    let TimeOut {
        id,
        field,
        setting,
        after,
    } = *timeout;
    // Zero is none.
    if after.is_zero() {
        return;
    }
    for route in context.routes.iter().filter(|it| after <= it.hold) {
        let facts = [
            ("setting", setting),
            ("value", &*shown(after)),
            ("route", &*route.object.id.to_string()),
            ("hold", &*shown(route.hold)),
        ];
        found.say(id, CONNECTION_SETTINGS.at(field, &facts));
    }
}
