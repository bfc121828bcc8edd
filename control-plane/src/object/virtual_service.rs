//! What is read of Istio's `VirtualService` (`networking.istio.io/v1`, `networking/v1alpha3/virtual_service.proto` of
//! istio/api): the HTTP routes of gateways.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;

/// A `VirtualService`, trimmed to what is read of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct VirtualServiceObject {
    /// Name, namespace and annotations.
    pub metadata: ObjectMeta,
    /// What it asks for.
    pub spec: VirtualServiceSpec,
}

/// What a `VirtualService` asks for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct VirtualServiceSpec {
    /// Host names; one without a dot is a Service of its namespace, which is for the mesh alone.
    pub hosts: Vec<String>,
    /// `namespace/name`, or a name in its own namespace; none is `mesh`, which is every sidecar.
    pub gateways: Vec<String>,
    /// The first that matches has the request.
    pub http: Vec<VirtualRoute>,
}

/// Requests, and where they go.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct VirtualRoute {
    /// Any of these; none is every request.
    pub r#match: Vec<VirtualMatch>,
    /// The backends, by weight.
    pub route: Vec<Destination>,
    /// Another `VirtualService` says the rest.
    pub delegate: Option<Value>,
}

/// All of these at once.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualMatch {
    /// The path.
    pub uri: Option<StringMatch>,
    /// The method.
    pub method: Option<StringMatch>,
    /// The scheme.
    pub scheme: Option<StringMatch>,
    /// The host, port and all.
    pub authority: Option<StringMatch>,
    /// Headers; an empty match is that the header is there.
    pub headers: BTreeMap<String, StringMatch>,
    /// Headers that are not so.
    pub without_headers: BTreeMap<String, StringMatch>,
    /// Parameters of the query.
    pub query_params: BTreeMap<String, StringMatch>,
    /// Whether the case of the path does not matter.
    pub ignore_uri_case: bool,
    /// The gateways that it is for, of those of the object.
    pub gateways: Vec<String>,
    /// The port that was called.
    pub port: Option<u32>,
    /// Labels of who calls, which is for the mesh alone.
    pub source_labels: BTreeMap<String, String>,
    /// The namespace of who calls, which is for the mesh alone.
    pub source_namespace: Option<String>,
}

/// One of these, or none.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct StringMatch {
    /// The whole value.
    pub exact: Option<String>,
    /// What it begins with.
    pub prefix: Option<String>,
    /// RE2, over the whole value.
    pub regex: Option<String>,
}

/// What a [`StringMatch`] says; of several the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// The whole value.
    Exact(&'a str),
    /// What it begins with.
    Prefix(&'a str),
    /// A pattern for the whole value.
    Regex(&'a str),
    /// Nothing of the value.
    Nothing,
}

impl StringMatch {
    /// What it says.
    pub fn said(&self) -> Said<'_> {
        let exact = self.exact.as_deref().map(Said::Exact);
        let prefix = || self.prefix.as_deref().map(Said::Prefix);
        let regex = || self.regex.as_deref().map(Said::Regex);
        exact
            .or_else(prefix)
            .or_else(regex)
            .unwrap_or(Said::Nothing)
    }
}

/// A backend.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Destination {
    /// The Service.
    pub destination: DestinationHost,
    /// Its share, out of all.
    pub weight: Option<u32>,
}

/// A Service, and a port of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DestinationHost {
    /// A name in the object's namespace, or `name.namespace.svc.domain`.
    pub host: String,
    /// None where the Service has one alone.
    pub port: Option<DestinationPort>,
}

/// The number of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DestinationPort {
    /// Its number.
    pub number: u16,
}
