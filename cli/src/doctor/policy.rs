//! Envoy Gateway's policies: what each is about, and which of several counts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    attachment::target_refs,
    objects::{Object, Objects, list_at, text_at},
};
use crate::source::Resource;

/// One rule of a route at one listener of a Gateway.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) route: &'a Object,
    /// Its name, where it has one.
    pub(crate) rule: Option<&'a str>,
    pub(crate) gateway: &'a Object,
    pub(crate) listener: Option<&'a str>,
}

/// The policies of one kind for a scope, by what they are about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Levels<'a> {
    /// Of the rule, or else of the route.
    pub(crate) route: Option<&'a Object>,
    pub(crate) listener: Option<&'a Object>,
    pub(crate) gateway: Option<&'a Object>,
}

impl<'a> Scope<'a> {
    /// The policies of a kind that are for this scope.
    pub(crate) fn policies(&self, objects: &'a Objects, resource: Resource) -> Levels<'a> {
        let all = objects.all(resource);
        let rule = self
            .rule
            .and_then(|rule| oldest(all, self.route, Some(rule)));
        let listener = self
            .listener
            .and_then(|listener| oldest(all, self.gateway, Some(listener)));
        Levels {
            route: rule.or_else(|| oldest(all, self.route, None)),
            listener,
            gateway: oldest(all, self.gateway, None),
        }
    }
}

impl<'a> Levels<'a> {
    /// The value of a field, and the policy that says it: a policy of a route replaces that of its Gateway unless it
    /// says how both are merged, and one of a listener replaces it always.
    pub(crate) fn field(&self, pointer: &str) -> Option<(&'a Object, &'a Value)> {
        let parent = self.listener.or(self.gateway);
        self.route_or(parent, pointer)
    }

    /// The same for `routingType`, which a listener's policy that says nothing leaves to the Gateway's.
    pub(crate) fn routing_type(&self) -> Option<(&'a Object, &'a Value)> {
        let pointer = "/spec/routingType";
        let says = |it: &&Object| it.at(pointer).is_some();
        let parent = self.listener.filter(says).or(self.gateway);
        self.route_or(parent, pointer)
    }

    fn route_or(
        &self,
        parent: Option<&'a Object>,
        pointer: &str,
    ) -> Option<(&'a Object, &'a Value)> {
        let of = |object: &'a Object| object.at(pointer).map(|value| (object, value));
        match self.route {
            Some(own) if own.at("/spec/mergeType").is_none() => of(own),
            Some(own) => of(own).or_else(|| parent.and_then(of)),
            None => parent.and_then(of),
        }
    }
}

/// Of several about the same the oldest counts, then the first by name.
fn oldest<'a>(
    policies: &'a [Object],
    target: &Object,
    section: Option<&str>,
) -> Option<&'a Object> {
    let meant = policies.iter().filter(|policy| {
        let mut sections = sections(policy, target).into_iter();
        sections.any(|it| it == section)
    });
    meant.min_by_key(|it| (it.text("/metadata/creationTimestamp"), &it.id))
}

/// The parts of an object that a policy is about; `None` is the whole.
pub(crate) fn sections<'a>(policy: &'a Object, target: &Object) -> Vec<Option<&'a str>> {
    let is_same = policy.id.namespace == target.id.namespace;
    let refs = target_refs(policy).into_iter().filter(|it| {
        is_same
            && text_at(it, "/kind") == Some(target.id.kind)
            && text_at(it, "/name") == Some(&*target.id.name)
    });
    let mut sections: Vec<_> = refs.map(|it| text_at(it, "/sectionName")).collect();
    let mut selectors = policy.list("/spec/targetSelectors").iter();
    let is_selected = selectors.any(|it| {
        let from = text_at(it, "/namespaces/from").unwrap_or("Same");
        text_at(it, "/kind") == Some(target.id.kind)
            && (is_same || from == "All")
            && has_labels(target, it)
    });
    if is_selected {
        sections.push(None);
    }
    sections
}

/// Whether an object has the labels of a selector. Expressions are taken to be met: a finding too few is better here
/// than one that is wrong.
fn has_labels(target: &Object, selector: &Value) -> bool {
    let labels: BTreeMap<_, _> = match selector.pointer("/matchLabels") {
        Some(Value::Object(labels)) => labels.iter().collect(),
        _ => BTreeMap::new(),
    };
    let expressions = list_at(selector, "/matchExpressions");
    if labels.is_empty() && expressions.is_empty() {
        return true;
    }
    labels
        .into_iter()
        .all(|(key, value)| target.label(key) == value.as_str())
}
