//! The answers that the filter gives itself.

mod static_reply;

use std::{fmt::Write as _, time::Duration};

use crate::BackendId;

pub use self::static_reply::{Parts, StaticReply};

/// An answer, and why it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Why.
    pub reason: Reason,
    /// The status, for clients that do not speak gRPC.
    pub status: u16,
    /// When it makes sense to try again.
    pub retry_after: Option<Duration>,
    /// The backend that could not be reached.
    pub backend: BackendId,
    /// Whether a browser gets a page that tries again.
    pub waiting_page: bool,
    /// For how long the request was held before.
    pub held: Option<Duration>,
}

/// Why the filter answers itself. Each has a counter and a word for logs and bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Held for as long as the policy allows.
    HoldTimeout,
    /// No room to hold it.
    Overflow,
    /// The backend's ScaledObject is paused at zero.
    Paused,
    /// Envoy has no cluster for it: held, it would be answered by the same direct response.
    NoCluster,
    /// A request that wakes nothing, to a backend that is asleep.
    NoWake,
    /// Its route has an answer in place of a hold.
    Placeholder,
    /// Its route has an answer for requests like it.
    StaticRoute,
}

/// An answer in the form that the client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The HTTP status; for gRPC it is what a proxy maps it from.
    pub status: u16,
    /// A gRPC status, when the client speaks gRPC.
    pub grpc_status: Option<u32>,
    /// Headers beside those that Envoy sets.
    pub headers: Vec<(&'static str, String)>,
    /// The body, or the gRPC message.
    pub body: String,
}

/// gRPC's UNAVAILABLE: what it calls a failure that is worth a retry.
const GRPC_UNAVAILABLE: u32 = 14;

impl Reason {
    /// The word for logs, bodies and `response.code_details`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HoldTimeout => "hold_timeout",
            Self::Overflow => "overflow",
            Self::Paused => "paused",
            Self::NoCluster => "no_cluster",
            Self::NoWake => "no_wake",
            Self::Placeholder => "placeholder",
            Self::StaticRoute => "static_route",
        }
    }
}

impl Answer {
    /// The answer for a client that sent these headers.
    pub fn render(&self, accept: Option<&[u8]>, content_type: Option<&[u8]>) -> Rendered {
        let is_grpc = content_type.is_some_and(|kind| kind.starts_with(b"application/grpc"));
        let accepts = |kind: &str| {
            accept.is_some_and(|accept| {
                accept
                    .windows(kind.len())
                    .any(|part| part.eq_ignore_ascii_case(kind.as_bytes()))
            })
        };
        let mut headers = Vec::new();
        let retry_secs = self.retry_after.map(whole_seconds);
        if let Some(secs) = retry_secs {
            headers.push(("retry-after", secs.to_string()));
        }
        let body = if self.reason == Reason::NoWake {
            String::new()
        } else if is_grpc {
            self.detail()
        } else if self.waiting_page && accepts("text/html") {
            // Before JSON: a browser's `accept` names HTML, and some name both.
            headers.push(("content-type", "text/html; charset=utf-8".to_owned()));
            headers.push(("cache-control", "no-store".to_owned()));
            waiting_page(retry_secs.unwrap_or(DEFAULT_RETRY_SECS))
        } else if accepts("json") {
            headers.push(("content-type", "application/problem+json".to_owned()));
            self.problem()
        } else {
            headers.push(("content-type", "text/plain; charset=utf-8".to_owned()));
            format!("{}\n", self.detail())
        };
        Rendered {
            status: self.status,
            grpc_status: is_grpc.then_some(GRPC_UNAVAILABLE),
            headers,
            body,
        }
    }

    fn detail(&self) -> String {
        let backend = &self.backend;
        match self.reason {
            Reason::HoldTimeout => format!("{backend} did not become ready in time"),
            Reason::Overflow => format!("too many requests wait for {backend}"),
            Reason::Paused => format!("{backend} is paused at zero replicas"),
            Reason::NoCluster => format!("{backend} has no endpoint that Envoy knows"),
            // The last two are answered in their author's words alone: see `StaticReply`.
            Reason::NoWake | Reason::Placeholder | Reason::StaticRoute => String::new(),
        }
    }

    /// RFC 9457. Names come from Kubernetes, but a manifest file may hold anything: they are escaped.
    fn problem(&self) -> String {
        let mut json = String::from(r#"{"type":"about:blank","title":""#);
        json.push_str(match self.status {
            429 => "Too Many Requests",
            504 => "Gateway Timeout",
            _ => "Service Unavailable",
        });
        // Writing to a string cannot fail.
        let _ = write!(json, r#"","status":{},"detail":""#, self.status);
        push_escaped(&mut json, &self.detail());
        let _ = write!(json, r#"","reason":"{}"}}"#, self.reason.as_str());
        json
    }
}

/// When nothing was measured yet: how long a small container takes to start.
const DEFAULT_RETRY_SECS: u64 = 5;

/// At least one: `retry-after: 0` asks for a retry storm.
fn whole_seconds(after: Duration) -> u64 {
    after
        .as_secs()
        .saturating_add(u64::from(after.subsec_nanos() > 0))
        .max(1)
}

fn waiting_page(retry_secs: u64) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"refresh\" content=\"{retry_secs}\"><title>Starting</title></head>\
         <body><p>This service is starting. This page tries again in {retry_secs} s.</p></body></html>\n"
    )
}

fn push_escaped(json: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '"' | '\\' => json.extend(['\\', char]),
            char if char.is_control() => {
                let _ = write!(json, "\\u{:04x}", u32::from(char));
            }
            char => json.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        Answer {
            reason: Reason::HoldTimeout,
            status: 504,
            retry_after: Some(Duration::from_millis(2_300)),
            backend: BackendId::new("shop", "web", 80),
            waiting_page: true,
            held: None,
        }
    }

    fn content_type(rendered: &Rendered) -> Option<&str> {
        let mut headers = rendered.headers.iter();
        headers.find_map(|(name, value)| (*name == "content-type").then_some(value.as_str()))
    }

    #[test]
    fn an_answer_takes_the_form_that_the_client_asks_for() {
        let plain = answer().render(None, None);
        assert_eq!(content_type(&plain), Some("text/plain; charset=utf-8"));
        assert_eq!(plain.body, "shop/web/80 did not become ready in time\n");
        assert!(plain.headers.contains(&("retry-after", "3".to_owned())));

        let json = answer().render(Some(b"application/json"), None);
        assert_eq!(content_type(&json), Some("application/problem+json"));
        assert_eq!(
            json.body,
            r#"{"type":"about:blank","title":"Gateway Timeout","status":504,"detail":"shop/web/80 did not become ready in time","reason":"hold_timeout"}"#
        );

        let grpc = answer().render(Some(b"text/html"), Some(b"application/grpc+proto"));
        assert_eq!((grpc.grpc_status, content_type(&grpc)), (Some(14), None));

        let page = answer().render(Some(b"text/html,application/json"), None);
        assert!(page.body.contains("content=\"3\""), "{}", page.body);
        let without = Answer {
            waiting_page: false,
            ..answer()
        };
        let json = without.render(Some(b"text/html,application/json"), None);
        assert_eq!(content_type(&json), Some("application/problem+json"));
    }

    #[test]
    fn a_name_cannot_break_out_of_the_json() {
        let odd = Answer {
            backend: BackendId::from("a\"\\\n/b"),
            ..answer()
        };
        let json = odd.render(Some(b"json"), None).body;
        assert!(json.contains(r#"a\"\\\u000a/b did"#), "{json}");
    }
}
