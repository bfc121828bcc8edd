//! A document's value -> the object that it describes.

use std::sync::Arc;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        autoscaling::v2::HorizontalPodAutoscaler,
        core::v1::{ConfigMap, Namespace, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use wakegate_api::{
    UnknownField, WakePolicy,
    http_add_on::{
        HttpScaledObject, InterceptorRoute, RESPONSE_BODY_LABEL, ReadError, Reading, YES,
    },
    wake_policy::Rules,
};

use super::{Content, DocumentError, unknown};
use crate::object::{
    AddOnObject, AutoscalerObject, ConfigMapObject, Kind, NamespaceObject, Object, ObjectId,
    WakePolicyObject, WorkloadObject,
};

/// What a document says of itself before its fields are looked at.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) id: Option<ObjectId>,
}

/// The items of a `List`, else the value alone.
pub(super) fn items(mut value: Value) -> Vec<Value> {
    let is_list = value
        .get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind == "List");
    match value.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) if is_list => items,
        _ => vec![value],
    }
}

pub(super) fn object(
    mut value: Value,
    unknown: &mut Vec<UnknownField>,
) -> Result<Content, DocumentError> {
    let mut described = Described::default();
    if !value.is_object() {
        let reason = format!(
            "expected an object with apiVersion and kind, found {}",
            type_of(&value)
        );
        return Err(DocumentError::of(&described, "", reason));
    }
    let kind_name = required(&value, "/kind", &described)?.to_owned();
    let api_version = required(&value, "/apiVersion", &described)?.to_owned();
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let mut kinds = Kind::ALL.into_iter();
    let kind = kinds.find(|kind| is_same(*kind, group, &kind_name));
    let is_read = |kind: &Kind| *kind != Kind::ConfigMap || is_response_body(&value);
    let Some(kind) = kind.filter(is_read) else {
        return Ok(Content::Ignored(format!("{api_version} {kind_name}")));
    };
    let id = identity(kind, &value, &described)?;
    described.id = Some(id.clone());
    let older = kind.older_api_version();
    if api_version != kind.api_version() && older.is_none_or(|older| older != api_version) {
        let reason = format!("{api_version:?} is not read; {} is", kind.api_version());
        return Err(DocumentError::of(&described, "apiVersion", reason));
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut)
        && !kind.is_of_cluster()
    {
        metadata.insert("namespace".to_owned(), Value::from(&*id.namespace));
    }
    *unknown = unknown::fields(kind, &value);
    let object = typed(kind, value)
        .map_err(|(field, reason)| DocumentError::of(&described, &field, reason))?;
    Ok(Content::Object(id, Box::new(object)))
}

/// Of ConfigMaps those alone are read that say by a label that they are bodies of answers.
fn is_response_body(value: &Value) -> bool {
    let labels = value.pointer("/metadata/labels");
    let label = labels.and_then(|labels| labels.get(RESPONSE_BODY_LABEL));
    label.and_then(Value::as_str) == Some(YES)
}

/// An older or newer version of a kind is that kind, so that it is refused and not passed over.
fn is_same(kind: Kind, group: &str, name: &str) -> bool {
    let own = kind
        .api_version()
        .rsplit_once('/')
        .map_or("", |(group, _)| group);
    kind.as_str() == name && (own == group || group == "extensions")
}

fn identity(kind: Kind, value: &Value, described: &Described) -> Result<ObjectId, DocumentError> {
    let name = required(value, "/metadata/name", described)?;
    let namespace = match value.pointer("/metadata/namespace") {
        _ if kind.is_of_cluster() => "",
        None | Some(Value::Null) => "default",
        Some(_) => required(value, "/metadata/namespace", described)?,
    };
    for (field, text) in [("metadata.name", name), ("metadata.namespace", namespace)] {
        let is_none = text.is_empty() && kind.is_of_cluster();
        if !is_none && !is_dns_name(text) {
            let reason = format!("{text:?} is no name: lower-case letters, digits, - and . are");
            return Err(DocumentError::of(described, field, reason));
        }
    }
    Ok(ObjectId::new(kind, namespace, name))
}

/// Names become parts of ids, which are parted by `/`.
fn is_dns_name(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_end = |byte: Option<u8>| byte.is_some_and(is_inner);
    is_end(text.bytes().next())
        && is_end(text.bytes().last())
        && text.len() <= 253
        && text
            .bytes()
            .all(|byte| is_inner(byte) || matches!(byte, b'-' | b'.'))
}

fn required<'a>(
    value: &'a Value,
    pointer: &str,
    described: &Described,
) -> Result<&'a str, DocumentError> {
    let field = pointer.trim_start_matches('/').replace('/', ".");
    match value.pointer(pointer) {
        None | Some(Value::Null) => Err(DocumentError::of(described, &field, "missing")),
        Some(Value::String(text)) => Ok(text),
        Some(other) => {
            let reason = format!("expected a string, found {}", type_of(other));
            Err(DocumentError::of(described, &field, reason))
        }
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// Field and reason.
type Refusal = (String, String);

/// An object of that kind; else the field that is wrong, empty for the whole, and why.
pub(in crate::source) fn typed(kind: Kind, value: Value) -> Result<Object, Refusal> {
    let object = match kind {
        Kind::Service => Object::Service(field_by_field(value)?),
        Kind::EndpointSlice => Object::EndpointSlice(field_by_field(value)?),
        Kind::HttpRoute => Object::HttpRoute(field_by_field(value)?),
        Kind::GrpcRoute => Object::GrpcRoute(field_by_field(value)?),
        Kind::Gateway => Object::Gateway(field_by_field(value)?),
        Kind::GatewayClass => Object::GatewayClass(field_by_field(value)?),
        Kind::ReferenceGrant => Object::ReferenceGrant(field_by_field(value)?),
        Kind::Namespace => {
            let Namespace { metadata, .. } = field_by_field(value)?;
            Object::Namespace(Box::new(NamespaceObject { metadata }))
        }
        Kind::Ingress => Object::Ingress(field_by_field(value)?),
        Kind::ScaledObject => Object::ScaledObject(field_by_field(value)?),
        Kind::WakePolicy => {
            let WakePolicy { metadata, spec, .. } = field_by_field(value)?;
            let rules = Rules::parse(&spec).map_err(|error| (error.field, error.reason))?;
            let rules = Arc::new(rules);
            Object::WakePolicy(Box::new(WakePolicyObject { metadata, rules }))
        }
        Kind::InterceptorRoute => {
            let InterceptorRoute { metadata, spec, .. } = field_by_field(value)?;
            add_on(metadata, spec.read())?
        }
        Kind::HttpScaledObject => {
            let HttpScaledObject { metadata, spec, .. } = field_by_field(value)?;
            add_on(metadata, spec.read())?
        }
        Kind::EnvoyProxy | Kind::BackendTrafficPolicy => Object::Routing(field_by_field(value)?),
        Kind::ListenerSet => Object::ListenerSet(field_by_field(value)?),
        Kind::VirtualService => Object::VirtualService(field_by_field(value)?),
        Kind::ConfigMap => {
            let ConfigMap { metadata, data, .. } = field_by_field(value)?;
            let data = data.unwrap_or_default();
            Object::ConfigMap(Box::new(ConfigMapObject { metadata, data }))
        }
        Kind::HorizontalPodAutoscaler => {
            let autoscaler: HorizontalPodAutoscaler = field_by_field(value)?;
            let target = autoscaler.spec.scale_target_ref;
            Object::HorizontalPodAutoscaler(Box::new(AutoscalerObject {
                metadata: autoscaler.metadata,
                target_kind: target.kind,
                target_name: target.name,
            }))
        }
        Kind::Deployment => {
            let deployment: Deployment = field_by_field(value)?;
            let spec = deployment.spec.unwrap_or_default();
            workload(deployment.metadata, spec.replicas, spec.template)
        }
        Kind::StatefulSet => {
            let stateful_set: StatefulSet = field_by_field(value)?;
            let spec = stateful_set.spec.unwrap_or_default();
            workload(stateful_set.metadata, spec.replicas, spec.template)
        }
    };
    Ok(object)
}

fn add_on(metadata: ObjectMeta, reading: Result<Reading, ReadError>) -> Result<Object, Refusal> {
    let reading = reading.map_err(|error| (error.field, error.problem.to_string()))?;
    let reading = Arc::new(reading);
    Ok(Object::AddOn(Box::new(AddOnObject { metadata, reading })))
}

fn workload(metadata: ObjectMeta, replicas: Option<i32>, template: PodTemplateSpec) -> Object {
    let replicas = replicas.map_or(1, |replicas| u32::try_from(replicas).unwrap_or(0));
    let pod_labels = template
        .metadata
        .and_then(|pod| pod.labels)
        .unwrap_or_default();
    Object::Workload(Box::new(WorkloadObject {
        metadata,
        replicas,
        pod_labels,
    }))
}

fn field_by_field<T: DeserializeOwned>(value: Value) -> Result<T, Refusal> {
    // To keep track of the path takes as long as all the rest, and nearly every object is as it should be.
    if let Ok(object) = T::deserialize(&value) {
        return Ok(object);
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { String::new() } else { path };
        (field, error.inner().to_string())
    })
}
