//! Which workload a trigger means.

use std::collections::HashMap;

use super::{
    super::{Alias, Book, TRIGGER_KINDS},
    workload,
};

fn resolve(book: &Book, namespace: &str, metadata: &[(&str, &str)]) -> Result<String, String> {
    let metadata: HashMap<String, String> = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let found = book.resolve(namespace, &metadata);
    found
        .map(|workload| workload.id.clone())
        .map_err(|error| error.to_string())
}

#[test]
fn a_trigger_finds_its_workload_by_any_alias_in_its_namespace() {
    let mut book = Book::default();
    book.replace(vec![workload("web", &["a"]), workload("api", &["b"])]);
    let web = Ok("shop/Deployment/web".to_owned());
    let check = |namespace: &str, metadata: &[(&str, &str)], expected: Result<String, &str>| {
        assert_eq!(
            resolve(&book, namespace, metadata),
            expected.map_err(ToOwned::to_owned)
        );
    };
    check(
        "shop",
        &[("service", "web"), ("scalerAddress", "x:1")],
        web.clone(),
    );
    check(
        "shop",
        &[("workload", "Deployment/web"), ("service", "web")],
        web,
    );
    check(
        "shop",
        &[("workload", "web"), ("service", "api")],
        Err("the trigger's metadata names workload and service, which are different workloads"),
    );
    check(
        "shop",
        &[("service", "wbe")],
        Err(
            "no workload is known as service \"wbe\" in namespace \"shop\"; \
             known service names there: api, web",
        ),
    );
    check(
        "shop",
        &[("ingress", "web")],
        Err(
            "no workload is known as ingress \"web\" in namespace \"shop\"; known there: \
             service api, service web, workload Deployment/api, workload Deployment/web, \
             workload api, workload web",
        ),
    );
    check(
        "other",
        &[("service", "web")],
        Err(
            "no workload is known as service \"web\" in namespace \"other\"; \
             nothing is known in that namespace",
        ),
    );
    check(
        "shop",
        &[("pollingInterval", "15")],
        Err(
            "the trigger's metadata names no workload: give one of workload, service, httpRoute, \
             grpcRoute, ingress, virtualService, wakePolicy, interceptorRoute, httpScaledObject",
        ),
    );
}

#[test]
fn every_kind_of_name_finds_its_workload() {
    for kind in TRIGGER_KINDS {
        let mut web = workload("web", &["a"]);
        web.aliases = vec![Alias {
            kind: kind.to_owned(),
            name: "front".to_owned(),
        }];
        let mut book = Book::default();
        book.replace(vec![web]);
        let found = resolve(&book, "shop", &[(kind, "front")]);
        assert_eq!(found, Ok("shop/Deployment/web".to_owned()), "{kind}");
    }
    let pushed_by_the_control_plane = [
        "workload",
        "service",
        "httpRoute",
        "grpcRoute",
        "ingress",
        "virtualService",
    ];
    for kind in pushed_by_the_control_plane {
        assert!(TRIGGER_KINDS.contains(&kind), "{kind}");
    }
}

#[test]
fn an_interceptor_route_counts_before_an_http_scaled_object_and_before_nothing_else() {
    let named = |kind: &str, name: &str, key: &str| {
        let mut workload = workload(name, &[key]);
        workload.aliases.push(Alias {
            kind: kind.to_owned(),
            name: name.to_owned(),
        });
        workload
    };
    let mut book = Book::default();
    book.replace(vec![
        named("interceptorRoute", "new", "a"),
        named("httpScaledObject", "old", "b"),
    ]);
    let check = |metadata: &[(&str, &str)], expected: Result<&str, &str>| {
        let found = resolve(&book, "shop", metadata);
        let found = found.as_ref().map(String::as_str).map_err(String::as_str);
        assert_eq!(found, expected, "{metadata:?}");
    };
    let new = Ok("shop/Deployment/new");
    let route = ("interceptorRoute", "new");
    check(&[route, ("httpScaledObject", "old")], new);
    check(&[route, ("httpScaledObject", "gone")], new);
    check(&[route, ("interceptorTargetPendingRequests", "5")], new);
    check(&[route, ("service", "new")], new);
    check(
        &[("httpScaledObject", "old"), ("interceptorRoute", "")],
        Ok("shop/Deployment/old"),
    );
    check(
        &[route, ("service", "old")],
        Err(
            "the trigger's metadata names service and interceptorRoute, which are different workloads",
        ),
    );
}

#[test]
fn a_name_of_two_workloads_is_nobodys() {
    let mut book = Book::default();
    let mut set = workload("web", &["c"]);
    set.id = "shop/StatefulSet/web".to_owned();
    set.aliases.remove(0);
    book.replace(vec![workload("web", &["a"]), set]);
    let found = resolve(&book, "shop", &[("workload", "web")]);
    let names = "shop/Deployment/web, shop/StatefulSet/web";
    let text =
        format!("workload \"web\" stands for several workloads: {names}; name one as workload");
    assert_eq!(found, Err(text));
    assert!(resolve(&book, "shop", &[("workload", "Deployment/web")]).is_ok());
    assert_eq!(
        book.apply(vec![], &["shop/StatefulSet/web".to_owned()])
            .len(),
        1
    );
    assert!(resolve(&book, "shop", &[("workload", "web")]).is_ok());
}

#[test]
fn an_error_lists_a_few_names_of_many() {
    let mut book = Book::default();
    book.replace(
        (0..30)
            .map(|n| workload(&format!("w{n:02}"), &["a"]))
            .collect(),
    );
    let error = resolve(&book, "shop", &[("service", "x")]).unwrap_err();
    assert!(error.ends_with("w07, w08, w09 and 20 more"), "{error}");
}

#[test]
fn a_book_tells_what_changed() {
    let mut book = Book::default();
    book.replace(vec![workload("web", &["a"]), workload("api", &["a", "b"])]);
    assert_eq!(
        book.apply(vec![workload("web", &["a"])], &[]),
        Vec::<String>::new()
    );
    assert_eq!(book.of_key(&"a".into()).count(), 2);
    assert_eq!(
        book.apply(vec![workload("web", &["c"])], &[]),
        ["shop/Deployment/web"]
    );
    let of_a: Vec<_> = book.of_key(&"a".into()).collect();
    assert_eq!(of_a, ["shop/Deployment/api"]);
    let mut keys: Vec<_> = book.keys().map(ToString::to_string).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["a", "b", "c"]);
    let sum = book
        .keys()
        .fold(0, |sum: u64, key| sum.wrapping_add(key.digest()));
    assert_eq!(book.digest(), sum);
    assert_eq!(book.len(), 2);
}
