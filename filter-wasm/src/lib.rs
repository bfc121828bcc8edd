//! The filter: a shell that turns Envoy's callbacks into questions to `wakegate_core::Worker`, and its
//! answers into host calls.
//!
//! It holds no borrow across a host call, acts on other streams only from calls that belong to no
//! stream, and never panics: a dead VM leaves every request that it holds hanging.

mod abi;
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
mod vm;
