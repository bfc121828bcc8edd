//! Whatever is wrong with one object is told with file, document, field and reason, and costs no other
//! object anything.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wakegate_e2e::client::{Answer, Version, fetch, get};
use wakegate_e2e::{NAMESPACE, Service, Stack, eventually};

const SOON: Duration = Duration::from_secs(20);

/// What is wrong, the file, and what the log must say about it beside the file's name.
struct Bad {
    file: &'static str,
    text: &'static [u8],
    says: &'static [&'static str],
}

const ROUTE: &[u8] = b"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n";

/// Ten kinds of wrong.
const BAD: [Bad; 10] = [
    Bad {
        file: "not-yaml.yaml",
        text: b"apiVersion: v1\nkind: [Service\n  metadata: }\n",
        says: &["not-yaml.yaml"],
    },
    Bad {
        file: "not-utf8.yaml",
        text: b"apiVersion: v1\nkind: Service\nmetadata: {name: \"\xff\xfe\"}\n",
        says: &["not-utf8.yaml"],
    },
    Bad {
        file: "no-kind.yaml",
        text: b"apiVersion: v1\nmetadata: {namespace: demo, name: nameless}\n",
        says: &["no-kind.yaml", "kind"],
    },
    Bad {
        file: "no-name.yaml",
        text: b"apiVersion: v1\nkind: Service\nmetadata: {namespace: demo}\nspec: {ports: [{port: 80}]}\n",
        says: &["no-name.yaml", "name"],
    },
    Bad {
        file: "wrong-type.yaml",
        text: b"apiVersion: v1\nkind: Service\nmetadata: {namespace: demo, name: wrong-type}\n\
                spec: {ports: [{port: eighty}]}\n",
        says: &["wrong-type.yaml", "port"],
    },
    Bad {
        file: "second-document.yaml",
        text: b"apiVersion: v1\nkind: Service\nmetadata: {namespace: demo, name: first}\n\
                spec: {ports: [{port: 80}]}\n---\napiVersion: v1\nkind: Service\n\
                metadata: {namespace: demo, name: second}\nspec: {ports: 80}\n",
        says: &["second-document.yaml", "ports"],
    },
    Bad {
        file: "bad-duration.yaml",
        text: b"metadata: {namespace: demo, name: bad-duration, annotations: \
                {wakegate.dev/scale-to-zero: \"true\", wakegate.dev/hold-timeout: soon}}\n\
                spec: {hostnames: [a.test], rules: [{backendRefs: [{name: shop, port: 80}]}]}\n",
        says: &["bad-duration", "hold-timeout", "soon"],
    },
    Bad {
        file: "bad-status.yaml",
        text: b"metadata: {namespace: demo, name: bad-status, annotations: \
                {wakegate.dev/scale-to-zero: \"true\", wakegate.dev/overflow: \"200\"}}\n\
                spec: {hostnames: [b.test], rules: [{backendRefs: [{name: shop, port: 80}]}]}\n",
        says: &["bad-status", "overflow", "200"],
    },
    Bad {
        file: "no-such-service.yaml",
        text: b"metadata: {namespace: demo, name: no-such-service, annotations: \
                {wakegate.dev/scale-to-zero: \"true\"}}\n\
                spec: {hostnames: [c.test], rules: [{backendRefs: [{name: nowhere, port: 80}]}]}\n",
        says: &["no-such-service", "nowhere"],
    },
    Bad {
        file: "bad-regex.yaml",
        text: b"metadata: {namespace: demo, name: bad-regex, annotations: \
                {wakegate.dev/scale-to-zero: \"true\"}}\n\
                spec: {hostnames: [d.test], rules: [{matches: [{path: \
                {type: RegularExpression, value: \"/(\"}}], backendRefs: [{name: shop, port: 80}]}]}\n",
        says: &["bad-regex"],
    },
];

/// Routes are told apart from the rest by having no `kind` of their own above.
fn whole(bad: &Bad) -> Vec<u8> {
    let is_route = bad.text.starts_with(b"metadata");
    if is_route {
        [ROUTE, bad.text].concat()
    } else {
        bad.text.to_vec()
    }
}

#[tokio::test]
async fn ten_kinds_are_named_and_cost_nobody_else_anything() -> Result<()> {
    let (shop, fine) = (Service::new("shop"), Service::new("fine"));
    // Three are there from the start, the others come while it runs.
    let builder = Stack::builder().serve(shop.clone()).serve(fine.clone());
    let builder = BAD.iter().take(3).fold(builder, |builder, bad| {
        builder.manifest(bad.file, whole(bad))
    });
    let stack = builder.start().await?;
    for bad in BAD.iter().skip(3) {
        stack.manifests.write(bad.file, whole(bad))?;
    }
    for bad in &BAD {
        eventually(SOON, &format!("the log names {:?}", bad.says), async || {
            let log = stack.control_plane.log();
            let is_told = |line: &str| bad.says.iter().all(|word| line.contains(word));
            log.lines().any(is_told).then_some(())
        })
        .await?;
    }
    let app = wakes(&stack, &shop)
        .await
        .context("served from the start")?;
    app.stop(SOON).await?;
    let app = wakes(&stack, &fine).await.context("its neighbour")?;
    app.stop(SOON).await?;
    stack.finish().await
}

/// The last good version of an object stays in force.
#[tokio::test]
async fn an_object_that_turns_bad_keeps_its_last_good_version() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::of(&[&shop]).await?;
    let good = shop.route_yaml();
    stack
        .manifests
        .write("shop.route.yaml", good.replace("PathPrefix", "PathGuess"))?;
    eventually(SOON, "the log names the route", async || {
        let log = stack.control_plane.log();
        let is_told = |line: &str| line.contains("shop") && line.contains("PathGuess");
        log.lines().any(is_told).then_some(())
    })
    .await?;
    let app = wakes(&stack, &shop).await?;
    app.stop(SOON).await?;
    stack.finish().await
}

/// Held, woken, answered.
async fn wakes(stack: &Stack, service: &Service) -> Result<wakegate_e2e::App> {
    let answering = fetch(Version::H1, stack.address()?, get(&service.url("/"))?);
    let waking = async {
        stack.held_is(1, SOON).await?;
        stack.wake(service).await
    };
    let (answer, app): (Answer, _) = tokio::try_join!(answering, waking)?;
    ensure!(
        answer.status == 200,
        "{NAMESPACE}/{}: {}",
        service.name,
        answer.status
    );
    Ok(app)
}
