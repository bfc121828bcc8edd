//! The filter in Envoy's configuration: fixed, or discovered from a file.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

/// The cluster of the control plane: the filter's stream, and EDS.
pub(super) const CONTROL_PLANE: &str = "wakegate-control-plane";
/// The cluster of the scaler.
pub(super) const SCALER: &str = "wakegate-scaler";
/// The cluster of who serves the module over HTTP.
pub(super) const MODULE: &str = "wakegate-module";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// The filter and its configuration.
#[derive(Debug, Clone)]
pub struct FilterConfig {
    /// The wasm module.
    pub module: Module,
    /// Merged over what a stack needs; see the filter's configuration.
    pub settings: Value,
    /// The file that the filter's configuration is discovered from (ECDS), so that it can change while
    /// Envoy runs; `None` is a fixed configuration.
    pub discovered_from: Option<PathBuf>,
}

/// Where Envoy gets the wasm module from.
#[derive(Debug, Clone)]
pub enum Module {
    /// A file.
    File(PathBuf),
    /// The module port of a control plane.
    Http {
        /// Where that is.
        address: SocketAddr,
        /// What Envoy compares, in hexadecimal.
        sha256: String,
    },
}

impl Module {
    fn code(&self) -> Value {
        match self {
            Self::File(file) => json!({ "local": { "filename": file } }),
            Self::Http { address, sha256 } => {
                let uri = format!("http://{address}/wakegate_filter.wasm");
                let uri = json!({ "uri": uri, "cluster": MODULE, "timeout": "10s" });
                json!({ "remote": { "http_uri": uri, "sha256": sha256 } })
            }
        }
    }
}

impl FilterConfig {
    /// Among the HTTP filters of a listener.
    pub(super) fn http_filter(&self) -> Value {
        let Some(file) = &self.discovered_from else {
            return json!({ "name": "wakegate", "typed_config": self.wasm(&self.settings) });
        };
        let source =
            json!({ "resource_api_version": "V3", "path_config_source": { "path": file } });
        json!({
            "name": "wakegate",
            "config_discovery": { "type_urls": [WASM], "config_source": source },
        })
    }

    /// What discovery answers, with these settings.
    pub(super) fn discovery_response(&self, settings: &Value) -> Value {
        json!({ "resources": [ {
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": "wakegate",
            "typed_config": self.wasm(settings),
        } ] })
    }

    fn wasm(&self, more: &Value) -> Value {
        let mut settings = json!({
            "control_plane": { "cluster": CONTROL_PLANE },
            "scaler": { "cluster": SCALER },
        });
        if let (Some(settings), Some(more)) = (settings.as_object_mut(), more.as_object()) {
            settings.extend(more.clone());
        }
        json!({ "@type": WASM, "config": {
        "name": "wakegate",
        "root_id": "wakegate",
        "failure_policy": "FAIL_RELOAD",
        "configuration": {
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": settings.to_string(),
        },
        "vm_config": {
            "vm_id": "wakegate",
            "runtime": "envoy.wasm.runtime.v8",
            "code": self.module.code(),
        },
    } })
    }
}
