//! The death of a VM, on request: for a test of what survives it. In no module that is shipped.

use crate::host;

/// Panics when the request of the effective context asks for it.
pub(crate) fn on_request() {
    let asked = host::request_header("x-wakegate-test-panic");
    assert!(asked.is_none(), "a test asked for it");
}
