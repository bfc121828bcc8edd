//! Envoy, as the filter asks it: the one file that names `hostcalls`.
//!
//! Every call that may fail says so by `Option` or `bool`. Only the `_bytes` forms of the SDK are used:
//! the others die of a byte that is not UTF-8.

use std::time::{Duration, UNIX_EPOCH};

use proxy_wasm::{
    hostcalls,
    types::{BufferType, GrpcStatusCode, LogLevel, MapType, MetricType},
};
use wakegate_core::{Rendered, ResponseFlags};

/// Time for one probe: longer than any healthy backend takes for a HEAD, shorter than the gate's own
/// patience.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The wall clock, since the Unix epoch.
pub(crate) fn now() -> Duration {
    hostcalls::get_current_time()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default()
}

pub(crate) fn log(level: LogLevel, message: &str) {
    // Nothing is left to do when logging fails.
    let _ = hostcalls::log(level, message);
}

pub(crate) fn request_headers() -> Vec<(String, Vec<u8>)> {
    hostcalls::get_map_bytes(MapType::HttpRequestHeaders).unwrap_or_default()
}

pub(crate) fn request_header(name: &str) -> Option<Vec<u8>> {
    hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name).ok()?
}

pub(crate) fn add_response_header(name: &str, value: &str) {
    let _ = hostcalls::add_map_value(MapType::HttpResponseHeaders, name, value);
}

/// Sets a request header that neither the client nor the route has set.
pub(crate) fn default_request_header(name: &str, value: &str) {
    if request_header(name).is_none() {
        let _ = hostcalls::add_map_value(MapType::HttpRequestHeaders, name, value);
    }
}

/// `xds.node.id`: the name of this Envoy.
pub(crate) fn node_id() -> Option<String> {
    let id = hostcalls::get_property(vec!["xds", "node", "id"]).ok()??;
    String::from_utf8(id).ok().filter(|id| !id.is_empty())
}

/// The cluster that Envoy picked for the stream of the effective context.
pub(crate) fn cluster() -> Option<Vec<u8>> {
    let cluster = hostcalls::get_property(vec!["xds", "cluster_name"]).ok()??;
    (!cluster.is_empty()).then_some(cluster)
}

pub(crate) fn response_flags() -> Option<ResponseFlags> {
    let flags = hostcalls::get_property(vec!["response", "flags"]).ok()??;
    let flags = u64::from_le_bytes(flags.try_into().ok()?);
    Some(ResponseFlags(flags))
}

/// Filter state, as `wasm.<name>` in access logs.
pub(crate) fn set_filter_state(name: &str, value: &str) {
    let _ = hostcalls::set_property(vec![name], Some(value.as_bytes()));
}

/// Makes `context` the one that calls act on; false when its stream is gone.
pub(crate) fn enter(context: u32) -> bool {
    hostcalls::set_effective_context(context).is_ok()
}

/// Lets the stream of the effective context go on. Envoy says Ok even when it is gone.
pub(crate) fn resume_request() {
    let _ = hostcalls::resume_http_request();
}

/// Answers the stream of the effective context.
pub(crate) fn reply(answer: &Rendered) {
    let body = (!answer.body.is_empty()).then_some(answer.body.as_str());
    if answer.grpc_status.is_some() {
        let metadata = answer.headers.iter();
        let metadata = metadata.map(|(name, value)| (*name, value.as_bytes()));
        let _ =
            hostcalls::send_grpc_response(GrpcStatusCode::Unavailable, body, metadata.collect());
        return;
    }
    let headers = answer.headers.iter();
    let headers = headers.map(|(name, value)| (*name, value.as_str()));
    let _ = hostcalls::send_http_response(
        u32::from(answer.status),
        headers.collect(),
        body.map(str::as_bytes),
    );
}

pub(crate) fn set_tick(period: Duration) {
    let _ = hostcalls::set_tick_period(period);
}

pub(crate) fn open_stream(cluster: &str, service: &str, method: &str) -> Option<u32> {
    hostcalls::open_grpc_stream(cluster, service, method, Vec::new()).ok()
}

pub(crate) fn send(stream: u32, message: &[u8]) {
    let _ = hostcalls::send_grpc_stream_message(stream, Some(message), false);
}

pub(crate) fn cancel_stream(stream: u32) {
    let _ = hostcalls::cancel_grpc_stream(stream);
}

/// The configuration of the root that is being configured.
pub(crate) fn plugin_configuration() -> Vec<u8> {
    let json = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX);
    json.ok().flatten().unwrap_or_default()
}

/// The message that a stream just delivered.
pub(crate) fn stream_message(size: usize) -> Option<Vec<u8>> {
    hostcalls::get_buffer(BufferType::GrpcReceiveBuffer, 0, size).ok()?
}

/// Sends a probe from the effective context; none when Envoy has no host to send it to.
pub(crate) fn probe(cluster: &str, authority: &str, method: &str, path: &str) -> Option<u32> {
    let headers = vec![
        (":method", method),
        (":path", path),
        (":authority", authority),
        ("user-agent", "wakegate-probe"),
    ];
    hostcalls::dispatch_http_call(cluster, headers, None, Vec::new(), PROBE_TIMEOUT).ok()
}

/// A header of the answer to a probe.
pub(crate) fn probe_header(name: &str) -> Option<Vec<u8>> {
    hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, name).ok()?
}

/// A value that all VMs of this process share, and the number to change it by.
pub(crate) fn shared(key: &str) -> (Option<Vec<u8>>, Option<u32>) {
    hostcalls::get_shared_data(key).unwrap_or_default()
}

/// Whether it was set: not so when another VM was first.
pub(crate) fn set_shared(key: &str, value: &[u8], cas: Option<u32>) -> bool {
    hostcalls::set_shared_data(key, Some(value), cas).is_ok()
}

pub(crate) fn define(kind: MetricType, name: &str) -> Option<u32> {
    hostcalls::define_metric(kind, name).ok()
}

pub(crate) fn increment(metric: u32, by: i64) {
    let _ = hostcalls::increment_metric(metric, by);
}

pub(crate) fn record(metric: u32, value: u64) {
    let _ = hostcalls::record_metric(metric, value);
}
