//! What most tests of the KEDA HTTP add-on's kinds begin with.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wakegate_e2e::client::Answer;
use wakegate_e2e::eventually_is;
use wakegate_e2e::kube::objects::{Object, deployment, interceptor_route, scaled_object, service};
use wakegate_e2e::kube::{Kind, SOON, Scene, Wakegate};

use crate::cycle::woken_by_keda;

/// What the add-on puts on every answer of an app.
const MARK: &str = "x-keda-http-cold-start";

/// For the time without demand that the scaler takes for idle where a trigger does not say how often KEDA asks:
/// KEDA's default of 30 s, and some seconds.
pub(crate) const UNSAID_INTERVAL: Duration = Duration::from_secs(70);

/// A Deployment at zero, its Service, an `InterceptorRoute` for `NAME.test`, and the `ScaledObject` that a user
/// writes for it, all of one name.
pub(crate) async fn routed(name: &str) -> Result<[Object; 4]> {
    Ok([
        deployment(name, &[]),
        service(name),
        interceptor_route(name, &format!("{name}.test"), name),
        own_scaled_object(name).await?,
    ])
}

/// The `ScaledObject` that a user writes for a Deployment and the `InterceptorRoute` of its name.
pub(crate) async fn own_scaled_object(name: &str) -> Result<Object> {
    let scaler = scaler_address().await?;
    let trigger = [
        ("scalerAddress", scaler.as_str()),
        ("interceptorRoute", name),
        // With it the scaler need not think of KEDA's default, and says sooner that nobody asks.
        ("pollingInterval", "1"),
    ];
    Ok(scaled_object(name, name, &trigger))
}

/// Where KEDA finds the scaler of the shared cluster.
pub(crate) async fn scaler_address() -> Result<String> {
    let wakegate = Wakegate::shared().await?;
    Ok(wakegate.scaler().addresses().grpc.to_string())
}

/// Waits until every worker has the requests of an `InterceptorRoute`.
pub(crate) async fn is_ready(scene: &Scene<'_>, name: &str) -> Result<()> {
    let ready = ("Ready", "True");
    let condition = scene.condition(Kind::INTERCEPTOR_ROUTE, name, ready).await;
    condition.map(drop)
}

/// The answer is the app's, and says as the add-on does that the request was held.
pub(crate) fn was_held(answer: &Answer) -> Result<()> {
    let status = answer.status;
    ensure!(status == 200, "answered with {status}: {}", answer.text());
    let said = answer.header(MARK);
    ensure!(said == "true", "the mark of a cold start is {said:?}");
    Ok(())
}

/// Waits until requests are not held. Another worker may learn a moment later that an endpoint is ready; meanwhile the
/// app answers what it holds.
pub(crate) async fn passes(scene: &Scene<'_>, url: &str) -> Result<()> {
    let look = async || {
        let answer = scene.get(url).await?;
        Ok((answer.status, answer.header(MARK).to_owned()))
    };
    let app = (200, "false".to_owned());
    eventually_is(SOON, "the status and the mark of a cold start", app, look).await
}

/// A request to a Deployment at zero is held and answered by a pod that KEDA has let start, and the next is not
/// held; when nobody asks any more, the Deployment goes back to zero.
pub(crate) async fn from_zero_and_back(scene: &Scene<'_>, workload: &str, url: &str) -> Result<()> {
    wakes(scene, workload, url).await?;
    scene.deployment_is_at(workload, 0).await?;
    scene.note(&format!("{workload}: it is at zero"));
    Ok(())
}

/// The first half of it.
pub(crate) async fn wakes(scene: &Scene<'_>, workload: &str, url: &str) -> Result<()> {
    scene.is_asleep(url).await?;
    was_held(&scene.get(url).await?).with_context(|| format!("the first to {url}"))?;
    scene.note(&format!("{workload}: a request was held and answered"));
    passes(scene, url).await?;
    woken_by_keda(scene, workload).await
}
