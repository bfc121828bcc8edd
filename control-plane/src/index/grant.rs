//! ReferenceGrant: which routes may lead to a Service of another namespace.

use std::sync::Arc;

use gateway_api::apis::standard::referencegrants::{ReferenceGrant, ReferenceGrantTo};

use super::{GATEWAY_GROUP, ServiceId, objects::Objects};
use crate::object::{Finding, Kind, ObjectId};

/// What stands for all grants of a namespace, for those that must know when one changes.
pub(super) fn all_in(namespace: &Arc<str>) -> ObjectId {
    ObjectId::new(Kind::ReferenceGrant, Arc::clone(namespace), "")
}

/// Whether someone in the namespace of a Service lets a route lead to it.
pub(super) fn permits(objects: &Objects, route: &ObjectId, service: &ServiceId) -> bool {
    let is_from = |grant: &ReferenceGrant| {
        grant.spec.from.iter().any(|from| {
            from.group == GATEWAY_GROUP
                && from.kind == route.kind.as_str()
                && *from.namespace == *route.namespace
        })
    };
    let is_to = |to: &ReferenceGrantTo| {
        let is_it = to.name.as_deref().is_none_or(|name| name == &*service.name);
        to.group.is_empty() && to.kind == "Service" && is_it
    };
    objects
        .grants(&service.namespace)
        .any(|grant| is_from(grant) && grant.spec.to.iter().any(is_to))
}

/// Groups that look right and permit nothing.
pub(super) fn findings(id: &ObjectId, grant: &ReferenceGrant) -> Vec<Finding> {
    let routes = [Kind::HttpRoute, Kind::GrpcRoute].map(Kind::as_str);
    let from = grant.spec.from.iter().enumerate();
    let wrong = from.filter(|(_, from)| from.group.is_empty() && routes.contains(&&*from.kind));
    let from = wrong.map(|(at, from)| {
        let reason = format!(
            "the group of {} is {GATEWAY_GROUP:?}; it permits nothing",
            from.kind
        );
        Finding::new(id, format!("spec.from[{at}].group"), reason)
    });
    let to = grant.spec.to.iter().enumerate();
    let wrong = to.filter(|(_, to)| to.kind == "Service" && matches!(&*to.group, "core" | "v1"));
    let to = wrong.map(|(at, to)| {
        let reason = format!(
            "the group of Service is \"\" and not {:?}; it permits nothing",
            to.group
        );
        Finding::new(id, format!("spec.to[{at}].group"), reason)
    });
    from.chain(to).collect()
}
