use std::collections::BTreeMap;

use envoy_types::pb::envoy::{
    config::{
        core::v3::address::Address,
        endpoint::v3::{ClusterLoadAssignment, lb_endpoint::HostIdentifier},
    },
    service::{
        discovery::v3::{
            DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
            aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
        },
        endpoint::v3::endpoint_discovery_service_client::EndpointDiscoveryServiceClient,
    },
};
use envoy_types::pb::google::protobuf::Any;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::harness::{ControlPlane, endpoints, shop, soon};

const TYPE_URL: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

#[derive(Clone, Copy)]
enum Over {
    Eds,
    Ads,
}

/// Cluster -> addresses.
type Clusters = BTreeMap<String, Vec<String>>;

fn clusters(resources: impl IntoIterator<Item = Any>) -> Clusters {
    resources
        .into_iter()
        .map(|resource| cluster(&resource))
        .collect()
}

fn cluster(resource: &Any) -> (String, Vec<String>) {
    assert_eq!(resource.type_url, TYPE_URL);
    let assignment = ClusterLoadAssignment::decode(resource.value.as_slice()).unwrap();
    let endpoints = assignment
        .endpoints
        .iter()
        .flat_map(|locality| &locality.lb_endpoints);
    let addresses = endpoints.map(|endpoint| {
        let Some(HostIdentifier::Endpoint(endpoint)) = &endpoint.host_identifier else {
            panic!()
        };
        let address = endpoint.address.as_ref().unwrap().address.as_ref().unwrap();
        let Address::SocketAddress(address) = address else {
            panic!("{address:?}")
        };
        format!(
            "{} {:?}",
            address.address,
            address.port_specifier.as_ref().unwrap()
        )
    });
    (assignment.cluster_name, addresses.collect())
}

fn expected(of: &[(&str, &[&str])]) -> Clusters {
    let address = |address: &&str| format!("{address} PortValue(8080)");
    of.iter()
        .map(|(name, all)| ((*name).to_owned(), all.iter().map(address).collect()))
        .collect()
}

struct Sotw(mpsc::Sender<DiscoveryRequest>, Streaming<DiscoveryResponse>);

impl Sotw {
    async fn open(plane: &ControlPlane, over: Over) -> Self {
        let (requests, stream) = mpsc::channel(8);
        let (stream, channel) = (ReceiverStream::new(stream), plane.channel().await);
        let responses = match over {
            Over::Eds => {
                EndpointDiscoveryServiceClient::new(channel)
                    .stream_endpoints(stream)
                    .await
            }
            Over::Ads => {
                let mut client = AggregatedDiscoveryServiceClient::new(channel);
                client.stream_aggregated_resources(stream).await
            }
        };
        Self(requests, responses.unwrap().into_inner())
    }

    async fn ask(&self, names: &[&str], nonce: &str) {
        let resource_names = names.iter().map(|name| (*name).to_owned()).collect();
        let (type_url, response_nonce) = (TYPE_URL.to_owned(), nonce.to_owned());
        let request = DiscoveryRequest {
            resource_names,
            type_url,
            response_nonce,
            ..Default::default()
        };
        self.0.send(request).await.unwrap();
    }

    async fn next(&mut self) -> (Clusters, String) {
        let response = soon("a response", self.1.message()).await.unwrap().unwrap();
        (clusters(response.resources), response.nonce)
    }
}

async fn state_of_the_world(over: Over) {
    let plane = ControlPlane::with(&(shop("web") + &shop("api"))).await;
    let mut envoy = Sotw::open(&plane, over).await;
    envoy.ask(&["shop/web/80", "shop/none/80"], "").await;
    let (first, nonce) = envoy.next().await;
    assert_eq!(
        first,
        expected(&[("shop/web/80", &[]), ("shop/none/80", &[])])
    );

    // An ack that asks for one more gets that one; a name may have the port's name.
    envoy
        .ask(&["shop/web/80", "shop/web/http", "shop/none/80"], &nonce)
        .await;
    assert_eq!(envoy.next().await.0, expected(&[("shop/web/http", &[])]));

    plane.write("web.yaml", &endpoints("web", &["127.0.0.1"]));
    let (ready, nonce) = envoy.next().await;
    let address: &[&str] = &["127.0.0.1"];
    assert_eq!(
        ready,
        expected(&[("shop/web/80", address), ("shop/web/http", address)])
    );

    // What is no longer asked for is not sent.
    envoy.ask(&["shop/api/80"], &nonce).await;
    assert_eq!(envoy.next().await.0, expected(&[("shop/api/80", &[])]));
    plane.write("web.yaml", &endpoints("web", &[]));
    plane.until("the change", |now| now.sequence == 3).await;
    plane.write("api.yaml", &endpoints("api", &["127.0.0.3"]));
    assert_eq!(
        envoy.next().await.0,
        expected(&[("shop/api/80", &["127.0.0.3"])])
    );

    plane.shutdown.cancel();
    assert!(soon("the end", envoy.1.message()).await.unwrap().is_none());
}

#[tokio::test]
async fn state_of_the_world_over_eds() {
    state_of_the_world(Over::Eds).await;
}

#[tokio::test]
async fn state_of_the_world_over_ads() {
    state_of_the_world(Over::Ads).await;
}

struct Delta(
    mpsc::Sender<DeltaDiscoveryRequest>,
    Streaming<DeltaDiscoveryResponse>,
);

impl Delta {
    async fn open(plane: &ControlPlane, over: Over) -> Self {
        let (requests, stream) = mpsc::channel(8);
        let (stream, channel) = (ReceiverStream::new(stream), plane.channel().await);
        let responses = match over {
            Over::Eds => {
                EndpointDiscoveryServiceClient::new(channel)
                    .delta_endpoints(stream)
                    .await
            }
            Over::Ads => {
                let mut client = AggregatedDiscoveryServiceClient::new(channel);
                client.delta_aggregated_resources(stream).await
            }
        };
        Self(requests, responses.unwrap().into_inner())
    }

    async fn ask(&self, request: DeltaDiscoveryRequest) {
        self.0
            .send(DeltaDiscoveryRequest {
                type_url: TYPE_URL.to_owned(),
                ..request
            })
            .await
            .unwrap();
    }

    async fn subscribe(&self, names: &[&str]) {
        let resource_names_subscribe = names.iter().map(|name| (*name).to_owned()).collect();
        self.ask(DeltaDiscoveryRequest {
            resource_names_subscribe,
            ..Default::default()
        })
        .await;
    }

    async fn next(&mut self) -> (Clusters, String) {
        let response = soon("a response", self.1.message()).await.unwrap().unwrap();
        let version = response.resources[0].version.clone();
        let resources = response.resources.into_iter().map(|resource| {
            let any = resource.resource.unwrap();
            assert_eq!(cluster(&any).0, resource.name);
            any
        });
        (clusters(resources), version)
    }
}

async fn delta(over: Over) {
    let plane = ControlPlane::with(&(shop("web") + &shop("api"))).await;
    let mut envoy = Delta::open(&plane, over).await;
    envoy.subscribe(&["shop/web/80", "shop/none/80"]).await;
    assert_eq!(
        envoy.next().await.0,
        expected(&[("shop/web/80", &[]), ("shop/none/80", &[])])
    );
    plane.write("web.yaml", &endpoints("web", &["127.0.0.1"]));
    let (ready, version) = envoy.next().await;
    assert_eq!(ready, expected(&[("shop/web/80", &["127.0.0.1"])]));

    // One that comes back names what it has, and is sent only what differs.
    let mut back = Delta::open(&plane, over).await;
    let request = DeltaDiscoveryRequest {
        resource_names_subscribe: vec!["shop/web/80".to_owned(), "shop/api/80".to_owned()],
        initial_resource_versions: [("shop/web/80".to_owned(), version)].into(),
        ..DeltaDiscoveryRequest::default()
    };
    back.ask(request).await;
    assert_eq!(back.next().await.0, expected(&[("shop/api/80", &[])]));

    // Asked for again it is sent again: the cluster was made new and is waiting.
    envoy.subscribe(&["shop/web/80"]).await;
    assert_eq!(
        envoy.next().await.0,
        expected(&[("shop/web/80", &["127.0.0.1"])])
    );

    let resource_names_unsubscribe = vec!["shop/web/80".to_owned()];
    envoy
        .ask(DeltaDiscoveryRequest {
            resource_names_unsubscribe,
            ..Default::default()
        })
        .await;
    envoy.subscribe(&["shop/api/80"]).await;
    assert_eq!(envoy.next().await.0, expected(&[("shop/api/80", &[])]));
    plane.write("web.yaml", &endpoints("web", &[]));
    plane.until("the change", |now| now.sequence == 3).await;
    plane.write("api.yaml", &endpoints("api", &["127.0.0.3"]));
    assert_eq!(
        envoy.next().await.0,
        expected(&[("shop/api/80", &["127.0.0.3"])])
    );

    plane.shutdown.cancel();
    assert!(soon("the end", envoy.1.message()).await.unwrap().is_none());
}

#[tokio::test]
async fn delta_over_eds() {
    delta(Over::Eds).await;
}

#[tokio::test]
async fn delta_over_ads() {
    delta(Over::Ads).await;
}

#[tokio::test]
async fn nothing_is_said_of_endpoints_before_the_first_load() {
    let mut plane = ControlPlane::unloaded().await;
    plane.write(
        "first.yaml",
        &(shop("web") + "---\n" + &endpoints("web", &["127.0.0.1"])),
    );
    let mut envoy = Sotw::open(&plane, Over::Eds).await;
    envoy.ask(&["shop/web/80"], "").await;
    plane.load();
    // An empty first answer would have taken away what Envoy had of an earlier control plane.
    assert_eq!(
        envoy.next().await.0,
        expected(&[("shop/web/80", &["127.0.0.1"])])
    );
}
