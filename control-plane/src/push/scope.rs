//! What of the table a subscriber gets.

use std::collections::BTreeSet;

use wakegate_wire::v1;

use crate::index::Origin;

/// Namespaces that one scope may name, and the bytes of each name.
const MAX_NAMESPACES: usize = 1_000;
const MAX_NAME: usize = 512;

/// What of the table a subscriber gets. Two with the same scope share one view.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope {
    /// Workloads, in place of routes and backends.
    pub(super) is_scaler: bool,
    namespaces: BTreeSet<String>,
    gateway: String,
    ingress_class: String,
}

impl TryFrom<&v1::Hello> for Scope {
    type Error = String;

    fn try_from(hello: &v1::Hello) -> Result<Self, String> {
        let scope = Self::of_filter(hello.scope.clone().unwrap_or_default())?;
        Ok(Self {
            is_scaler: hello.role() == v1::Role::Scaler,
            ..scope
        })
    }
}

impl From<&Scope> for v1::Scope {
    fn from(scope: &Scope) -> Self {
        Self {
            namespaces: scope.namespaces.iter().cloned().collect(),
            gateway: scope.gateway.clone(),
            ingress_class: scope.ingress_class.clone(),
        }
    }
}

impl Scope {
    /// The scope of a filter.
    ///
    /// # Errors
    /// It is larger than any is allowed to be.
    pub(super) fn of_filter(scope: v1::Scope) -> Result<Self, String> {
        let v1::Scope {
            namespaces,
            gateway,
            ingress_class,
        } = scope;
        if namespaces.len() > MAX_NAMESPACES {
            return Err(format!("a scope has at most {MAX_NAMESPACES} namespaces"));
        }
        let names = namespaces.iter().chain([&gateway, &ingress_class]);
        if names.into_iter().any(|name| name.len() > MAX_NAME) {
            return Err(format!(
                "a name in the scope is longer than {MAX_NAME} bytes"
            ));
        }
        Ok(Self {
            is_scaler: false,
            namespaces: namespaces.into_iter().collect(),
            gateway,
            ingress_class,
        })
    }

    /// Whether routes of that origin are wanted.
    pub(super) fn has(&self, origin: &Origin) -> bool {
        let Self {
            is_scaler: _,
            namespaces,
            gateway,
            ingress_class,
        } = self;
        let is_near = namespaces.is_empty() || namespaces.contains(&origin.namespace);
        let is_attached = match &origin.ingress_class {
            // A scope that names only a Gateway wants no Ingress, and the other way round.
            _ if origin.is_everywhere => true,
            _ if gateway.is_empty() && ingress_class.is_empty() => true,
            Some(class) => !ingress_class.is_empty() && class == ingress_class,
            None => !gateway.is_empty() && origin.gateways.contains(gateway),
        };
        is_near && is_attached
    }

    /// Whether workloads of that namespace are wanted.
    pub(super) fn has_namespace(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.contains(namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(namespaces: &[&str], gateway: &str, ingress_class: &str) -> Scope {
        let namespaces = namespaces.iter().map(|name| (*name).to_owned()).collect();
        let (gateway, ingress_class) = (gateway.to_owned(), ingress_class.to_owned());
        let scope = v1::Scope {
            namespaces,
            gateway,
            ingress_class,
        };
        Scope::try_from(&v1::Hello {
            scope: Some(scope),
            ..v1::Hello::default()
        })
        .unwrap()
    }

    #[test]
    fn an_empty_scope_has_all_and_a_full_one_what_it_names() {
        let route = Origin {
            namespace: "shop".to_owned(),
            gateways: BTreeSet::from(["infra/public".to_owned()]),
            ..Origin::default()
        };
        let class = Some("nginx".to_owned());
        let ingress = Origin {
            namespace: "shop".to_owned(),
            ingress_class: class,
            ..Origin::default()
        };
        for (scope, has_route, has_ingress) in [
            (scope(&[], "", ""), true, true),
            (scope(&["shop"], "", ""), true, true),
            (scope(&["blog"], "", ""), false, false),
            (scope(&[], "infra/public", ""), true, false),
            (scope(&[], "infra/private", ""), false, false),
            (scope(&[], "", "nginx"), false, true),
            (scope(&["shop"], "infra/public", "nginx"), true, true),
        ] {
            assert_eq!(
                (scope.has(&route), scope.has(&ingress)),
                (has_route, has_ingress),
                "{scope:?}"
            );
        }
    }
}
