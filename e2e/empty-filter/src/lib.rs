//! A filter that takes every callback of a request and does nothing in it: what a wasm filter costs
//! in Envoy at least. Configured with `pause`, it pauses every request at its headers instead: what a
//! request that waits costs at least. `just bench` measures ours against it.

#![expect(missing_docs, reason = "the functions that proxy_wasm::main! makes")]

use proxy_wasm::{
    hostcalls,
    traits::{Context, HttpContext, RootContext},
    types::{Action, BufferType, ContextType},
};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Empty(Action::Continue)));
}}

/// What it says to every request.
#[derive(Debug)]
struct Empty(Action);

impl Context for Empty {}

impl HttpContext for Empty {
    fn on_http_request_headers(&mut self, _n_headers: usize, _end_of_stream: bool) -> Action {
        self.0
    }
}

impl RootContext for Empty {
    fn on_configure(&mut self, size: usize) -> bool {
        let text = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size);
        if text.ok().flatten().as_deref() == Some(b"pause") {
            self.0 = Action::Pause;
        }
        true
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Self(self.0)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
