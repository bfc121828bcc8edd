//! Envoy, as the filter asks it: the one file that names `abi::imports`.
//!
//! Every call that may fail says so by `Option` or `bool`.

use std::time::Duration;

use wakegate_core::{Parts, Rendered, ResponseFlags, TimeLeft, authority};
use wakegate_wire::grpc_service;

use crate::abi::{BufferType, LogLevel, MapType, MetricType, Returned, imports};

/// Time for one probe: longer than any healthy backend takes for a HEAD, shorter than the gate's own
/// patience.
const PROBE_TIMEOUT_MS: u32 = 2_000;

/// The wall clock, since the Unix epoch.
pub(crate) fn now() -> Duration {
    Duration::from_nanos(imports::current_time())
}

pub(crate) fn log(level: LogLevel, message: &str) {
    imports::log(level, message);
}

/// All request headers of the effective context, for `abi::pairs`.
pub(crate) fn request_headers() -> Returned {
    imports::headers(MapType::Request).unwrap_or_default()
}

pub(crate) fn request_header(name: &str) -> Option<Returned> {
    imports::header(MapType::Request, name)
}

pub(crate) fn add_response_header(name: &str, value: &str) {
    imports::add_header(MapType::Response, name, value);
}

/// Sets a request header that neither the client nor the route has set.
pub(crate) fn default_request_header(name: &str, value: &str) {
    if request_header(name).is_none() {
        imports::add_header(MapType::Request, name, value);
    }
}

/// Gives the backend of the effective context's request so long: Envoy's router obeys the header and keeps it
/// to itself.
pub(crate) fn set_time_left(left: TimeLeft) {
    let left = left.as_millis().to_string();
    imports::set_header(MapType::Request, "x-envoy-upstream-rq-timeout-ms", &left);
}

/// `xds.node.id`: the name of this Envoy.
pub(crate) fn node_id() -> Option<String> {
    let id = imports::property("xds\0node\0id")?;
    let id = String::from_utf8(id.to_vec()).ok();
    id.filter(|id| !id.is_empty())
}

/// The cluster that Envoy picked for the stream of the effective context.
pub(crate) fn cluster() -> Option<Returned> {
    imports::property("xds\0cluster_name").filter(|cluster| !cluster.is_empty())
}

pub(crate) fn response_flags() -> Option<ResponseFlags> {
    let flags = imports::property("response\0flags")?;
    let flags = flags.first_chunk().copied().map(u64::from_le_bytes);
    flags.map(ResponseFlags)
}

/// Filter state, as `wasm.<name>` in access logs.
pub(crate) fn set_filter_state(name: &str, value: &str) {
    imports::set_property(name, value.as_bytes());
}

/// Makes `context` the one that calls act on; false when its stream is gone.
pub(crate) fn enter(context: u32) -> bool {
    imports::set_effective_context(context)
}

/// Lets the stream of the effective context go on. Envoy says Ok even when it is gone.
pub(crate) fn resume_request() {
    imports::continue_request();
}

/// Answers the stream of the effective context.
pub(crate) fn reply(answer: &Rendered) {
    let headers = answer.headers.iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let grpc_status = answer
        .grpc_status
        .and_then(|status| i32::try_from(status).ok());
    match grpc_status {
        // Trailers alone: that it could not be served is the message of the status.
        Some(grpc_status) => imports::send_local_response(200, &answer.body, &headers, grpc_status),
        None => {
            imports::send_local_response(answer.status.into(), &answer.body, &headers, -1);
        }
    }
}

/// Answers the stream of the effective context with this as it stands. Envoy makes a gRPC status of the status
/// where the client speaks gRPC.
pub(crate) fn reply_as_is(parts: &Parts<'_>) {
    imports::send_local_response(parts.status.into(), parts.body, &parts.headers, -1);
}

pub(crate) fn set_tick(period: Duration) {
    imports::set_tick_period(u32::try_from(period.as_millis()).unwrap_or(u32::MAX));
}

pub(crate) fn open_stream(cluster: &str, service: &str, method: &str) -> Option<u32> {
    match authority(cluster) {
        None => imports::open_grpc_stream(cluster.as_bytes(), service, method),
        Some(authority) => {
            let target = grpc_service(cluster, authority);
            imports::open_grpc_stream(&target, service, method)
        }
    }
}

pub(crate) fn send(stream: u32, message: &[u8]) {
    imports::grpc_send(stream, message);
}

pub(crate) fn cancel_stream(stream: u32) {
    imports::grpc_cancel(stream);
}

/// The configuration of the root that is being configured.
pub(crate) fn plugin_configuration() -> Returned {
    imports::buffer(BufferType::PluginConfiguration, usize::MAX).unwrap_or_default()
}

/// The message that a stream just delivered.
pub(crate) fn stream_message(size: usize) -> Returned {
    imports::buffer(BufferType::GrpcReceiveBuffer, size).unwrap_or_default()
}

/// Sends a probe from the effective context; none when Envoy has no host to send it to.
pub(crate) fn probe(cluster: &str, authority: &str, method: &str, path: &str) -> Option<u32> {
    let headers = [
        (":method", method),
        (":path", path),
        (":authority", authority),
        ("user-agent", "wakegate-probe"),
    ];
    imports::http_call(cluster, &headers, PROBE_TIMEOUT_MS)
}

/// A header of the answer to a probe.
pub(crate) fn probe_header(name: &str) -> Option<Returned> {
    imports::header(MapType::CallResponse, name)
}

/// A value that all VMs of this process share, and the number to change it by.
pub(crate) fn shared(key: &str) -> (Option<Returned>, u32) {
    match imports::shared_data(key) {
        Some((value, cas)) => (Some(value).filter(|value| !value.is_empty()), cas),
        None => (None, 0),
    }
}

/// Whether it was set: not so when another VM was first. 0 sets it whatever there is.
pub(crate) fn set_shared(key: &str, value: &[u8], cas: u32) -> bool {
    imports::set_shared_data(key, value, cas)
}

pub(crate) fn define(kind: MetricType, name: &str) -> Option<u32> {
    imports::define_metric(kind, name)
}

pub(crate) fn increment(metric: u32, by: i64) {
    imports::increment_metric(metric, by);
}

pub(crate) fn record(metric: u32, value: u64) {
    imports::record_metric(metric, value);
}
