//! Which requests an `InterceptorRoute` means: by host, path and header, as with the KEDA HTTP add-on. What it means
//! is held and wakes its workload, and what it does not mean passes by.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use wakegate_e2e::client::{Answer, Version, fetch, get};
use wakegate_e2e::kube::objects::{deployment, interceptor_route, service};
use wakegate_e2e::kube::{Host, Kind, Scene};

use crate::add_on::{is_ready, own_scaled_object, routed, wakes, was_held};
use crate::cycle::woken_by_keda;

/// A URL, and a header where there is one.
type Asked<'a> = (&'a str, Option<(&'a str, &'a str)>);

#[tokio::test]
async fn any_of_several_hosts_wakes() -> Result<()> {
    let rules = json!([ { "hosts": ["one.test", "two.test:8080"] } ]);
    let hosts = ["one.test", "two.test", "three.test"];
    let means = [("http://one.test/", None), ("http://two.test/", None)];
    let others = [("http://three.test/", None)];
    Box::pin(means_only(
        "several_hosts",
        rules,
        &hosts,
        (&means, &others),
    ))
    .await
}

#[tokio::test]
async fn a_wildcard_is_every_host_below() -> Result<()> {
    let rules = json!([ { "hosts": ["*.wild.test"] } ]);
    let hosts = ["a.wild.test", "a.b.wild.test", "wild.test"];
    let means = [
        ("http://a.wild.test/", None),
        ("http://A.b.Wild.test/", None),
    ];
    let others = [("http://wild.test/", None)];
    Box::pin(means_only("wildcard", rules, &hosts, (&means, &others))).await
}

#[tokio::test]
async fn a_path_is_the_beginning_by_whole_segments() -> Result<()> {
    let paths = json!([ { "value": "/api/" }, { "value": "/b c" } ]);
    let rules = json!([ { "hosts": ["shop.test"], "paths": paths } ]);
    let means = [
        ("http://shop.test/api", None),
        ("http://shop.test/api/v1?x=1", None),
        ("http://shop.test/b%20c/d", None),
    ];
    let others = [
        ("http://shop.test/", None),
        ("http://shop.test/apiv1", None),
    ];
    Box::pin(means_only(
        "path_prefix",
        rules,
        &["shop.test"],
        (&means, &others),
    ))
    .await
}

#[tokio::test]
async fn a_header_has_one_value_or_any() -> Result<()> {
    let headers = json!([ { "name": "X-Tenant", "value": "blue" }, { "name": "x-beta" } ]);
    let rules = json!([
        { "hosts": ["shop.test"], "headers": [headers[0]] },
        { "hosts": ["shop.test"], "headers": [headers[1]] },
    ]);
    let url = "http://shop.test/";
    let means = [
        (url, Some(("x-tenant", "blue"))),
        (url, Some(("x-beta", "whatever"))),
    ];
    let others = [(url, None), (url, Some(("x-tenant", "red")))];
    Box::pin(means_only(
        "headers",
        rules,
        &["shop.test"],
        (&means, &others),
    ))
    .await
}

#[tokio::test]
async fn each_of_several_rules_is_for_itself() -> Result<()> {
    let rules = json!([
        { "hosts": ["one.test"], "paths": [ { "value": "/cart" } ] },
        { "hosts": ["two.test"], "headers": [ { "name": "x-beta" } ] },
    ]);
    let means = [
        ("http://one.test/cart", None),
        ("http://two.test/", Some(("x-beta", "1"))),
    ];
    // What each rule says alone is not enough for the other.
    let others = [
        ("http://one.test/", Some(("x-beta", "1"))),
        ("http://two.test/cart", None),
    ];
    let hosts = ["one.test", "two.test"];
    Box::pin(means_only(
        "several_rules",
        rules,
        &hosts,
        (&means, &others),
    ))
    .await
}

#[tokio::test]
async fn a_port_may_be_named() -> Result<()> {
    let [deployment, service, route, scaled] = routed("shop").await?;
    let target = json!({ "service": "shop", "portName": "http" });
    let objects = [deployment, service, route.set("/target", target)?, scaled];
    let hosts = [Host::new("shop.test", "shop/80")];
    let scene = Scene::shared("port_name", &objects, &hosts).await?;
    is_ready(&scene, "shop").await?;
    wakes(&scene, "shop", "http://shop.test/").await?;
    scene.finish().await
}

/// Of several that mean requests of one host and lead to one Service, each wakes its own: the longer path before the
/// header, and a header before none.
#[tokio::test]
async fn the_most_exact_one_wakes_and_no_other() -> Result<()> {
    let names = ["cart", "beta", "rest"];
    let mut objects = vec![service("pool").set("/selector", json!({ "pool": "one" }))?];
    for name in names {
        let rule = match name {
            "cart" => json!({ "paths": [ { "value": "/cart" } ] }),
            "beta" => json!({ "headers": [ { "name": "x-beta" } ] }),
            _ => json!({}),
        };
        let route = interceptor_route(name, "pool.test", "pool");
        let labels = json!({ "app": name, "pool": "one" });
        objects.extend([
            deployment(name, &[]).set("/template/metadata/labels", labels)?,
            route.set("/rules/0", merged(json!({ "hosts": ["pool.test"] }), rule)?)?,
            own_scaled_object(name).await?,
        ]);
    }
    let hosts = [Host::new("pool.test", "pool/80")];
    let scene = Scene::shared("most_exact", &objects, &hosts).await?;
    for name in names {
        is_ready(&scene, name).await?;
    }
    let cases: [(&str, Asked<'_>); 3] = [
        ("cart", ("http://pool.test/cart", Some(("x-beta", "1")))),
        ("beta", ("http://pool.test/", Some(("x-beta", "1")))),
        ("rest", ("http://pool.test/", None)),
    ];
    for (name, asked) in cases {
        scene.is_asleep(asked.0).await?;
        let others = names.into_iter().filter(|it| *it != name);
        let before = generations(&scene, others.clone()).await?;
        was_held(&ask(&scene, asked).await?).context(name)?;
        woken_by_keda(&scene, name).await?;
        scene.deployment_is_at(name, 0).await?;
        let after = generations(&scene, others).await?;
        ensure!(before == after, "{asked:?} woke others as well: {after:?}");
    }
    scene.finish().await
}

/// How often the specs of Deployments were changed.
async fn generations(
    scene: &Scene<'_>,
    deployments: impl Iterator<Item = &str>,
) -> Result<Vec<String>> {
    let generation = "--output=jsonpath={.metadata.generation}";
    let mut generations = Vec::new();
    for name in deployments {
        let args = ["get", "deployment", name, generation];
        generations.push(scene.kubectl(&args).await?);
    }
    Ok(generations)
}

/// One that means the first requests and not the others: of these nobody knows, and Envoy answers that it has no
/// endpoint. Of the first each is held, since all come while the workload is at zero.
async fn means_only(
    test: &str,
    rules: Value,
    hosts: &[&str],
    (means, others): (&[Asked<'_>], &[Asked<'_>]),
) -> Result<()> {
    let [deployment, service, route, scaled] = routed("shop").await?;
    let objects = [deployment, service, route.set("/rules", rules)?, scaled];
    let hosts: Vec<_> = hosts.iter().map(|it| Host::new(it, "shop/80")).collect();
    let scene = Scene::shared(test, &objects, &hosts).await?;
    is_ready(&scene, "shop").await?;
    for asked in others {
        let answer = ask(&scene, *asked).await?;
        ensure!(
            answer.status == 503 && answer.header("x-keda-http-cold-start").is_empty(),
            "{asked:?} is answered with {}: {:?}",
            answer.status,
            answer.headers
        );
    }
    scene.is_at(Kind::DEPLOYMENT, "shop", 0).await?;
    let all = means.iter().map(|asked| ask(&scene, *asked));
    for (answer, asked) in try_join_all(all).await?.iter().zip(means) {
        was_held(answer).with_context(|| format!("{asked:?}"))?;
    }
    woken_by_keda(&scene, "shop").await?;
    scene.finish().await
}

async fn ask(scene: &Scene<'_>, (url, header): Asked<'_>) -> Result<Answer> {
    let mut request = get(url)?;
    if let Some((name, value)) = header {
        let name: http::HeaderName = name.parse()?;
        request.headers_mut().insert(name, value.parse()?);
    }
    fetch(Version::H1, scene.envoy()?.address(), request).await
}

fn merged(mut one: Value, other: Value) -> Result<Value> {
    let (fields, Value::Object(other)) = (one.as_object_mut().context("an object")?, other) else {
        anyhow::bail!("not an object");
    };
    fields.extend(other);
    Ok(one)
}
