//! The add-on's own operator, which must be gone before anyone else writes what it wrote.

use std::collections::BTreeMap;

use crate::{
    index::objects::Objects,
    object::{Kind, Object, ObjectId, WorkloadObject},
};

/// The labels of its pods, as its manifests have them and as its chart does.
const LABELS: [&[(&str, &str)]; 3] = [
    &[
        ("app.kubernetes.io/part-of", "keda"),
        ("app.kubernetes.io/name", "http"),
        ("app.kubernetes.io/instance", "operator"),
    ],
    &[
        ("app.kubernetes.io/part-of", "keda"),
        ("app.kubernetes.io/name", "http-add-on"),
        ("app.kubernetes.io/component", "operator"),
    ],
    &[
        ("app.kubernetes.io/part-of", "keda-add-ons-http"),
        ("app.kubernetes.io/component", "operator"),
    ],
];

/// What its Deployment is called, however its labels were changed.
const NAMES: [&str; 2] = ["add-ons-http-operator", "add-ons-http-controller-manager"];

/// Whether a workload is that operator.
pub(in crate::index) fn is_operator(workload: &WorkloadObject) -> bool {
    let name = workload.metadata.name.as_deref().unwrap_or_default();
    NAMES.iter().any(|end| name.ends_with(end)) || has_its_labels(&workload.pod_labels)
}

fn has_its_labels(labels: &BTreeMap<String, String>) -> bool {
    let has = |(key, value): &(&str, &str)| labels.get(*key).is_some_and(|it| it == value);
    LABELS.iter().any(|all| all.iter().all(has))
}

impl Objects {
    /// The Deployment of the add-on's operator, where one runs.
    pub(super) fn add_on_operator(&self) -> Option<&ObjectId> {
        self.add_on_operators().find(|id| {
            let workload = self.workload(id);
            workload.is_some_and(|workload| workload.replicas > 0)
        })
    }
}

/// Whether an object may be that operator, as it is or as it was.
pub(in crate::index) fn concerns(id: &ObjectId, object: &Object) -> bool {
    let Object::Workload(workload) = object else {
        return false;
    };
    id.kind == Kind::Deployment && is_operator(workload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_known_by_all_labels_of_one_way_to_install_it() {
        for labels in LABELS {
            let mut labels: BTreeMap<String, String> = labels
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect();
            labels.insert("pod-template-hash".to_owned(), "1".to_owned());
            assert!(has_its_labels(&labels));
            labels.pop_first();
            assert!(!has_its_labels(&labels), "{labels:?}");
        }
    }

    #[test]
    fn an_operator_is_known_by_its_name_as_well() {
        let named = |name: &str| {
            let mut workload = WorkloadObject::default();
            workload.metadata.name = Some(name.to_owned());
            is_operator(&workload)
        };
        assert!(named("keda-add-ons-http-operator"));
        assert!(named("keda-add-ons-http-controller-manager"));
        assert!(!named("keda-operator"));
    }
}
