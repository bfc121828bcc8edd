//! The two gRPC streams of a worker, as Envoy carries them.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use wakegate_core::{Instance, Link, LinkAction, Report, TableUpdate};
use wakegate_wire::{Assembler, Message as _, v1};

use crate::{host, shared::Shared};

/// The version of both protocols that this filter speaks.
const PROTOCOL: u32 = 1;

/// A stream that is opened, listened to and opened again.
#[derive(Debug)]
struct Line {
    link: Link,
    token: Option<u32>,
}

/// The stream from the control plane.
#[derive(Debug)]
pub(crate) struct RoutesStream {
    line: Line,
    assembler: Assembler,
}

/// The stream to the scaler. Requests send on it as well, so that it can be borrowed by none for long.
#[derive(Debug, Default)]
pub(crate) struct DemandStream {
    line: RefCell<Option<Line>>,
    /// Goes into the first report of a stream.
    hello: RefCell<Option<Instance>>,
    is_hello_due: Cell<bool>,
}

/// What a message of the control plane comes to.
#[derive(Debug)]
pub(crate) enum News {
    /// A table, or a change of it.
    Table(TableUpdate),
    /// The workers of this proxy that are connected.
    Workers(u32),
    /// A part of an update, or something that this release does not know.
    Nothing,
}

/// How the peer ended a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With OK: it wants the stream to be elsewhere, and is well.
    Well,
    /// In any other way.
    Badly,
}

impl From<u32> for End {
    /// By gRPC's code.
    fn from(status: u32) -> Self {
        if status == 0 { Self::Well } else { Self::Badly }
    }
}

impl Line {
    fn new(seed: u64) -> Self {
        Self {
            link: Link::new(seed),
            token: None,
        }
    }

    /// Opens the stream or gives it up, as is due; true when it was opened.
    fn poll(&mut self, now: Duration, cluster: &str, service: &str, method: &str) -> bool {
        match self.link.poll(now) {
            Some(LinkAction::Open) => {
                self.token = host::open_stream(cluster, service, method);
                if self.token.is_some() {
                    self.link.opened(now);
                } else {
                    self.link.closed(now);
                }
                self.token.is_some()
            }
            Some(LinkAction::Cancel) => {
                if let Some(token) = self.token.take() {
                    host::cancel_stream(token);
                }
                false
            }
            None => false,
        }
    }

    fn is(&self, token: u32) -> bool {
        self.token == Some(token)
    }

    fn closed(&mut self, now: Duration, end: End) {
        self.token = None;
        match end {
            End::Well => self.link.ended_well(now),
            End::Badly => self.link.closed(now),
        }
    }
}

impl RoutesStream {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            line: Line::new(seed),
            assembler: Assembler::default(),
        }
    }

    pub(crate) fn poll(&mut self, now: Duration, shared: &Shared, instance: &Instance) {
        let cluster = &shared.config.control_plane.cluster;
        let opened = self.line.poll(now, cluster, "wakegate.v1.Routes", "Watch");
        if opened {
            self.assembler.restart();
            let version = shared
                .worker
                .borrow()
                .version()
                .unwrap_or_default()
                .to_owned();
            self.send(v1::watch_request::Request::Hello(v1::Hello {
                proxy: instance.proxy.as_ref().to_owned(),
                worker: instance.worker,
                release: env!("CARGO_PKG_VERSION").to_owned(),
                protocol: PROTOCOL,
                scope: Some(v1::Scope::from(&shared.config.scope)),
                version,
                role: v1::Role::Filter.into(),
            }));
        }
    }

    pub(crate) fn is(&self, token: u32) -> bool {
        self.line.is(token)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.line.link.is_up()
    }

    pub(crate) fn closed(&mut self, now: Duration, end: End) {
        self.line.closed(now, end);
    }

    /// # Errors
    /// The update was refused, and the control plane was told why; the text is for the log.
    pub(crate) fn on_message(&mut self, now: Duration, message: &[u8]) -> Result<News, String> {
        self.line.link.heard(now);
        let response = v1::WatchResponse::decode(message).map_err(|error| error.to_string())?;
        match response.response {
            Some(v1::watch_response::Response::Heartbeat(heartbeat)) => {
                Ok(News::Workers(heartbeat.workers.max(1)))
            }
            Some(v1::watch_response::Response::Update(chunk)) => match self.assembler.push(chunk) {
                Ok(None) => Ok(News::Nothing),
                Ok(Some(update)) => Ok(News::Table(update)),
                Err(error) => {
                    let reason = describe(&error);
                    self.ack(error.version, reason.clone());
                    Err(reason)
                }
            },
            None => Ok(News::Nothing),
        }
    }

    /// Tells the control plane that `version` is in force, or why it is not.
    pub(crate) fn ack(&self, version: String, error: String) {
        self.send(v1::watch_request::Request::Ack(v1::Ack { version, error }));
    }

    fn send(&self, request: v1::watch_request::Request) {
        if let Some(token) = self.line.token {
            let request = v1::WatchRequest {
                request: Some(request),
            };
            host::send(token, &request.encode_to_vec());
        }
    }
}

impl DemandStream {
    pub(crate) fn start(&self, seed: u64, instance: Instance) {
        *self.line.borrow_mut() = Some(Line::new(seed));
        *self.hello.borrow_mut() = Some(instance);
    }

    pub(crate) fn poll(&self, now: Duration, shared: &Shared) {
        let mut line = self.line.borrow_mut();
        let Some(line) = line.as_mut() else {
            return;
        };
        let had_stream = line.token.is_some();
        let cluster = &shared.config.scaler.cluster;
        if line.poll(now, cluster, "wakegate.v1.Demand", "Report") {
            self.is_hello_due.set(true);
            shared.worker.borrow_mut().report_opened();
        } else if had_stream && line.token.is_none() {
            shared.worker.borrow_mut().report_closed();
        }
    }

    pub(crate) fn is(&self, token: u32) -> bool {
        let line = self.line.borrow();
        line.as_ref().is_some_and(|line| line.is(token))
    }

    pub(crate) fn is_up(&self) -> bool {
        let line = self.line.borrow();
        line.as_ref().is_some_and(|line| line.link.is_up())
    }

    pub(crate) fn closed(&self, now: Duration, end: End, shared: &Shared) {
        if let Some(line) = self.line.borrow_mut().as_mut() {
            line.closed(now, end);
        }
        shared.worker.borrow_mut().report_closed();
    }

    pub(crate) fn on_message(&self, now: Duration, message: &[u8], shared: &Shared) {
        if let Some(line) = self.line.borrow_mut().as_mut() {
            line.link.heard(now);
        }
        if let Ok(response) = v1::ReportResponse::decode(message) {
            let mut worker = shared.worker.borrow_mut();
            worker.report_acked(response.acked, response.wants_keys);
        }
    }

    pub(crate) fn send(&self, report: &Report) {
        let token = self.line.borrow().as_ref().and_then(|line| line.token);
        let Some(token) = token else {
            return;
        };
        let mut request = v1::ReportRequest::from(report);
        if self.is_hello_due.replace(false) {
            let instance = self.hello.borrow();
            request.instance = instance.as_ref().map(|instance| v1::Instance {
                release: env!("CARGO_PKG_VERSION").to_owned(),
                protocol: PROTOCOL,
                ..v1::Instance::from(instance)
            });
        }
        host::send(token, &request.encode_to_vec());
    }
}

/// An error with its causes, as one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
