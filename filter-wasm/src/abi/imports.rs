//! Envoy's functions, made safe: slices in, values out.
//!
//! `None` and `false` stand for every status but Ok: the filter does the same whatever the reason.

use std::ptr;

use super::{BufferType, LogLevel, MapType, MetricType, Returned, pairs};

/// The one status that is told from the others.
const OK: u32 = 0;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    safe fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    safe fn proxy_continue_stream(stream_type: u32) -> u32;
    safe fn proxy_set_effective_context(context_id: u32) -> u32;
    safe fn proxy_grpc_cancel(token: u32) -> u32;
    safe fn proxy_record_metric(metric_id: u32, value: u64) -> u32;
    safe fn proxy_increment_metric(metric_id: u32, offset: i64) -> u32;
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(
        buffer_type: u32,
        start: usize,
        max_size: usize,
        data: *mut *const u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map_type: u32, data: *mut *const u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map_type: u32,
        name: *const u8,
        name_size: usize,
        data: *mut *const u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map_type: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map_type: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *const u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *const u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_ms: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_grpc_stream(
        cluster: *const u8,
        cluster_size: usize,
        service: *const u8,
        service_size: usize,
        method: *const u8,
        method_size: usize,
        metadata: *const u8,
        metadata_size: usize,
        token: *mut u32,
    ) -> u32;
    fn proxy_grpc_send(token: u32, message: *const u8, size: usize, end_of_stream: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
}

/// What a host call leaves behind `data` and `size`, if it says Ok.
fn returned(call: impl FnOnce(*mut *const u8, *mut usize) -> u32) -> Option<Returned> {
    let (mut data, mut size) = (ptr::null(), 0);
    let status = call(&raw mut data, &raw mut size);
    let returned = Returned::take(data, size);
    (status == OK).then_some(returned)
}

/// The number that a host call leaves, if it says Ok.
fn number(call: impl FnOnce(*mut u32) -> u32) -> Option<u32> {
    let mut number = 0;
    (call(&raw mut number) == OK).then_some(number)
}

pub(crate) fn log(level: LogLevel, message: &str) {
    // SAFETY: Envoy reads `message` during the call alone. Nothing is left to do when logging fails.
    let _ = unsafe { proxy_log(level as u32, message.as_ptr(), message.len()) };
}

/// Nanoseconds since the Unix epoch.
pub(crate) fn current_time() -> u64 {
    let mut time = 0;
    // SAFETY: Envoy writes one number during the call.
    let _ = unsafe { proxy_get_current_time_nanoseconds(&raw mut time) };
    time
}

pub(crate) fn set_tick_period(period_ms: u32) {
    let _ = proxy_set_tick_period_milliseconds(period_ms);
}

pub(crate) fn buffer(kind: BufferType, max_size: usize) -> Option<Returned> {
    // SAFETY: Envoy writes two numbers during the call, and the bytes where it was told to.
    returned(|data, size| unsafe { proxy_get_buffer_bytes(kind as u32, 0, max_size, data, size) })
}

/// All headers; read them with [`pairs::iter`].
pub(crate) fn headers(map: MapType) -> Option<Returned> {
    // SAFETY: as in `buffer`.
    returned(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) })
}

/// The value of one header; several of one name are one list.
pub(crate) fn header(map: MapType, name: &str) -> Option<Returned> {
    // SAFETY: as in `buffer`; Envoy reads `name` during the call alone.
    returned(|data, size| unsafe {
        proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size)
    })
}

pub(crate) fn add_header(map: MapType, name: &str, value: &str) {
    // SAFETY: Envoy reads both texts during the call alone.
    let _ = unsafe {
        proxy_add_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
}

/// Sets a header in place of all of its name.
pub(crate) fn set_header(map: MapType, name: &str, value: &str) {
    // SAFETY: as in `add_header`.
    let _ = unsafe {
        proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
}

/// An attribute of the stream or of Envoy, by its path with zero bytes between the parts.
pub(crate) fn property(path: &str) -> Option<Returned> {
    // SAFETY: as in `header`.
    returned(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

pub(crate) fn set_property(path: &str, value: &[u8]) {
    // SAFETY: as in `add_header`.
    let _ = unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) };
}

/// A value that all VMs of this process share, and the number to change it by, 0 for none.
pub(crate) fn shared_data(key: &str) -> Option<(Returned, u32)> {
    let mut cas = 0;
    // SAFETY: as in `header`; one more number is written during the call.
    let value = returned(|data, size| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas)
    });
    value.map(|value| (value, cas))
}

/// Whether it was set. `cas` 0 sets it whatever there is.
pub(crate) fn set_shared_data(key: &str, value: &[u8], cas: u32) -> bool {
    // SAFETY: as in `add_header`.
    let status =
        unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) };
    status == OK
}

/// Lets the stream of the effective context go on.
pub(crate) fn continue_request() {
    const HTTP_REQUEST: u32 = 0;
    let _ = proxy_continue_stream(HTTP_REQUEST);
}

/// Answers the stream of the effective context; `grpc_status` -1 is none.
pub(crate) fn send_local_response(
    status: u32,
    body: &str,
    headers: &[(&str, &str)],
    grpc_status: i32,
) {
    let headers = pairs::encode(headers);
    // SAFETY: as in `add_header`.
    let _ = unsafe {
        proxy_send_local_response(
            status,
            ptr::null(),
            0,
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        )
    };
}

/// Sends a request without a body; the token comes with its answer.
pub(crate) fn http_call(cluster: &str, headers: &[(&str, &str)], timeout_ms: u32) -> Option<u32> {
    let headers = pairs::encode(headers);
    let trailers = pairs::encode(&[]);
    // SAFETY: as in `add_header`; one number is written during the call.
    number(|token| unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            ptr::null(),
            0,
            trailers.as_ptr(),
            trailers.len(),
            timeout_ms,
            token,
        )
    })
}

/// `target` is the name of a cluster, or a `GrpcService` of Envoy's.
pub(crate) fn open_grpc_stream(target: &[u8], service: &str, method: &str) -> Option<u32> {
    let metadata = pairs::encode(&[]);
    // SAFETY: as in `http_call`.
    number(|token| unsafe {
        proxy_grpc_stream(
            target.as_ptr(),
            target.len(),
            service.as_ptr(),
            service.len(),
            method.as_ptr(),
            method.len(),
            metadata.as_ptr(),
            metadata.len(),
            token,
        )
    })
}

pub(crate) fn grpc_send(token: u32, message: &[u8]) {
    // SAFETY: as in `add_header`.
    let _ = unsafe { proxy_grpc_send(token, message.as_ptr(), message.len(), 0) };
}

pub(crate) fn grpc_cancel(token: u32) {
    let _ = proxy_grpc_cancel(token);
}

/// Whether there is such a context.
pub(crate) fn set_effective_context(context_id: u32) -> bool {
    proxy_set_effective_context(context_id) == OK
}

pub(crate) fn define_metric(kind: MetricType, name: &str) -> Option<u32> {
    // SAFETY: as in `http_call`.
    number(|id| unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), id) })
}

pub(crate) fn record_metric(metric: u32, value: u64) {
    let _ = proxy_record_metric(metric, value);
}

pub(crate) fn increment_metric(metric: u32, by: i64) {
    let _ = proxy_increment_metric(metric, by);
}
