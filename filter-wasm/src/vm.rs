//! Which root and which request a callback of Envoy's is for.
//!
//! Several roots may share a VM: a changed configuration makes a new one while the requests of the old
//! one go on. What Envoy names that is not known is left alone.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    panic,
    rc::Rc,
};

use foldhash::fast::FixedState;

use crate::{
    abi::{FilterHeadersStatus, LogLevel},
    host, request,
    root::Root,
    shared::Shared,
};

thread_local! {
    static VM: Vm = Vm::default();
}

#[derive(Debug, Default)]
struct Vm {
    roots: RefCell<HashMap<u32, Rc<RefCell<Root>>, FixedState>>,
    /// From the request's start to its end.
    requests: RefCell<HashMap<u32, Rc<Shared>, FixedState>>,
    has_hook: Cell<bool>,
}

/// Does something with a root. One that is in a callback already is left alone: Envoy defers what
/// a callback brings about, so that none comes within another.
fn with_root<T>(id: u32, act: impl FnOnce(&mut Root) -> T) -> Option<T> {
    let root = VM.with(|vm| vm.roots.borrow().get(&id).cloned())?;
    let mut root = root.try_borrow_mut().ok()?;
    Some(act(&mut root))
}

fn shared_of(request: u32) -> Option<Rc<Shared>> {
    VM.with(|vm| vm.requests.borrow().get(&request).cloned())
}

pub(crate) fn on_context_create(id: u32, parent: u32) {
    if parent == 0 {
        VM.with(|vm| {
            if !vm.has_hook.replace(true) {
                panic::set_hook(Box::new(|panic| {
                    host::log(LogLevel::Critical, &panic.to_string());
                }));
            }
            let root = Rc::new(RefCell::new(Root::new(id)));
            vm.roots.borrow_mut().insert(id, root);
        });
    } else if let Some(Some(shared)) = with_root(parent, |root| root.shared()) {
        VM.with(|vm| vm.requests.borrow_mut().insert(id, shared));
    }
}

pub(crate) fn on_configure(root: u32) -> bool {
    with_root(root, Root::on_configure).unwrap_or(false)
}

pub(crate) fn on_tick(root: u32) {
    with_root(root, Root::on_tick);
}

pub(crate) fn on_request_headers(id: u32) -> FilterHeadersStatus {
    shared_of(id).map_or(FilterHeadersStatus::Continue, |shared| {
        request::on_headers(id, &shared)
    })
}

pub(crate) fn on_response_headers(id: u32, n_headers: usize) {
    if let Some(shared) = shared_of(id) {
        shared.mark_response(id, n_headers);
    }
}

pub(crate) fn on_done(id: u32) {
    if let Some(shared) = VM.with(|vm| vm.requests.borrow_mut().remove(&id)) {
        request::on_end(id, &shared);
    } else {
        let root = VM.with(|vm| vm.roots.borrow_mut().remove(&id));
        drop(root);
    }
}

pub(crate) fn on_http_call_response(root: u32, token: u32, n_headers: usize) {
    with_root(root, |root| root.on_http_call_response(token, n_headers));
}

pub(crate) fn on_grpc_receive(root: u32, token: u32, size: usize) {
    with_root(root, |root| root.on_grpc_receive(token, size));
}

pub(crate) fn on_grpc_close(root: u32, token: u32, status: u32) {
    with_root(root, |root| root.on_grpc_close(token, status));
}
