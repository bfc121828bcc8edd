//! What an Event says, and under which name: the same for the same trouble, whoever posts it.

use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use sha2::{Digest as _, Sha256};

use super::super::{CONTROLLER, MANAGED_BY, notices::Notice};
use crate::object::{Finding, ObjectId};

/// Bytes of a note. The API server takes 1,024.
const MAX_NOTE: usize = 1_000;

/// Bytes of an object's name in an Event's. The API server takes 253 in all.
const MAX_NAME: usize = 200;

/// Where Events about objects of the whole cluster are.
const CLUSTER_NAMESPACE: &str = "default";

/// An Event that is to be there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Draft {
    pub(super) object: ObjectId,
    /// In CamelCase.
    pub(super) reason: &'static str,
    note: String,
}

impl Draft {
    /// The namespace that the Event goes to.
    pub(super) fn namespace(&self) -> &str {
        if self.object.namespace.is_empty() {
            CLUSTER_NAMESPACE
        } else {
            &self.object.namespace
        }
    }

    /// The Event. One object that was made anew under its old name has Events of its own.
    pub(super) fn event(&self, uid: Option<&str>, instance: &str, now: Timestamp) -> Event {
        let ObjectId {
            kind,
            namespace,
            name,
        } = &self.object;
        let of = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Event {
            metadata: ObjectMeta {
                name: Some(self.name(uid)),
                namespace: of(self.namespace()),
                labels: Some([(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned())].into()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            reporting_controller: of(CONTROLLER),
            reporting_instance: of(cut(instance, 128)),
            action: of("Reconcile"),
            reason: of(self.reason),
            regarding: Some(ObjectReference {
                api_version: of(kind.api_version()),
                kind: of(kind.as_str()),
                namespace: of(namespace),
                name: of(name),
                uid: uid.map(str::to_owned),
                ..ObjectReference::default()
            }),
            note: of(&self.note),
            type_: of("Warning"),
            ..Event::default()
        }
    }

    fn name(&self, uid: Option<&str>) -> String {
        let Self {
            object,
            reason,
            note,
        } = self;
        let kind = object.kind.as_str();
        let parts = [
            kind,
            &object.namespace,
            &object.name,
            uid.unwrap_or_default(),
            reason,
            note,
        ];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
            hash.update([0]);
        }
        let hash = hash.finalize();
        let bytes = hash.iter().take(8);
        let hash = bytes.fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let name = cut(&object.name, MAX_NAME).trim_end_matches(['-', '.']);
        format!("{name}.{hash}")
    }
}

impl Draft {
    /// What an Event says of a finding; nothing where no object is known.
    pub(super) fn of_finding(finding: &Finding) -> Option<Self> {
        let Finding {
            object: _,
            id,
            code,
            field,
            reason,
        } = finding;
        let note = if field.is_empty() {
            reason.clone()
        } else {
            format!("{field}: {reason}")
        };
        Some(Self {
            object: id.clone()?,
            reason: code.as_str(),
            note: cut(&note, MAX_NOTE).to_owned(),
        })
    }
}

impl From<Notice> for Draft {
    fn from(notice: Notice) -> Self {
        let Notice {
            object,
            reason,
            text,
        } = notice;
        Self {
            object,
            reason,
            note: cut(&text, MAX_NOTE).to_owned(),
        }
    }
}

fn cut(text: &str, n_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(n_bytes))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Code, Kind};

    fn draft(name: &str, reason: &str) -> Draft {
        let id = ObjectId::new(Kind::HttpRoute, "shop", name);
        let finding = Finding::new(&id, "spec.rules[0]", reason).with(Code::BackendNotHeld);
        Draft::of_finding(&finding).unwrap()
    }

    fn name(draft: &Draft, uid: &str) -> String {
        let event = draft.event(Some(uid), "pod", Timestamp::UNIX_EPOCH);
        event.metadata.name.unwrap()
    }

    #[test]
    fn the_name_is_the_same_for_the_same_trouble_alone() {
        let first = name(&draft("web", "no such port"), "1");
        assert_eq!(first, name(&draft("web", "no such port"), "1"));
        assert_ne!(first, name(&draft("web", "no such port"), "2"));
        assert_ne!(first, name(&draft("web", "no Service"), "1"));
        assert!(first.starts_with("web."), "{first}");
    }

    #[test]
    fn a_long_name_is_cut_where_the_api_server_takes_it() {
        let long = format!("{}-{}", "a".repeat(199), "b".repeat(50));
        let name = name(&draft(&long, "no such port"), "1");
        assert!(name.starts_with(&format!("{}.", "a".repeat(199))), "{name}");
        assert!(name.len() <= 253, "{name}");
    }

    #[test]
    fn an_event_names_field_and_object_in_its_bounds() {
        let event = draft("web", &"é".repeat(2_000)).event(None, "pod", Timestamp::UNIX_EPOCH);
        let note = event.note.unwrap();
        assert!(note.starts_with("spec.rules[0]: é"), "{note}");
        assert!(note.len() <= 1_024);
        assert_eq!(event.reason.as_deref(), Some("BackendNotHeld"));
        let regarding = event.regarding.unwrap();
        assert_eq!(regarding.kind.as_deref(), Some("HTTPRoute"));
        assert_eq!(regarding.namespace.as_deref(), Some("shop"));
    }

    #[test]
    fn objects_of_the_cluster_have_their_events_in_default() {
        let id = ObjectId::new(Kind::GatewayClass, "", "envoy");
        let draft = Draft::of_finding(&Finding::new(&id, "", "nobody serves it")).unwrap();
        let event = draft.event(None, "pod", Timestamp::UNIX_EPOCH);
        assert_eq!(event.metadata.namespace.as_deref(), Some("default"));
        assert_eq!(event.regarding.unwrap().namespace, None);
    }
}
