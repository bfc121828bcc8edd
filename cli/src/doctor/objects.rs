//! What was read, as it stands: objects of the kinds that matter, to be asked for by kind and place.

mod kinds;
mod listing;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;
use serde_json::Value;

pub use self::kinds::KINDS;
pub(crate) use self::kinds::*;
use crate::source::Resource;

/// Which object, and where it was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Id {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace; empty for what belongs to the cluster, `default` where a file does not say.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The file; `None` for a cluster.
    pub file: Option<String>,
}

/// An object.
#[derive(Debug)]
pub struct Object {
    pub(crate) id: Id,
    pub(crate) value: Value,
}

/// Where objects are from, and so what it means that one is not there.
#[derive(Debug)]
enum Origin {
    Files,
    /// All of a cluster, or these namespaces of it.
    Cluster(Vec<String>),
}

/// Everything that was read and matters.
#[derive(Debug)]
pub struct Objects {
    origin: Origin,
    by_kind: BTreeMap<&'static str, Vec<Object>>,
    /// Where each of them is: routes ask for their Services, and there may be thousands.
    places: BTreeMap<(&'static str, String, String), usize>,
    /// Kinds that the API server does not have.
    missing: BTreeSet<&'static str>,
    /// Kinds of which there may be more than was read.
    unread: BTreeSet<&'static str>,
    /// Secrets with a certificate that we may not look at, as `namespace/name`.
    closed: BTreeSet<String>,
}

impl Objects {
    /// Of files, which need not have everything that a cluster has.
    pub fn of_files() -> Self {
        Self::of(Origin::Files)
    }

    /// Of a whole cluster: what is not here is not there.
    pub fn of_whole_cluster() -> Self {
        Self::of(Origin::Cluster(Vec::new()))
    }

    fn of(origin: Origin) -> Self {
        Self {
            origin,
            by_kind: BTreeMap::new(),
            places: BTreeMap::new(),
            missing: BTreeSet::new(),
            unread: BTreeSet::new(),
            closed: BTreeSet::new(),
        }
    }

    /// Takes in an object. What is of no kind that matters is passed over.
    pub fn add(&mut self, value: Value, file: Option<&str>) {
        let text = |field: &str| value.pointer(field).and_then(Value::as_str);
        let api_version = text("/apiVersion").unwrap_or_default();
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let kind = text("/kind").unwrap_or_default();
        let resource = KINDS
            .iter()
            .find(|resource| resource.kind == kind && resource.group == group);
        let (Some(resource), Some(name)) = (resource, text("/metadata/name")) else {
            return;
        };
        let namespace = match text("/metadata/namespace") {
            _ if !resource.is_namespaced => "",
            None => "default",
            Some(namespace) => namespace,
        };
        let id = Id {
            kind: resource.kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            file: file.map(str::to_owned),
        };
        let objects = self.by_kind.entry(resource.kind).or_default();
        let place = (resource.kind, id.namespace.clone(), id.name.clone());
        self.places.insert(place, objects.len());
        objects.push(Object { id, value });
    }

    /// The Secrets with a certificate that may not be looked at.
    pub(crate) fn closed(&self) -> &BTreeSet<String> {
        &self.closed
    }

    /// All of a kind.
    pub(crate) fn all(&self, resource: Resource) -> &[Object] {
        self.by_kind.get(resource.kind).map_or(&[], Vec::as_slice)
    }

    /// The object of that kind and place.
    pub(crate) fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<&Object> {
        let place = (resource.kind, namespace.to_owned(), name.to_owned());
        self.all(resource).get(*self.places.get(&place)?)
    }

    /// Whether it is a cluster that was read, and not files.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.origin, Origin::Cluster(_))
    }

    /// Whether all namespaces of a cluster were read.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(&self.origin, Origin::Cluster(namespaces) if namespaces.is_empty())
    }

    /// Whether the API server was seen to be without a kind.
    pub(crate) fn lacks(&self, resource: Resource) -> bool {
        self.missing.contains(resource.kind)
    }

    /// Whether what is not here of a kind, in a namespace, is not there.
    pub(crate) fn has_all(&self, resource: Resource, namespace: &str) -> bool {
        if self.unread.contains(resource.kind) {
            return false;
        }
        match &self.origin {
            Origin::Files => false,
            Origin::Cluster(namespaces) => {
                namespaces.is_empty()
                    || !resource.is_namespaced
                    || namespaces.iter().any(|it| it == namespace)
            }
        }
    }

    /// Whether all objects of a kind, of the namespaces that are read, are here.
    pub(crate) fn lists(&self, resource: Resource) -> bool {
        !self.unread.contains(resource.kind)
    }

    /// How many objects were read.
    pub(crate) fn n(&self) -> usize {
        self.by_kind.values().map(Vec::len).sum()
    }
}

impl Object {
    /// What is at a JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer).filter(|it| !it.is_null())
    }

    /// The string at a JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> Option<&str> {
        self.at(pointer).and_then(Value::as_str)
    }

    /// The list at a JSON pointer; empty where there is none.
    pub(crate) fn list(&self, pointer: &str) -> &[Value] {
        list_at(&self.value, pointer)
    }

    /// One of its labels.
    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.at("/metadata/labels")?.get(key)?.as_str()
    }

    /// Its annotations.
    pub(crate) fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        let annotations = self.at("/metadata/annotations").and_then(Value::as_object);
        let annotations = annotations.into_iter().flatten();
        annotations.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    /// The condition of a type, with its message.
    pub(crate) fn condition(&self, kind: &str) -> Option<(&str, &str)> {
        condition(self.at("/status")?, kind)
    }
}

/// The list at a JSON pointer; empty where there is none.
pub(crate) fn list_at<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// The string at a JSON pointer.
pub(crate) fn text_at<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// The status and the message of a condition.
pub(crate) fn condition<'a>(status: &'a Value, kind: &str) -> Option<(&'a str, &'a str)> {
    let mut conditions = list_at(status, "/conditions").iter();
    let found = conditions.find(|it| text_at(it, "/type") == Some(kind))?;
    let message = text_at(found, "/message").unwrap_or_default();
    Some((text_at(found, "/status")?, message))
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            namespace,
            name,
            file: _,
        } = self;
        match namespace.as_str() {
            "" => write!(f, "{kind} {name}"),
            namespace => write!(f, "{kind} {namespace}/{name}"),
        }
    }
}
