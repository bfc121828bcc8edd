//! From zero and back to zero, which most promises begin or end with.

use anyhow::{Context, Result, ensure};
use wakegate_e2e::client::{Answer, Talk};
use wakegate_e2e::kube::objects::{Object, deployment, http_route, service};
use wakegate_e2e::kube::{Cluster, Host, Kind, Program, Scene, Told};

/// This object is ours, and its workload sleeps as soon as it may.
pub(crate) const QUICK: [(&str, &str); 2] = [("scale-to-zero", "true"), ("cooldown", "1s")];

/// A request to a Deployment at zero is held and answered by a pod that KEDA has let start; when nobody asks
/// any more, the Deployment goes back to zero.
pub(crate) async fn from_zero_and_back(scene: &Scene<'_>, workload: &str, url: &str) -> Result<()> {
    kind_from_zero_and_back(scene, (Kind::DEPLOYMENT, workload), url).await
}

/// The same with a workload of another kind.
pub(crate) async fn kind_from_zero_and_back(
    scene: &Scene<'_>,
    (kind, workload): (Kind, &str),
    url: &str,
) -> Result<()> {
    scene.scaled_object(workload).await?;
    scene.note(&format!("{workload}: its ScaledObject is there"));
    scene.is_asleep(url).await?;
    was_held(&scene.get(url).await?).with_context(|| url.to_owned())?;
    scene.note(&format!("{workload}: a request was held and answered"));
    woken_by_keda(scene, workload).await?;
    scene.is_at(kind, workload, 0).await?;
    scene.note(&format!("{workload}: it is at zero"));
    Ok(())
}

/// The same with a gRPC call.
pub(crate) async fn from_zero_and_back_by_grpc(
    scene: &Scene<'_>,
    workload: &str,
    host: &str,
) -> Result<()> {
    scene.scaled_object(workload).await?;
    let mut talk = Talk::open(scene.envoy()?.address(), host).await?;
    let answer = talk.say("good morning").await.context("a call at zero")?;
    ensure!(
        answer.metadata().contains_key("x-wakegate-cold-start"),
        "the call was not held"
    );
    ensure!(
        answer.into_inner().text == "good morning",
        "the note came back"
    );
    drop(talk);
    woken_by_keda(scene, workload).await?;
    scene.deployment_is_at(workload, 0).await
}

/// The answer is the app's, and says that the request was held.
pub(crate) fn was_held(answer: &Answer) -> Result<()> {
    let status = answer.status;
    ensure!(status == 200, "answered with {status}: {}", answer.text());
    ensure!(
        answer.header("x-wakegate-cold-start") == "true",
        "no mark of a cold start"
    );
    Ok(())
}

/// KEDA itself says that it has scaled a workload up.
pub(crate) async fn woken_by_keda(scene: &Scene<'_>, workload: &str) -> Result<()> {
    let name = scene.scaled_object_name(workload).await?;
    let name = name.as_str();
    let activated = "KEDAScaleTargetActivated";
    let is_it = |told: &Told| told.reason == activated;
    let told = scene
        .event(0, ("ScaledObject", name), activated, is_it)
        .await;
    told.map(drop)
}

/// Ends KEDA's metrics adapter, for a test in which the scaler has no answer for a while.
///
/// KEDA 2.21 forgets a scaler that gave an error. When a question of the HPA's makes it forget in the middle of
/// its own, it takes that for "not active" and may scale to zero, which it never does on an error (the sentinel
/// `ErrCacheClosed`, since its pull request 7737). At the intervals of a test that happens in one run of ten.
pub(crate) fn hpa_asks_nothing(cluster: &Cluster) -> Result<()> {
    cluster.kill(Program::KedaAdapter)
}

/// A Deployment at zero, its Service, and an `HTTPRoute` of the Gateway `edge` to it, all of one name.
pub(crate) fn routed(name: &str, annotations: &[(&str, &str)]) -> [Object; 3] {
    [
        deployment(name, &[]),
        service(name),
        http_route(name, "edge", &format!("{name}.test"), name).annotated(annotations),
    ]
}

/// The host of such a route.
pub(crate) fn host(name: &str) -> Host {
    Host::new(&format!("{name}.test"), &format!("{name}/80"))
}

/// A URL of such a host.
pub(crate) fn url(name: &str) -> String {
    format!("http://{name}.test/")
}

/// The annotations of `QUICK` and more.
pub(crate) fn quick<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&QUICK, more].concat()
}
