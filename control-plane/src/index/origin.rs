//! Where an object belongs: which proxies may have its routes.

use std::collections::BTreeSet;

/// What decides who gets the routes of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The object's namespace.
    pub namespace: String,
    /// `namespace/name` of the Gateways that an HTTPRoute is attached to.
    pub gateways: BTreeSet<String>,
    /// The class of an Ingress; none for an HTTPRoute.
    pub ingress_class: Option<String>,
    /// It names neither, and is for every proxy: an InterceptorRoute or an HTTPScaledObject.
    pub is_everywhere: bool,
}

impl Origin {
    /// Whether one proxy can have the routes of both.
    ///
    /// Without a Gateway, or without a class, nothing is known, and an HTTPRoute and an Ingress may meet in
    /// a controller that serves both.
    pub(super) fn can_meet(&self, other: &Self) -> bool {
        if self.is_everywhere || other.is_everywhere {
            return true;
        }
        match (&self.ingress_class, &other.ingress_class) {
            (Some(a), Some(b)) => a == b || a.is_empty() || b.is_empty(),
            (None, None) => {
                let (a, b) = (&self.gateways, &other.gateways);
                a.is_empty() || b.is_empty() || !a.is_disjoint(b)
            }
            (Some(_), None) | (None, Some(_)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(gateways: &[&str], ingress_class: Option<&str>) -> Origin {
        Origin {
            namespace: "shop".to_owned(),
            gateways: gateways.iter().map(|name| (*name).to_owned()).collect(),
            ingress_class: ingress_class.map(str::to_owned),
            is_everywhere: false,
        }
    }

    #[test]
    fn routes_meet_unless_they_are_known_to_be_in_different_proxies() {
        let (none, public) = (of(&[], None), of(&["infra/public"], None));
        let (private, both) = (
            of(&["infra/private"], None),
            of(&["infra/private", "infra/public"], None),
        );
        let (unclassed, envoy, nginx) = (
            of(&[], Some("")),
            of(&[], Some("envoy")),
            of(&[], Some("nginx")),
        );
        let everywhere = Origin {
            is_everywhere: true,
            ..of(&[], None)
        };
        for (a, b, can_meet) in [
            (&public, &public, true),
            (&public, &private, false),
            (&public, &both, true),
            (&public, &none, true),
            (&envoy, &envoy, true),
            (&envoy, &nginx, false),
            (&envoy, &unclassed, true),
            (&envoy, &public, true),
            (&everywhere, &private, true),
            (&everywhere, &nginx, true),
        ] {
            assert_eq!(a.can_meet(b), can_meet, "{a:?} {b:?}");
            assert_eq!(b.can_meet(a), can_meet, "{b:?} {a:?}");
        }
    }
}
