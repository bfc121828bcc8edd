//! The functions that Envoy calls, and no others: it crosses into the VM for each that is here.
//!
//! Their names and parameters are the ABI's. Numbers that the filter has no use for are left out of
//! what is handed on.

use super::FilterHeadersStatus;
use crate::vm;

/// Says which ABI this is, by being there.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// A root when `parent_context_id` is 0, else a stream of that root.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context_id: u32, parent_context_id: u32) {
    vm::on_context_create(context_id, parent_context_id);
}

/// Whether the configuration is accepted.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root_context_id: u32, _configuration_size: usize) -> u32 {
    u32::from(vm::on_configure(root_context_id))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root_context_id: u32) {
    vm::on_tick(root_context_id);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context_id: u32, _n_headers: u32, _end: u32) -> u32 {
    match vm::on_request_headers(context_id) {
        FilterHeadersStatus::Continue => 0,
        FilterHeadersStatus::Pause => 1,
    }
}

/// Always lets the response go on.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context_id: u32, n_headers: usize, _end: u32) -> u32 {
    vm::on_response_headers(context_id, n_headers);
    0
}

/// The end of a stream or of a root: 1 says that there is nothing to wait for.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(context_id: u32) -> u32 {
    vm::on_done(context_id);
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    root_context_id: u32,
    token: u32,
    n_headers: usize,
    _body_size: usize,
    _n_trailers: usize,
) {
    vm::on_http_call_response(root_context_id, token, n_headers);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_receive(root_context_id: u32, token: u32, size: usize) {
    vm::on_grpc_receive(root_context_id, token, size);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_close(root_context_id: u32, token: u32, status: u32) {
    vm::on_grpc_close(root_context_id, token, status);
}
