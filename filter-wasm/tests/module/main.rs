//! The module that is shipped, in an interpreter that plays Envoy: what can be counted there. `just wasm`
//! builds it. Whether the filter works is tested in Envoy itself.

mod envoy;
mod hot_path;
mod stand_ins;
mod thaw;
