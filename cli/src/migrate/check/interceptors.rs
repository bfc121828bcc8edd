//! Which Services are the add-on's interceptor.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;

use crate::migrate::objects::{Objects, Part, Place};

/// How the Service is called that requests go to, whatever the installation puts before it.
const PROXY: &str = "-interceptor-proxy";

/// The interceptor's other Services.
const NOT_PROXY: [&str; 2] = ["-admin", "-metrics"];

/// The Services that are the interceptor, or stand for it, and how each is said.
pub(super) struct Interceptors(BTreeMap<Place, String>);

impl Interceptors {
    pub(super) fn of(objects: &Objects) -> Self {
        let mut all = BTreeMap::new();
        for (place, (_, service)) in &objects.services {
            let (namespace, name) = place;
            if is_proxy(name) || selects_interceptor(place, service, objects) {
                all.insert(place.clone(), format!("{namespace}/{name}"));
            }
        }
        let mut named = Self(all);
        for (place, (_, service)) in &objects.services {
            if let Some(stands_for) = external_name(service).and_then(|it| named.name_of(&it)) {
                let (namespace, name) = place;
                let text = format!("{namespace}/{name} for {stands_for}");
                named.0.insert(place.clone(), text);
            }
        }
        named
    }

    /// How the interceptor behind a Service is called; `None` for any other Service.
    pub(super) fn name_of(&self, place: &Place) -> Option<String> {
        let (namespace, name) = place;
        let known = self.0.get(place).cloned();
        // Where routes are read and the add-on's namespace is not, the name is all there is.
        known.or_else(|| is_proxy(name).then(|| format!("{namespace}/{name}")))
    }
}

fn is_proxy(name: &str) -> bool {
    name.ends_with(PROXY)
}

fn selects_interceptor((namespace, name): &Place, service: &Service, objects: &Objects) -> bool {
    let spec = service.spec.as_ref();
    let Some(selector) = spec.and_then(|spec| spec.selector.as_ref()) else {
        return false;
    };
    let is_other = NOT_PROXY.iter().any(|end| name.ends_with(end));
    let mut interceptors = objects.parts(Part::Interceptor);
    !is_other
        && !selector.is_empty()
        && interceptors.any(|(id, deployment)| {
            let spec = deployment.spec.as_ref();
            let pod = spec.and_then(|spec| spec.template.metadata.as_ref());
            let labels = pod.and_then(|pod| pod.labels.as_ref());
            let has = |(key, value)| labels.is_some_and(|it| it.get(key) == Some(value));
            id.namespace == *namespace && selector.iter().all(has)
        })
}

/// The Service that an ExternalName stands for, where it stands for one of a cluster.
pub(super) fn external_name(service: &Service) -> Option<Place> {
    let spec = service.spec.as_ref()?;
    let host = spec.external_name.as_deref()?.trim_end_matches('.');
    let mut labels = host.split('.');
    let (name, namespace, svc) = (labels.next()?, labels.next()?, labels.next()?);
    (svc == "svc").then(|| (namespace.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_interceptor_is_known_by_its_name_and_by_those_that_stand_for_it() {
        let mut objects = Objects::of_files();
        let service = |name: &str, external: &str| {
            json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": { "name": name, "namespace": "shop" },
                "spec": { "type": "ExternalName", "externalName": external },
            })
        };
        let proxy = "keda-add-ons-http-interceptor-proxy";
        let host = format!("{proxy}.keda.svc.cluster.local.");
        objects.add(service("gate", &host), None);
        objects.add(service("other", "web.keda.svc.cluster.local"), None);
        objects.add(service("outside", "example.com"), None);
        let interceptors = Interceptors::of(&objects);
        let name_of = |namespace: &str, name: &str| {
            interceptors.name_of(&(namespace.to_owned(), name.to_owned()))
        };
        assert_eq!(name_of("keda", proxy), Some(format!("keda/{proxy}")));
        assert_eq!(
            name_of("shop", "gate"),
            Some(format!("shop/gate for keda/{proxy}"))
        );
        assert_eq!(name_of("shop", "other"), None);
        assert_eq!(name_of("shop", "outside"), None);
    }
}
