//! How a trigger names what KEDA shows of itself.

use std::str::FromStr;

use anyhow::ensure;

/// What of KEDA's a trigger names for its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KedaAuthentication {
    /// `TriggerAuthentication`, which is of one namespace, or `ClusterTriggerAuthentication`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// The kind that is meant when none is given: one object serves all namespaces.
const CLUSTER: &str = "ClusterTriggerAuthentication";

/// The kinds that there are.
const KINDS: [&str; 2] = ["TriggerAuthentication", CLUSTER];

impl FromStr for KedaAuthentication {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (kind, name) = text.split_once('/').unwrap_or((CLUSTER, text));
        ensure!(
            KINDS.contains(&kind),
            "{kind:?} is no kind: {} are",
            KINDS.join(" and ")
        );
        ensure!(
            !name.is_empty() && !name.contains('/'),
            "give [KIND/]NAME, such as wakegate"
        );
        Ok(Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
        })
    }
}
