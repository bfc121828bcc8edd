//! Proxy-Wasm 0.2.1, as far as this filter needs it.
//!
//! The public SDK exports every callback that there is, and Envoy calls each one that a module has: for
//! a body chunk, for trailers, for the log, for a context's deletion, on every request. It copies each
//! header, and it panics at a byte that is not UTF-8 and at a status that it does not know. Here only
//! what the filter acts on is exported, what Envoy hands over stays in one block of memory that is used
//! again, and whatever Envoy answers is a value.
//!
//! The ABI: <https://github.com/proxy-wasm/spec/blob/main/abi-versions/v0.2.1/README.md>.

#[expect(
    unsafe_code,
    reason = "functions that Envoy calls have to keep their names"
)]
mod exports;
#[expect(unsafe_code, reason = "Envoy's functions are foreign to Rust")]
pub(crate) mod imports;
pub(crate) mod pairs;
#[expect(
    unsafe_code,
    reason = "the function by which Envoy gets memory has to keep its name"
)]
mod returned;

pub(crate) use returned::Returned;

/// What Envoy does with a request whose headers the filter has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilterHeadersStatus {
    /// It goes on.
    Continue,
    /// It stays, and so does what follows of it.
    Pause,
}

/// A severity in Envoy's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogLevel {
    Warn = 3,
    Error = 4,
    Critical = 5,
}

/// A kind of number among Envoy's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricType {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

/// A set of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapType {
    Request = 0,
    Response = 2,
    CallResponse = 6,
}

/// Bytes that Envoy has ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BufferType {
    GrpcReceiveBuffer = 5,
    PluginConfiguration = 7,
}
