//! A certificate is good for what its role does, and for nothing else.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use futures::stream;
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use wakegate_e2e::autoscaler::ScaledObject;
use wakegate_e2e::tls::Role;
use wakegate_e2e::{Daemon, Service, Stack, eventually, eventually_is};
use wakegate_wire::v1::demand_client::DemandClient;
use wakegate_wire::v1::routes_client::RoutesClient;
use wakegate_wire::v1::{self, watch_request};

use super::{SOON, has_one_line, n_refused};

const EDS: &str = "/envoy.service.endpoint.v3.EndpointDiscoveryService/StreamEndpoints";
const DELTA_EDS: &str = "/envoy.service.endpoint.v3.EndpointDiscoveryService/DeltaEndpoints";
const ADS: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

/// A request of xDS that asks for nothing, and an answer of which nothing is read.
#[derive(Clone, PartialEq, prost::Message)]
struct Discovery {}

#[tokio::test]
async fn only_keda_asks_what_to_scale() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder().serve(shop.clone()).tls().start().await?;
    let object = ScaledObject::new(&shop, stack.sample_app());
    let address = stack.scaler.addresses().grpc;
    for role in Role::ALL {
        let link = stack.certificates()?.link(address, role)?;
        let keda = object.contract(link)?;
        let unary = keda.is_active().await;
        let specs = keda.metric_names().await;
        let polled = keda.poll().await;
        // The stream opens, or fails at its first message.
        let streamed = keda.stream_is_active().await;
        if role == Role::Keda {
            ensure!(streamed.is_ok() && specs.is_ok(), "{streamed:?}, {specs:?}");
            // Nothing is called idle just after the start.
            let answered = async || keda.poll().await.ok();
            eventually(SOON, "KEDA is answered", answered).await?;
        } else {
            is_denied(unary, role, "IsActive")?;
            is_denied(specs, role, "GetMetricSpec")?;
            is_denied(polled, role, "GetMetrics")?;
            is_denied(streamed, role, "StreamIsActive")?;
        }
    }
    ensure!(n_refused(&stack.scaler, "wakegate_scaler", "role").await? >= 12.0);
    has_one_line(&stack.scaler, "role")?;
    stack.finish().await
}

#[tokio::test]
async fn only_filters_report_demand() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder().serve(shop.clone()).tls().start().await?;
    let held = v1::KeyReport {
        key: format!("service/{}/shop", wakegate_e2e::NAMESPACE),
        held: 1,
        started: 1,
        ..v1::KeyReport::default()
    };
    for role in Role::ALL {
        let mut demand = DemandClient::new(channel(&stack, &stack.scaler, role)?);
        let report = v1::ReportRequest {
            instance: Some(v1::Instance {
                proxy: format!("a-{}", role.name()),
                worker: 1,
                boot_id: 1,
                ..v1::Instance::default()
            }),
            sequence: 1,
            full: true,
            keys: if role == Role::Filter {
                Vec::new()
            } else {
                vec![held.clone()]
            },
            ..v1::ReportRequest::default()
        };
        let acked = first(demand.report(saying(report)).await).await;
        if role == Role::Filter {
            ensure!(acked.is_ok(), "{acked:?}");
        } else {
            is_denied(acked, role, "Demand/Report")?;
        }
    }
    // What they said counts for nothing.
    let keda = ScaledObject::new(&shop, stack.sample_app()).contract(stack.keda_link()?)?;
    let is_active = async || Ok(keda.is_active().await?);
    eventually_is(SOON, "a report that was denied wakes", false, is_active).await?;
    stack.finish().await
}

#[tokio::test]
async fn routes_are_for_filters_and_workloads_for_scalers() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder().serve(shop.clone()).tls().start().await?;
    for role in Role::ALL {
        for (asked, owner) in [
            (v1::Role::Filter, Role::Filter),
            (v1::Role::Scaler, Role::Scaler),
        ] {
            let mut routes = RoutesClient::new(channel(&stack, &stack.control_plane, role)?);
            let hello = v1::Hello {
                proxy: format!("a-{}", role.name()),
                worker: 1,
                protocol: 1,
                role: asked.into(),
                ..v1::Hello::default()
            };
            let hello = v1::WatchRequest {
                request: Some(watch_request::Request::Hello(hello)),
            };
            let told = first(routes.watch(saying(hello)).await).await;
            if role == owner {
                ensure!(told.is_ok(), "{role:?} as {asked:?}: {told:?}");
            } else {
                is_denied(told, role, asked.as_str_name())?;
            }
        }
    }
    let n_refused = n_refused(&stack.control_plane, "wakegate_control_plane", "role").await?;
    ensure!(n_refused >= 6.0, "{n_refused}");
    has_one_line(&stack.control_plane, "role")?;
    stack.finish().await
}

#[tokio::test]
async fn endpoints_are_for_envoys() -> Result<()> {
    let shop = Service::new("shop");
    let stack = Stack::builder().serve(shop).tls().start().await?;
    for role in Role::ALL {
        for path in [EDS, DELTA_EDS, ADS] {
            let mut grpc = Grpc::new(channel(&stack, &stack.control_plane, role)?);
            eventually(SOON, "a connection", async || grpc.ready().await.ok()).await?;
            let path = PathAndQuery::from_static(path);
            let codec = ProstCodec::<Discovery, Discovery>::default();
            // It ends at once, so that whoever is served gets to an end as well.
            let asked = Request::new(stream::empty());
            let answered = grpc.streaming(asked, path.clone(), codec).await;
            let answered: Result<Option<Discovery>, Status> = match answered {
                Ok(answer) => answer.into_inner().message().await,
                Err(status) => Err(status),
            };
            if role == Role::Filter {
                let denied = answered.as_ref().err().map(Status::code);
                ensure!(
                    denied != Some(Code::PermissionDenied),
                    "{path}: {answered:?}"
                );
                ensure!(denied != Some(Code::Unimplemented), "{path}: {answered:?}");
            } else {
                is_denied(answered, role, path.as_str())?;
            }
        }
    }
    stack.finish().await
}

fn channel(stack: &Stack, daemon: &Daemon, role: Role) -> Result<Channel> {
    let address: SocketAddr = daemon.addresses().grpc;
    stack.certificates()?.link(address, role)?.channel()
}

/// One message and then nothing; the stream stays open.
fn saying<T: Send + 'static>(message: T) -> impl stream::Stream<Item = T> + Send + 'static {
    use futures::StreamExt as _;
    stream::iter([message]).chain(stream::pending())
}

/// The first message that comes back, or why none does.
async fn first<T>(opened: Result<Response<Streaming<T>>, Status>) -> Result<T, Status> {
    let message = opened?.into_inner().message().await?;
    message.ok_or_else(|| Status::ok("the stream ended"))
}

fn is_denied<T: std::fmt::Debug>(
    answered: Result<T, Status>,
    role: Role,
    what: &str,
) -> Result<()> {
    let status = answered.err();
    let status = status.with_context(|| format!("{what} is served to {role:?}"))?;
    let code = status.code();
    ensure!(
        code == Code::PermissionDenied,
        "{what} to {role:?}: {status}"
    );
    Ok(())
}
