//! The filter: a shell that turns Envoy's callbacks into questions to `wakegate_core::Worker`, and its
//! answers into host calls.
//!
//! It holds no borrow across a host call, acts on other streams only from calls that belong to no
//! stream, and never panics: a dead VM leaves every request that it holds hanging.
#![expect(
    missing_docs,
    reason = "the one public item is the function that the macro makes for Envoy to call"
)]

mod head;
mod host;
mod request;
mod root;
mod shared;
mod stats;
mod streams;
mod table_store;
#[cfg(feature = "test-panic")]
mod test_panic;

use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|context_id| Box::new(root::Root::new(context_id)));
}}
