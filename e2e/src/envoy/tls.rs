//! Envoy's side of TLS: certificate and authorities by SDS from files, so that new ones are taken while it runs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::config::write_whole;
use crate::tls::Role;

const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
const CERTIFICATE: &str = "certificate";
const AUTHORITIES: &str = "authorities";

/// What Envoy shows to the daemons, and whom it trusts.
#[derive(Debug, Clone)]
pub struct EnvoyTls {
    secrets: PathBuf,
    shows_certificate: bool,
}

impl EnvoyTls {
    /// With the files of a mounted Secret. What Envoy reads to find them is put beside the folder.
    pub fn new(mount: &Path) -> Result<Self> {
        let secrets = mount.with_extension("sds");
        std::fs::create_dir_all(&secrets).context("make a folder for SDS")?;
        let file = |name: &str| json!({ "filename": mount.join(name) });
        // The mount's files never change themselves; what is moved in it is the link to all of them.
        let watched = json!({ "path": mount });
        let certificate = json!({
            "certificate_chain": file("tls.crt"),
            "private_key": file("tls.key"),
            "watched_directory": watched,
        });
        let authorities = json!({ "trusted_ca": file("ca.crt"), "watched_directory": watched });
        for (name, kind, secret) in [
            (CERTIFICATE, "tls_certificate", certificate),
            (AUTHORITIES, "validation_context", authorities),
        ] {
            let secret = json!({ "@type": format!("{TLS}.Secret"), "name": name, kind: secret });
            let response = json!({ "resources": [secret] }).to_string();
            write_whole(&secrets.join(name).with_extension("json"), &response)?;
        }
        Ok(Self {
            secrets,
            shows_certificate: true,
        })
    }

    /// Shows no certificate.
    #[must_use]
    pub fn without_certificate(mut self) -> Self {
        self.shows_certificate = false;
        self
    }

    /// The transport socket of a cluster whose hosts are `server`.
    pub(super) fn socket(&self, server: Role) -> Value {
        let uri = json!({ "san_type": "URI", "matcher": { "exact": server.uri() } });
        let certificates = self.shows_certificate.then(|| self.secret(CERTIFICATE));
        let certificates: Vec<_> = certificates.into_iter().collect();
        json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": format!("{TLS}.UpstreamTlsContext"),
                "common_tls_context": {
                    // Without the second, a client of Envoy's stops at 1.2.
                    "tls_params": {
                        "tls_minimum_protocol_version": "TLSv1_3",
                        "tls_maximum_protocol_version": "TLSv1_3",
                    },
                    "alpn_protocols": ["h2"],
                    "tls_certificate_sds_secret_configs": certificates,
                    "combined_validation_context": {
                        "default_validation_context": { "match_typed_subject_alt_names": [uri] },
                        "validation_context_sds_secret_config": self.secret(AUTHORITIES),
                    },
                },
            },
        })
    }

    fn secret(&self, name: &str) -> Value {
        let file = self.secrets.join(name).with_extension("json");
        let source = json!({ "path": file });
        json!({
            "name": name,
            "sds_config": { "resource_api_version": "V3", "path_config_source": source },
        })
    }
}
