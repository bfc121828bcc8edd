//! A directory of Kubernetes objects, as the control plane's file source reads it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The namespace of everything that a stack serves.
pub const NAMESPACE: &str = "demo";
/// The port of every Service.
pub const SERVICE_PORT: u16 = 80;

/// One Service that sleeps, and the HTTPRoute and Deployment that go with it.
#[derive(Debug, Clone)]
pub struct Service {
    /// Also the name of its route and of its Deployment.
    pub name: String,
    /// Of the HTTPRoute, without the prefix `wakegate.dev/`.
    pub annotations: Vec<(String, String)>,
    /// Another Service that gets half of what the route takes.
    pub half_to: Option<String>,
}

impl Service {
    /// A Service that scales to zero, with the defaults of the product.
    pub fn new(name: &str) -> Self {
        let annotations = vec![("scale-to-zero".to_owned(), "true".to_owned())];
        Self {
            name: name.to_owned(),
            annotations,
            half_to: None,
        }
    }

    /// A Service whose route is none of ours.
    pub fn not_ours(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            annotations: Vec::new(),
            half_to: None,
        }
    }

    /// Sets an annotation `wakegate.dev/<name>` on its route.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.annotations.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives half of what its route takes to another Service.
    #[must_use]
    pub fn half_to(mut self, other: &Self) -> Self {
        self.half_to = Some(other.name.clone());
        self
    }

    /// The host that its route answers to.
    pub fn host(&self) -> String {
        format!("{}.test", self.name)
    }

    /// Its URL, for a client that connects to Envoy.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    /// `namespace/service/port`: the backend, the resource of EDS and the cluster in Envoy.
    pub fn backend(&self) -> String {
        backend(&self.name)
    }

    /// The backends of its route, of equal weight.
    pub fn backends(&self) -> Vec<String> {
        [Some(&self.name), self.half_to.as_ref()]
            .into_iter()
            .flatten()
            .map(|name| backend(name))
            .collect()
    }

    fn service_yaml(&self) -> String {
        let name = &self.name;
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{namespace: {NAMESPACE}, name: {name}}}\n\
             spec:\n  selector: {{app: {name}}}\n  \
             ports: [{{name: http, port: {SERVICE_PORT}, targetPort: http}}]\n"
        )
    }

    fn deployment_yaml(&self, replicas: u32) -> String {
        let name = &self.name;
        format!(
            "apiVersion: apps/v1\nkind: Deployment\n\
             metadata: {{namespace: {NAMESPACE}, name: {name}}}\nspec:\n  replicas: {replicas}\n  \
             selector: {{matchLabels: {{app: {name}}}}}\n  \
             template: {{metadata: {{labels: {{app: {name}}}}}}}\n"
        )
    }

    /// The HTTPRoute with one rule for everything.
    pub fn route_yaml(&self) -> String {
        let (name, host) = (&self.name, self.host());
        let annotations = self.annotations.iter();
        let annotations = annotations.map(|(key, value)| format!("wakegate.dev/{key}: {value:?}"));
        let annotations = annotations.collect::<Vec<_>>().join(", ");
        let names = [Some(name), self.half_to.as_ref()].into_iter().flatten();
        let references = names.map(|name| format!("{{name: {name}, port: {SERVICE_PORT}}}"));
        let references = references.collect::<Vec<_>>().join(", ");
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n  \
             namespace: {NAMESPACE}\n  name: {name}\n  annotations: {{{annotations}}}\nspec:\n  \
             hostnames: [{host:?}]\n  rules:\n    \
             - matches: [{{path: {{type: PathPrefix, value: /}}}}]\n      \
             backendRefs: [{references}]\n"
        )
    }

    fn endpoints_yaml(&self, address: Option<SocketAddr>) -> String {
        let name = &self.name;
        let port = address.map_or(0, |address| address.port());
        let endpoints = address.map_or_else(String::new, |address| {
            format!(
                "{{addresses: [\"{}\"], conditions: {{ready: true}}}}",
                address.ip()
            )
        });
        let ports = address.map_or_else(String::new, |_| {
            format!("{{name: http, port: {port}, protocol: TCP}}")
        });
        format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  \
             namespace: {NAMESPACE}\n  name: {name}-1\n  \
             labels: {{kubernetes.io/service-name: {name}}}\naddressType: IPv4\n\
             ports: [{ports}]\nendpoints: [{endpoints}]\n"
        )
    }
}

fn backend(service: &str) -> String {
    format!("{NAMESPACE}/{service}/{SERVICE_PORT}")
}

/// The directory. Every write is a rename, so that no reader sees half a file.
#[derive(Debug, Clone)]
pub struct Manifests {
    folder: PathBuf,
}

impl Manifests {
    /// Makes the directory where it is missing.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).context("make the manifests' folder")?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// The directory.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes one file.
    pub fn write(&self, file: &str, text: impl AsRef<[u8]>) -> Result<()> {
        let partial = self.folder.join(format!(".{file}.partial"));
        std::fs::write(&partial, text).with_context(|| format!("write {file}"))?;
        std::fs::rename(&partial, self.folder.join(file)).with_context(|| format!("rename {file}"))
    }

    /// Removes one file.
    pub fn remove(&self, file: &str) -> Result<()> {
        std::fs::remove_file(self.folder.join(file)).with_context(|| format!("remove {file}"))
    }

    /// Writes a Service with its route, its Deployment at zero, and no endpoint.
    pub fn put(&self, service: &Service) -> Result<()> {
        self.write(
            &format!("{}.service.yaml", service.name),
            service.service_yaml(),
        )?;
        self.put_replicas(service, 0)?;
        self.put_endpoint(service, None)?;
        self.put_route(service)
    }

    /// Writes the Services of many sleeping Deployments with their routes into one file, and each one's
    /// EndpointSlice into a file of its own, so that a change of one does not read the others again.
    pub fn put_together(&self, file: &str, services: &[Service]) -> Result<()> {
        let all = services.iter().flat_map(|service| {
            [
                service.service_yaml(),
                service.deployment_yaml(0),
                service.route_yaml(),
            ]
        });
        self.write(file, all.collect::<Vec<_>>().join("---\n"))?;
        services
            .iter()
            .try_for_each(|service| self.put_endpoint(service, None))
    }

    /// Writes the HTTPRoute as it is now.
    pub fn put_route(&self, service: &Service) -> Result<()> {
        self.write(
            &format!("{}.route.yaml", service.name),
            service.route_yaml(),
        )
    }

    /// Removes the HTTPRoute; the Service stays.
    pub fn remove_route(&self, service: &Service) -> Result<()> {
        self.remove(&format!("{}.route.yaml", service.name))
    }

    /// Writes `spec.replicas`, as `/scale` does.
    pub fn put_replicas(&self, service: &Service, replicas: u32) -> Result<()> {
        let file = format!("{}.deployment.yaml", service.name);
        self.write(&file, service.deployment_yaml(replicas))
    }

    /// Writes the EndpointSlice: one ready endpoint, or none.
    pub fn put_endpoint(&self, service: &Service, address: Option<SocketAddr>) -> Result<()> {
        let file = format!("{}.endpoints.yaml", service.name);
        self.write(&file, service.endpoints_yaml(address))
    }
}
