//! Our schemas against the add-on's, field by field: what its own let through, ours let through.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;
use wakegate_api::http_add_on::{InterceptorRoute, http_scaled_object_crd};

use super::{
    upstream::{Facts, Rule, Upstream},
    yaml,
};

/// The words of a schema that decide about an object, as they are called in the facts.
const KEYWORDS: [(&str, &str); 13] = [
    ("type", "type"),
    ("format", "format"),
    ("enum", "enum"),
    ("minimum", "min"),
    ("maximum", "max"),
    ("minLength", "minLength"),
    ("maxLength", "maxLength"),
    ("minItems", "minItems"),
    ("minProperties", "minProperties"),
    ("pattern", "pattern"),
    ("default", "default"),
    ("x-kubernetes-list-type", "listType"),
    ("x-kubernetes-list-map-keys", "listKeys"),
];

/// The words that decide nothing, or are looked at on their own.
const OTHERS: [&str; 8] = [
    "additionalProperties",
    "description",
    "items",
    "nullable",
    "properties",
    "required",
    "title",
    "x-kubernetes-validations",
];

fn interceptor_route() -> (Upstream, CustomResourceDefinition) {
    let facts = yaml::read(include_str!("interceptor_route.yaml"));
    (facts, InterceptorRoute::crd())
}

fn http_scaled_object() -> (Upstream, CustomResourceDefinition) {
    let facts = yaml::read(include_str!("http_scaled_object.yaml"));
    (facts, http_scaled_object_crd())
}

/// Every field of a schema by its path.
fn fields(schema: &Value, path: &str, all: &mut BTreeMap<String, Value>) {
    all.insert(path.to_owned(), schema.clone());
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        fields(field, path.trim_start_matches('.'), all);
    }
    for (word, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(inner) = schema.get(word) {
            fields(inner, &format!("{path}{mark}"), all);
        }
    }
}

fn ours(crd: &CustomResourceDefinition) -> BTreeMap<String, Value> {
    let crd = serde_json::to_value(crd).unwrap_or_default();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut all = BTreeMap::new();
    fields(schema, "", &mut all);
    all
}

fn is_same(one: &Value, other: &Value) -> bool {
    // Bounds are floats in `k8s-openapi`.
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.to_bits() == other.to_bits(),
        _ => one == other,
    }
}

/// What differs at one path. In a status, ours may let more through.
fn differences(path: &str, facts: &Facts, schema: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    let is_status = path.starts_with("status");
    for (word, fact) in KEYWORDS {
        let pair = (facts.keywords.get(fact), schema.get(word));
        let is_well = match pair {
            (Some(theirs), Some(ours)) => is_same(theirs, ours),
            (Some(_), None) => is_status,
            (None, Some(_)) => false,
            (None, None) => true,
        };
        if !is_well {
            differences.push(format!("{path}: {word}: {pair:?}"));
        }
    }
    let known =
        |word: &str| OTHERS.contains(&word) || KEYWORDS.iter().any(|(keyword, _)| *keyword == word);
    for word in schema.as_object().into_iter().flat_map(|it| it.keys()) {
        if !known(word) {
            differences.push(format!("{path}: {word} is nothing that is compared"));
        }
    }
    let required = |value: Option<&Value>| -> BTreeSet<String> {
        let names = value.and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut theirs = required(facts.keywords.get("required"));
    // The API server asks for it anyway.
    theirs.remove("metadata");
    let ours = required(schema.get("required"));
    if theirs != ours {
        differences.push(format!("{path}: required: {theirs:?} and {ours:?}"));
    }
    differences.extend(rule_differences(path, &facts.rules, schema));
    differences
}

/// Each rule of theirs is one of ours, and the other way around.
fn rule_differences(path: &str, theirs: &[Rule], schema: &Value) -> Vec<String> {
    let rules = schema["x-kubernetes-validations"].as_array();
    let ours: Vec<_> = rules
        .into_iter()
        .flatten()
        .filter_map(|rule| rule["rule"].as_str())
        .collect();
    let missing = theirs.iter().filter(|theirs| {
        let is_ours = ours.iter().any(|rule| theirs.is_same_as(rule));
        !is_ours
    });
    let missing = missing.map(|rule| format!("{path}: no rule for {rule:?}"));
    let more = ours.iter().filter(|rule| {
        let is_theirs = theirs.iter().any(|theirs| theirs.is_same_as(rule));
        !is_theirs
    });
    let more = more.map(|rule| format!("{path}: a rule of our own: {rule}"));
    missing.chain(more).collect()
}

fn compare((facts, crd): &(Upstream, CustomResourceDefinition)) -> Vec<String> {
    let ours = ours(crd);
    let mut all = Vec::new();
    for (path, theirs) in &facts.fields {
        match ours.get(path) {
            Some(schema) => all.extend(differences(path, theirs, schema)),
            None => all.push(format!("{path}: missing")),
        }
    }
    let more = ours.keys().filter(|path| !facts.fields.contains_key(*path));
    all.extend(more.map(|path| format!("{path}: a field of our own")));
    all
}

#[test]
fn every_field_is_as_the_add_on_has_it() {
    assert_eq!(compare(&interceptor_route()), [""; 0]);
    assert_eq!(compare(&http_scaled_object()), [""; 0]);
}

#[test]
fn names_columns_and_subresources_are_as_the_add_on_has_them() {
    for (facts, crd) in [interceptor_route(), http_scaled_object()] {
        let (spec, names) = (crd.spec.clone(), crd.spec.names);
        let [version] = spec.versions.as_slice() else {
            panic!("{} versions", spec.versions.len())
        };
        assert_eq!(spec.group, facts.group);
        assert_eq!(spec.scope, facts.scope);
        assert_eq!(names.kind, facts.kind);
        assert_eq!(names.plural, facts.plural);
        assert_eq!(names.short_names.unwrap_or_default(), facts.short_names);
        assert_eq!(version.name, facts.version);
        let columns = version.additional_printer_columns.iter().flatten();
        let columns: Vec<_> = columns
            .map(|it| (it.name.clone(), it.type_.clone(), it.json_path.clone()))
            .collect();
        assert_eq!(columns, facts.columns);
        let subresources = version.subresources.as_ref();
        let has_status = subresources.is_some_and(|it| it.status.is_some());
        assert_eq!(has_status, facts.has_status);
    }
}

/// A path, the word that is to be found wrong there, and what makes it wrong.
type Breakage = (&'static str, &'static str, fn(&mut Facts));

/// What would make ours refuse more than the add-on's is found.
#[test]
fn a_difference_is_found() {
    let breakages: [Breakage; 7] = [
        ("spec.target.port", "max", |it| {
            it.keywords.insert("max".to_owned(), 70_000.into());
        }),
        ("spec.target.port", "min", |it| {
            it.keywords.remove("min");
        }),
        ("spec.target", "required", |it| {
            it.keywords.remove("required");
        }),
        ("spec.target", "rule", |it| it.rules.clear()),
        ("spec.scalingMetric", "rule", |it| {
            let names = vec!["concurrency".to_owned(), "requestRate".to_owned()];
            it.rules = vec![Rule::ExactlyOneOf {
                exactly_one_of: names,
            }];
        }),
        ("spec.coldStart.overflow", "enum", |it| {
            it.keywords.insert("enum".to_owned(), Value::Null);
        }),
        ("spec.scalingMetric.requestRate.window", "default", |it| {
            it.keywords.remove("default");
        }),
    ];
    for (path, word, breaks) in breakages {
        let (mut facts, crd) = interceptor_route();
        let field = facts.fields.get_mut(path).unwrap();
        breaks(field);
        let found = compare(&(facts, crd));
        let is_it = |text: &String| text.starts_with(path) && text.contains(word);
        assert!(found.iter().any(is_it), "{path}: {word}: {found:?}");
    }
    let (mut facts, crd) = interceptor_route();
    let field = facts.fields.remove("spec.timeouts.request").unwrap();
    facts.fields.insert("spec.timeouts.later".to_owned(), field);
    let found = compare(&(facts, crd));
    let expected = [
        "spec.timeouts.later: missing",
        "spec.timeouts.request: a field of our own",
    ];
    assert_eq!(found, expected);
}
