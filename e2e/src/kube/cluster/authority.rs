//! The certificates of one cluster: an authority, one certificate that all its servers and the API server's
//! own client show, and the key that signs the tokens of service accounts.

use std::path::Path;

use anyhow::{Context, Result};
use rcgen::KeyPair;

use crate::tls::Authority;

/// The name under which the API server forwards requests to the metrics adapter.
pub(super) const FRONT_PROXY: &str = "front-proxy";

/// Who is asked for: by address, by name, and by the aggregator under the Service's name.
const NAMES: [&str; 6] = [
    "127.0.0.1",
    super::layout::ADVERTISED,
    "localhost",
    "kubernetes.default.svc",
    "keda-operator.keda.svc",
    super::objects::ADAPTER_HOST,
];

/// Writes `ca.crt`, `tls.crt`, `tls.key`, which are the names that KEDA wants, and `accounts.key` with
/// `accounts.pub`.
pub(super) fn write(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).context("make the folder of certificates")?;
    let put = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.join(name), bytes).with_context(|| format!("write {name}"))
    };
    let names = NAMES.map(str::to_owned).to_vec();
    let identity = Authority::new()?.issue_named(names, FRONT_PROXY)?;
    for (name, bytes) in identity.files() {
        put(name, bytes)?;
    }
    let accounts = KeyPair::generate().context("make the service accounts' key")?;
    put("accounts.key", accounts.serialize_pem().as_bytes())?;
    put("accounts.pub", accounts.public_key_pem().as_bytes())
}
