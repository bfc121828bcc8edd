//! A value of YAML or JSON -> the object that it is.

use std::sync::LazyLock;

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Service},
    networking::v1::Ingress,
};
use kube::CustomResourceExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wakegate_api::{
    KnownFields,
    http_add_on::{
        HttpScaledObject, InterceptorRoute, RESPONSE_BODY_LABEL, YES, http_scaled_object_crd,
    },
};

use super::{
    AddOn, Id, Kind, Objects, Part, Unreadable, ingress, other_route, route, scaled_object,
};

/// The fields that each of the add-on's kinds has.
static INTERCEPTOR_ROUTE: LazyLock<KnownFields> =
    LazyLock::new(|| KnownFields::of(&InterceptorRoute::crd()));
static HTTP_SCALED_OBJECT: LazyLock<KnownFields> =
    LazyLock::new(|| KnownFields::of(&http_scaled_object_crd()));

/// Variables that one part of the add-on alone has, whatever its installation calls its Deployment.
const PARTS: [(&str, Part); 5] = [
    ("KEDA_HTTP_PROXY_PORT", Part::Interceptor),
    ("KEDA_HTTP_SCALER_TARGET_ADMIN_SERVICE", Part::Scaler),
    ("KEDA_HTTP_SCALER_TARGET_ADMIN_PORT", Part::Scaler),
    ("KEDA_HTTP_OPERATOR_EXTERNAL_SCALER_SERVICE", Part::Operator),
    ("KEDAHTTP_OPERATOR_EXTERNAL_SCALER_SERVICE", Part::Operator),
];

/// How the add-on's manifests and its chart call them, with what comes before.
const NAMES: [(&str, Part); 3] = [
    ("add-ons-http-operator", Part::Operator),
    ("add-ons-http-interceptor", Part::Interceptor),
    ("add-ons-http-external-scaler", Part::Scaler),
];

impl Objects {
    /// Takes in an object. What is of no kind that matters is passed over.
    pub fn add(&mut self, value: Value, file: Option<&str>) {
        let Some((id, version)) = identity(&value, file) else {
            return;
        };
        let known = id.kind.resource().versions;
        let added = if known.contains(&version.as_str()) {
            self.add_object(&id, value)
        } else {
            let newest = known.first().copied().unwrap_or_default();
            let newest = id.kind.resource().api_version(newest);
            let version = id.kind.resource().api_version(&version);
            let reason = format!("{version} is not read; {newest} is");
            Err(("apiVersion".to_owned(), reason))
        };
        if let Err((field, reason)) = added {
            self.unreadable.push(Unreadable { id, field, reason });
        }
    }

    fn add_object(&mut self, id: &Id, value: Value) -> Result<(), (String, String)> {
        let place = (id.namespace.clone(), id.name.clone());
        match id.kind {
            Kind::InterceptorRoute | Kind::HttpScaledObject => match add_on(id, &value)? {
                Ok(add_on) => {
                    self.by_name.insert((id.kind, place), self.add_ons.len());
                    self.add_ons.push(add_on);
                }
                Err(unreadable) => self.unreadable.push(unreadable),
            },
            Kind::ScaledObject => {
                let object = field_by_field(value)?;
                self.scaled.push(scaled_object::read(id, object));
            }
            Kind::HttpRoute | Kind::GrpcRoute => {
                let object = field_by_field(value)?;
                self.routes.push(route::of_gateway(id, object));
            }
            Kind::Ingress => {
                let object: Ingress = field_by_field(value)?;
                self.routes.push(ingress::of_ingress(id, object));
            }
            Kind::VirtualService | Kind::HttpProxy => {
                self.other_routes.push(other_route::read(id, &value));
            }
            Kind::ReferenceGrant => {
                let object = field_by_field(value)?;
                self.grants.push(route::grant(id, object));
            }
            Kind::Service => {
                let object: Service = field_by_field(value)?;
                self.services.insert(place, (id.clone(), object));
            }
            Kind::ConfigMap => {
                let label = value.pointer("/metadata/labels");
                let label = label.and_then(|labels| labels.get(RESPONSE_BODY_LABEL));
                let is_body = label.and_then(Value::as_str) == Some(YES);
                let object: Option<ConfigMap> =
                    is_body.then(|| field_by_field(value)).transpose()?;
                self.config_maps.insert(place, object);
            }
            Kind::Deployment => {
                // Nearly all others are of no interest, and large.
                if let Some(part) = part(&value) {
                    let object: Deployment = field_by_field(value)?;
                    self.parts.push((part, id.clone(), object));
                }
            }
        }
        Ok(())
    }
}

fn identity(value: &Value, file: Option<&str>) -> Option<(Id, String)> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let (api_version, kind) = (text("/apiVersion")?, text("/kind")?);
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let mut kinds = Kind::ALL.into_iter();
    let kind = kinds.find(|it| it.as_str() == kind && it.group() == group)?;
    let id = Id {
        kind,
        namespace: text("/metadata/namespace").unwrap_or("default").to_owned(),
        name: text("/metadata/name").unwrap_or("?").to_owned(),
        file: file.map(str::to_owned),
    };
    Some((id, version.to_owned()))
}

fn add_on(id: &Id, value: &Value) -> Result<Result<AddOn, Unreadable>, (String, String)> {
    let (metadata, reading, known) = if id.kind == Kind::InterceptorRoute {
        let InterceptorRoute { metadata, spec, .. } = field_by_field(value.clone())?;
        (metadata, spec.read(), &INTERCEPTOR_ROUTE)
    } else {
        let HttpScaledObject { metadata, spec, .. } = field_by_field(value.clone())?;
        (metadata, spec.read(), &HTTP_SCALED_OBJECT)
    };
    let reading = match reading {
        Ok(reading) => reading,
        Err(error) => return Ok(Err(Unreadable::of(id, error))),
    };
    Ok(Ok(AddOn {
        id: id.clone(),
        metadata,
        reading,
        written_hosts: written_hosts(value),
        fields: fields(value),
        unknown: known.unknown_in(value),
        window: value
            .pointer("/spec/scalingMetric/requestRate/window")
            .and_then(Value::as_str)
            .map(str::to_owned),
    }))
}

/// Each host with its field.
fn written_hosts(value: &Value) -> Vec<(String, String)> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let mut all = Vec::new();
    let mut add = |field: &str, hosts: Vec<Value>| {
        for (at, host) in hosts.iter().enumerate() {
            let host = host.as_str().unwrap_or_default().to_owned();
            all.push((format!("{field}[{at}]"), host));
        }
    };
    add("spec.hosts", list(value.pointer("/spec/hosts")));
    for (at, rule) in list(value.pointer("/spec/rules")).iter().enumerate() {
        add(&format!("spec.rules[{at}].hosts"), list(rule.get("hosts")));
    }
    all
}

/// What an object says, as deep as one says things of it.
fn fields(value: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for (name, value) in value
        .get("spec")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        match value {
            Value::Object(inner) if name != "target" && name != "scaleTargetRef" => {
                all.extend(inner.keys().map(|inner| format!("spec.{name}.{inner}")));
            }
            Value::Null => {}
            Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => all.push(format!("spec.{name}")),
        }
    }
    // Whether other crates have serde_json keep the order of insertion or not.
    all.sort();
    all
}

fn part(deployment: &Value) -> Option<Part> {
    part_by_env(deployment).or_else(|| {
        let name = deployment.pointer("/metadata/name")?.as_str()?;
        let mut names = NAMES.iter();
        names
            .find(|(end, _)| name.ends_with(end))
            .map(|(_, part)| *part)
    })
}

fn part_by_env(deployment: &Value) -> Option<Part> {
    let containers = deployment.pointer("/spec/template/spec/containers");
    let containers = containers.and_then(Value::as_array)?;
    let envs = containers.iter().filter_map(|it| it.get("env")?.as_array());
    let names = envs.flatten().filter_map(|env| env.get("name")?.as_str());
    let mut parts = names.filter_map(|name| {
        let mut parts = PARTS.iter();
        parts.find(|(env, _)| *env == name).map(|(_, part)| *part)
    });
    parts.next()
}

fn field_by_field<T: DeserializeOwned>(value: Value) -> Result<T, (String, String)> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { String::new() } else { path };
        (field, error.inner().to_string())
    })
}
