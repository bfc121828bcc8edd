//! What the filter says to Envoy, kept: the answers it sends and the request headers it sets.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use wasmi::{Caller, Linker};

use super::{Call, Host, OK};

/// An answer of the filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u32,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) grpc_status: i32,
}

impl Call<'_> {
    fn read(&self, at: u32, size: u32) -> Vec<u8> {
        let memory = self.0.get_export("memory").unwrap().into_memory().unwrap();
        let mut bytes = vec![0; size as usize];
        memory.read(&self.0, at as usize, &mut bytes).unwrap();
        bytes
    }

    fn text(&self, at: u32, size: u32) -> String {
        String::from_utf8(self.read(at, size)).unwrap()
    }
}

pub(super) fn link(linker: &mut Linker<Host>) {
    let header = |caller: Caller<'_, Host>, _map: u32, n: u32, n_size: u32, v: u32, v_size: u32| {
        let mut call = Call::count(caller, "proxy_replace_header_map_value");
        let header = (call.text(n, n_size), call.text(v, v_size));
        call.0.data_mut().set_headers.push(header);
        OK
    };
    linker
        .func_wrap("env", "proxy_replace_header_map_value", header)
        .unwrap();
    #[rustfmt::skip]
    let reply = |caller: Caller<'_, Host>, status: u32, _details: u32, _size: u32, body: u32, body_size: u32, headers: u32, headers_size: u32, grpc_status: i32| {
        let mut call = Call::count(caller, "proxy_send_local_response");
        let reply = Reply {
            status,
            headers: pairs(&call.read(headers, headers_size)),
            body: call.text(body, body_size),
            grpc_status,
        };
        call.0.data_mut().replies.push(reply);
        OK
    };
    linker
        .func_wrap("env", "proxy_send_local_response", reply)
        .unwrap();
}

/// Header pairs as the filter writes them.
fn pairs(map: &[u8]) -> Vec<(String, String)> {
    let size = |at: usize| {
        let word = map.get(at..).and_then(<[u8]>::first_chunk).unwrap();
        u32::from_le_bytes(*word) as usize
    };
    let mut at = 4 + 8 * size(0);
    let mut text = |size: usize| {
        let text = map.get(at..at + size).unwrap().to_vec();
        at += size + 1;
        String::from_utf8(text).unwrap()
    };
    let sizes = (0..size(0)).map(|number| (size(4 + 8 * number), size(8 + 8 * number)));
    sizes
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}
