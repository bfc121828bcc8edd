//! Where requests go.

use super::{REPOINTED, Step, having};
use crate::migrate::check::Found;

pub(super) fn install() -> Step {
    let text = "Install Wakegate, and attach its filter to the Envoys of the gateways. Requests still go by the \
                interceptor.";
    Step::new("install", text)
}

pub(super) fn backends(found: &Found) -> Option<Step> {
    let objects = having(found, &REPOINTED);
    let text = "Let the routes lead to their Services, as said above.";
    (!objects.is_empty()).then(|| Step {
        objects,
        ..Step::new("backends", text)
    })
}

pub(super) fn filters() -> Step {
    let text = "See that each filter has the routes: /debug/routes of the control plane has every one of them, and each \
                worker the same version.";
    Step::new("filters", text)
}
