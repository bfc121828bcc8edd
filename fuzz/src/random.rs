//! A request, as the rules of core's tests know it.

use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) host: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) method: String,
    pub(crate) headers: BTreeMap<String, Vec<u8>>,
}
