//! Whether the filter is where a VirtualService is served: in the pods of the gateways that it names.

use serde_json::Value;

use super::{
    Context, Found,
    ingress::{at_ingress_gateways, sees_attachments},
};
use crate::doctor::{
    objects::VIRTUAL_SERVICE,
    rules::routes::{OF_MESH, VIRTUAL_SERVICE_NOT_ATTACHED},
};

/// The gateway that stands for all sidecars.
const MESH: &str = "mesh";

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    let is_attached = at_ingress_gateways(context).next().is_some();
    let is_seen = sees_attachments(context.objects);
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
