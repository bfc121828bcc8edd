//! Gateways: who runs them, and what is attached to them.

use super::{
    attachment::{Attachment, By},
    objects::{ENVOY_PROXY, GATEWAY_CLASS, Object, Objects},
    policy,
};

/// Istio's root namespace, unless its owner says otherwise: what is there without a narrower choice is for all.
const ISTIO_ROOT: &str = "istio-system";

/// The label of the pods that run a Gateway, as Istio sets it.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// Who makes Envoys of a Gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Controller {
    EnvoyGateway,
    Istio,
    /// One whose attachments cannot be seen, or none that was read.
    Other,
}

/// By its class; without one, by what is attached.
pub(crate) fn controller(
    objects: &Objects,
    gateway: &Object,
    attachments: &[Attachment<'_>],
) -> Controller {
    match class(objects, gateway).and_then(|it| it.text("/spec/controllerName")) {
        Some(name) if name.starts_with("gateway.envoyproxy.io/") => Controller::EnvoyGateway,
        Some(name) if name.starts_with("istio.io/") => Controller::Istio,
        Some(_) => Controller::Other,
        None => {
            let mut attached = attachments.iter().filter(|it| serves(it, gateway));
            match attached.next().map(|it| it.by) {
                Some(By::ExtensionPolicy) => Controller::EnvoyGateway,
                Some(By::WasmPlugin | By::EnvoyFilter) => Controller::Istio,
                None => Controller::Other,
            }
        }
    }
}

fn class<'a>(objects: &'a Objects, gateway: &Object) -> Option<&'a Object> {
    let name = gateway.text("/spec/gatewayClassName")?;
    objects.get(GATEWAY_CLASS, "", name)
}

/// The EnvoyProxies of a Gateway, the one that wins first.
pub(crate) fn envoy_proxies<'a>(objects: &'a Objects, gateway: &Object) -> Vec<&'a Object> {
    let own = gateway
        .text("/spec/infrastructure/parametersRef/name")
        .and_then(|name| objects.get(ENVOY_PROXY, &gateway.id.namespace, name));
    let of_class = class(objects, gateway).and_then(|class| {
        let name = class.text("/spec/parametersRef/name")?;
        let namespace = class.text("/spec/parametersRef/namespace")?;
        objects.get(ENVOY_PROXY, namespace, name)
    });
    own.into_iter().chain(of_class).collect()
}

/// Whether an attachment reaches any listener of a Gateway.
pub(crate) fn serves(attachment: &Attachment<'_>, gateway: &Object) -> bool {
    if !policy::sections(attachment.object, gateway).is_empty() {
        return true;
    }
    if attachment.by == By::ExtensionPolicy || !attachment.target_refs().is_empty() {
        return false;
    }
    let namespace = &attachment.object.id.namespace;
    let is_near = *namespace == gateway.id.namespace || namespace == ISTIO_ROOT;
    // Of other labels nobody knows here which pods have them; a Gateway that Istio does not run itself has its
    // own.
    let is_meant = attachment.selector().is_none_or(|labels| {
        let name = labels.get(GATEWAY_NAME).and_then(|it| it.as_str());
        name.is_none_or(|name| name == gateway.id.name)
    });
    is_near && is_meant
}
