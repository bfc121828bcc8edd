//! What a worker may not make the ledger store.

use crate::{Instance, Key, Report};

/// Keys that one worker may have numbers for, and keys of one table. Twice the number of routes that
/// the scaler is built for.
pub(super) const MAX_KEYS: usize = 20_000;

/// Workers: four times what one scaler is built for (1,000 proxies of 4 workers).
pub(super) const MAX_INSTANCES: usize = 16_384;

/// Pairs of a worker and a key. One without history takes about 200 bytes, a busy one 2 KB: with one in
/// ten busy this stays below the 500 MB that a scaler may take.
pub(super) const MAX_COUNTS: usize = 1_000_000;

/// `kind/namespace/name`: Kubernetes allows 63 bytes for a namespace and 253 for a name.
const MAX_KEY_BYTES: usize = 400;

/// A `node.id`: pod names and namespaces with some decoration.
const MAX_PROXY_BYTES: usize = 512;

/// Why a report was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The worker's proxy has no name.
    #[error("the instance has no proxy name: set node.id in Envoy's bootstrap")]
    NoProxyName,
    /// The proxy's name is too long.
    #[error("the proxy's name has {0} bytes, more than {MAX_PROXY_BYTES}")]
    ProxyNameTooLong(usize),
    /// A later life of the same worker is reporting.
    #[error("a later life of this worker is reporting: is node.id the same in two proxies?")]
    EarlierLife,
    /// A key is empty or too long.
    #[error("a key has {0} bytes, not 1 to {MAX_KEY_BYTES}")]
    KeyLength(usize),
    /// More keys than one worker may have.
    #[error("the worker has numbers or routes for {0} keys, more than {MAX_KEYS}")]
    TooManyKeys(usize),
    /// More workers than one scaler takes.
    #[error("{MAX_INSTANCES} workers report already")]
    TooManyInstances,
    /// More numbers than one scaler stores.
    #[error("{MAX_COUNTS} pairs of worker and key are stored already")]
    Full,
    /// The tables of all workers have more keys than one scaler stores.
    #[error("the tables of all workers have too many different keys")]
    TooManyTables,
    /// `known_keys` do not add up to `known_digest`.
    #[error("the keys that the worker named do not add up to its digest")]
    WrongDigest,
    /// A page that another replica sent.
    #[error("a page of another replica is wrong: {0}")]
    Page(&'static str),
}

/// Checks what can be checked without the ledger.
pub(super) fn check(instance: &Instance, report: &Report) -> Result<(), LedgerError> {
    check_proxy(instance)?;
    let known = report.known_keys.as_deref().unwrap_or_default();
    let n_keys = report.keys.len().max(known.len());
    if n_keys > MAX_KEYS {
        return Err(LedgerError::TooManyKeys(n_keys));
    }
    let mut keys = report.keys.iter().map(|count| &count.key).chain(known);
    keys.try_for_each(check_key)
}

pub(super) fn check_proxy(instance: &Instance) -> Result<(), LedgerError> {
    match instance.proxy.len() {
        0 => Err(LedgerError::NoProxyName),
        1..=MAX_PROXY_BYTES => Ok(()),
        n => Err(LedgerError::ProxyNameTooLong(n)),
    }
}

pub(super) fn check_key(key: &Key) -> Result<(), LedgerError> {
    match key.as_str().len() {
        1..=MAX_KEY_BYTES => Ok(()),
        n => Err(LedgerError::KeyLength(n)),
    }
}
