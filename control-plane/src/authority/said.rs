//! What is in the log of a Secret already: it is looked at every few seconds.

use std::collections::BTreeMap;

/// The last trouble with each Secret.
#[derive(Debug, Default)]
pub(super) struct Said(BTreeMap<(String, &'static str), String>);

impl Said {
    /// Something is wrong; said once until it changes.
    pub(super) fn ill(&mut self, namespace: &str, name: &'static str, what: &str) {
        let before = self.0.insert((namespace.to_owned(), name), what.to_owned());
        if before.as_deref() != Some(what) {
            tracing::warn!(namespace, name, what, "a Secret of certificates");
        }
    }

    /// All is well.
    pub(super) fn well(&mut self, namespace: &str, name: &'static str) {
        if self.0.remove(&(namespace.to_owned(), name)).is_some() {
            tracing::info!(namespace, name, "a Secret of certificates is well again");
        }
    }
}
