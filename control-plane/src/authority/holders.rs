//! Who gets a certificate, and in which Secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use wakegate_runtime::tls::Role;

use super::certificates::{Name, Profile};

/// The Secret of the control plane's replicas.
pub(super) const CONTROL_PLANE: &str = "wakegate-control-plane-tls";

/// The scalers'.
const SCALER: &str = "wakegate-scaler-tls";

/// The filters', in each namespace that has Envoys.
const FILTER: &str = "wakegate-filter-tls";

/// KEDA's, in its own namespace.
const KEDA: &str = "wakegate-keda-tls";

/// The Services of an installation.
const CONTROL_PLANE_SERVICE: &str = "wakegate-control-plane";
const SCALER_SERVICE: &str = "wakegate-scaler";

/// Where a Secret is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) namespace: String,
    pub(super) name: &'static str,
}

/// The namespaces of those that hold certificates, and what names they have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holders {
    /// The control plane's own: those of both daemons, and one for filters.
    pub namespace: String,
    /// Others with filters.
    pub filter_namespaces: BTreeSet<String>,
    /// KEDA's.
    pub keda_namespace: String,
    /// Where KEDA finds the scaler, with its port: it checks that name.
    pub scaler_address: String,
}

impl Holders {
    /// The Secret of KEDA's certificate.
    pub(super) fn keda(&self) -> Place {
        Place {
            namespace: self.keda_namespace.clone(),
            name: KEDA,
        }
    }

    /// Each Secret with what its certificate is for.
    pub(super) fn profiles(&self) -> BTreeMap<Place, Profile> {
        let own = self.namespace.as_str();
        let filters = self.filter_namespaces.iter().map(String::as_str);
        let filters = [own].into_iter().chain(filters);
        let filters = filters.map(|namespace| (namespace, FILTER, client(Role::Filter)));
        let scaler = host(&self.scaler_address);
        [
            (
                own,
                CONTROL_PLANE,
                server(Role::ControlPlane, names(CONTROL_PLANE_SERVICE, own)),
            ),
            (
                own,
                SCALER,
                server(Role::Scaler, names(SCALER_SERVICE, own).chain(scaler)),
            ),
            (&self.keda_namespace, KEDA, client(Role::Keda)),
        ]
        .into_iter()
        .chain(filters)
        .map(|(namespace, name, profile)| {
            let namespace = namespace.to_owned();
            (Place { namespace, name }, profile)
        })
        .collect()
    }
}

fn client(role: Role) -> Profile {
    Profile {
        common_name: role.as_str(),
        uri: role.san(),
        names: BTreeSet::new(),
        is_server: false,
    }
}

fn server(role: Role, names: impl Iterator<Item = Name>) -> Profile {
    Profile {
        names: names.collect(),
        is_server: true,
        ..client(role)
    }
}

/// What a Service is called from near and far, and from the own machine.
fn names(service: &str, namespace: &str) -> impl Iterator<Item = Name> {
    let suffixes = ["", ".svc", ".svc.cluster.local"];
    let far = suffixes.map(|suffix| format!("{service}.{namespace}{suffix}"));
    let near = [service, "localhost"].map(str::to_owned);
    near.into_iter().chain(far).map(Name::Dns)
}

fn host(address: &str) -> Option<Name> {
    let (host, _) = address.rsplit_once(':')?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    Some(match bare.parse::<IpAddr>() {
        Ok(address) => Name::Ip(address),
        Err(_) => Name::Dns(host.to_owned()),
    })
}

#[cfg(test)]
mod tests;
