//! What else names the interceptor: routes of other kinds, and what nobody needs once no route leads there.

use super::{Context, Found, interceptors::external_name};
use crate::migrate::{
    objects::Place,
    rules::traffic::{EXTERNAL_NAME, GRANT, OTHER_ROUTE},
};

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    for route in &context.objects.other_routes {
        for (field, place) in &route.named {
            if let Some(interceptor) = context.interceptors.name_of(place) {
                let facts = [("interceptor", interceptor.as_str())];
                let finding = OTHER_ROUTE.at(&**field, &facts);
                found.entry(route.id.clone()).or_default().push(finding);
            }
        }
    }
    for (id, service) in context.objects.services.values() {
        let stands_for = external_name(service);
        let interceptor = stands_for.and_then(|place| context.interceptors.name_of(&place));
        if let Some(interceptor) = interceptor {
            let facts = [("interceptor", interceptor.as_str())];
            let finding = EXTERNAL_NAME.at("spec.externalName", &facts);
            found.entry(id.clone()).or_default().push(finding);
        }
    }
    for grant in &context.objects.grants {
        for (at, name) in grant.to.iter().enumerate() {
            let Some(name) = name else {
                continue;
            };
            let place: Place = (grant.id.namespace.clone(), name.clone());
            if context.interceptors.name_of(&place).is_some() {
                let finding = GRANT.at(format!("spec.to[{at}]"), &[]);
                found.entry(grant.id.clone()).or_default().push(finding);
            }
        }
    }
}
