//! The hash maps of the hot path.

/// A hash map whose hash is made for short keys: several are asked for each request.
///
/// It does not resist keys that someone chooses to collide. Nothing that a client sends becomes a key
/// here: keys are hosts, paths and names of objects, and numbers that Envoy gives. The standard hash
/// would not resist either in the filter, where a VM has no randomness to begin with.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::FixedState>;
