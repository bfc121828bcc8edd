//! The daemons: which Deployment is one, and what it is told.

use super::objects::{DEPLOYMENT, Object, Objects, list_at, text_at};

/// The name of its image, and of its Deployment by a label.
pub(crate) const CONTROL_PLANE: &str = "wakegate-control-plane";

/// The same of the other.
pub(crate) const SCALER: &str = "wakegate-scaler";

/// Where KEDA is, unless its owner says otherwise: what its cluster-wide authentications name is looked for there.
pub(crate) const KEDA: &str = "keda";

const NAME: &str = "app.kubernetes.io/name";

/// The Deployments of both.
pub(crate) fn parts(objects: &Objects) -> impl Iterator<Item = &Object> {
    let deployments = objects.all(DEPLOYMENT).iter();
    deployments.filter(|it| is_part(it, CONTROL_PLANE) || is_part(it, SCALER))
}

/// By its label, or by the image that it runs.
pub(crate) fn is_part(deployment: &Object, name: &str) -> bool {
    deployment.label(NAME) == Some(name) || image(deployment, name).is_some()
}

/// The image of that name that it runs.
pub(crate) fn image<'a>(deployment: &'a Object, name: &str) -> Option<&'a str> {
    let containers = list_at(&deployment.value, "/spec/template/spec/containers").iter();
    let mut images = containers.filter_map(|it| text_at(it, "/image"));
    images.find(|image| {
        let last = image.rsplit('/').next().unwrap_or_default();
        last.split([':', '@']).next() == Some(name)
    })
}

/// Whether it wants TLS of whoever connects; `None` where it does not say how it is run.
pub(crate) fn wants_tls(deployment: &Object) -> Option<bool> {
    let containers = list_at(&deployment.value, "/spec/template/spec/containers");
    let args = || containers.iter().flat_map(|it| list_at(it, "/args"));
    let env = || containers.iter().flat_map(|it| list_at(it, "/env"));
    if args().next().is_none() && env().next().is_none() {
        return None;
    }
    let by_flag = args().any(|it| it.as_str() == Some("--plain-text"));
    let by_variable = env().any(|it| {
        text_at(it, "/name") == Some("WAKEGATE_PLAIN_TEXT") && text_at(it, "/value") == Some("true")
    });
    Some(!by_flag && !by_variable)
}
