use super::*;

/// The refusal of the one bad document in `text`, as a person reads it.
fn refusal(text: &str) -> String {
    let errors: Vec<_> = parse(text)
        .into_iter()
        .filter_map(|parsed| parsed.content.err())
        .collect();
    let [error] = errors.as_slice() else {
        panic!("{errors:?}")
    };
    let object = error
        .object
        .as_ref()
        .map_or("?".to_owned(), ToString::to_string);
    format!("{object}: {}: {}", error.field, error.reason)
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n";

#[test]
fn a_document_that_does_not_parse_leaves_the_others() {
    let parsed = parse(&format!("{SERVICE}---\nkind: [\n---\n{SERVICE}"));
    let is_ok: Vec<_> = parsed
        .iter()
        .map(|parsed| (parsed.document, parsed.content.is_ok()))
        .collect();
    assert_eq!(is_ok, [(1, true), (2, false), (3, true)]);
    let reason = refusal(&format!("{SERVICE}---\nkind: [\n---\n{SERVICE}"));
    assert!(
        reason.contains("line 6") || reason.contains("line 5"),
        "the place in the file: {reason}"
    );
}

#[test]
fn a_list_is_its_items() {
    let parsed = parse(
        r#"{"kind": "List", "apiVersion": "v1", "items": [
        {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "a"}},
        {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "b"}}]}"#,
    );
    let [one, two] = parsed.as_slice() else {
        panic!("{parsed:?}")
    };
    let Ok(Content::Object(id, object)) = &one.content else {
        panic!("{one:?}")
    };
    assert_eq!(id.to_string(), "Service default/a");
    assert_eq!(object.metadata().namespace.as_deref(), Some("default"));
    assert!(matches!(&two.content, Ok(Content::Ignored(what)) if what == "v1 ConfigMap"));
}

#[test]
fn what_is_wrong_is_named_with_its_field() {
    for (text, expected) in [
        (
            "[1]",
            "?: : expected an object with apiVersion and kind, found a list",
        ),
        ("apiVersion: v1\nmetadata: {name: a}", "?: kind: missing"),
        (
            "kind: Service\nmetadata: {name: a}",
            "?: apiVersion: missing",
        ),
        ("apiVersion: v1\nkind: Service", "?: metadata.name: missing"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: 7}",
            "?: metadata.name: expected a string, found a number",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a/b}",
            "?: metadata.name: \"a/b\" is no name: lower-case letters, digits, - and . are",
        ),
        (
            "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: a}",
            "Ingress default/a: apiVersion: \"extensions/v1beta1\" is not read; networking.k8s.io/v1 is",
        ),
    ] {
        assert_eq!(refusal(text), expected);
    }
    let text = format!("{SERVICE}spec: {{ports: [{{port: http}}]}}");
    let expected =
        "Service shop/web: spec.ports[0].port: invalid type: string \"http\", expected i32";
    assert_eq!(refusal(&text), expected);
}

#[test]
fn gateway_api_and_duplicate_keys_are_checked() {
    let route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\n";
    let text =
        format!("{route}spec: {{rules: [{{matches: [{{path: {{type: Glob, value: /}}}}]}}]}}");
    let reason = refusal(&text);
    let expected =
        "HTTPRoute default/r: spec.rules[0].matches[0].path.type: unknown variant `Glob`";
    assert!(reason.starts_with(expected), "{reason}");
    let reason = refusal(&format!("{SERVICE}kind: Service\n"));
    assert!(reason.contains("kind"), "{reason}");
}
