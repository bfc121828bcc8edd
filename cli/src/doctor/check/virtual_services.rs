//! Whether the filter is where a VirtualService is served: in the pods of the gateways that it names.

use serde_json::Value;

use super::{Context, Found, ingress::reaches};
use crate::doctor::{
    attachment::By,
    objects::{ENVOY_FILTER, VIRTUAL_SERVICE, WASM_PLUGIN},
    rules::routes::{OF_MESH, VIRTUAL_SERVICE_NOT_ATTACHED},
};

/// The gateway that stands for all sidecars.
const MESH: &str = "mesh";

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    let objects = context.objects;
    let mut attachments = context.attachments.iter();
    // One by targets is for Gateways of the Gateway API, which no VirtualService names.
    let is_attached = attachments.any(|it| {
        it.by != By::ExtensionPolicy && it.target_refs().is_empty() && reaches(objects, it)
    });
    let is_seen = objects.is_whole() && objects.lists(WASM_PLUGIN) && objects.lists(ENVOY_FILTER);
    let routes = context.routes.iter().map(|it| it.object);
    for service in routes.filter(|it| it.id.kind == VIRTUAL_SERVICE.kind) {
        let gateways = service.list("/spec/gateways").iter();
        let mut gateways = gateways.filter_map(Value::as_str);
        if gateways.all(|it| it == MESH) {
            found.say(&service.id, OF_MESH.at("spec.gateways", &[]));
        } else if !is_attached && is_seen {
            let finding = VIRTUAL_SERVICE_NOT_ATTACHED.at("spec.gateways", &[]);
            found.say(&service.id, finding);
        }
    }
}
