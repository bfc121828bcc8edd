//! An answer that an object's author wrote, to one request.

use std::sync::Arc;

use crate::{Body, RequestHead, StaticAnswer};

/// The longest body that becomes a gRPC message: Envoy puts it into a header, and clients refuse headers
/// of more than some KiB.
const MAX_MESSAGE_BYTES: usize = 1 << 10;

/// A [`StaticAnswer`] to one request, sent as it stands.
///
/// ```
/// # use std::{borrow::Cow, sync::Arc};
/// # use wakegate_core::{Body, File, RequestHead, StaticAnswer, StaticReply};
/// # struct Get;
/// # impl RequestHead for Get {
/// #     fn method(&self) -> Cow<'_, [u8]> {
/// #         b"GET".into()
/// #     }
/// #     fn header(&self, _name: &str) -> Option<Cow<'_, [u8]>> {
/// #         None
/// #     }
/// # }
/// let page = File {
///     content_type: Some("text/html".to_owned()),
///     text: "soon".to_owned(),
/// };
/// let answer = StaticAnswer {
///     status: 503,
///     headers: vec![],
///     body: Body::ByPath([("index.html".to_owned(), page)].into()),
/// };
/// let reply = StaticReply::new(&Arc::new(answer), b"/?from=mail", &Get);
/// let parts = reply.parts();
/// assert_eq!((parts.status, parts.body), (503, "soon"));
/// assert_eq!(parts.headers, [("content-type", "text/html")]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticReply {
    answer: Arc<StaticAnswer>,
    /// The file that is asked for, where there are files.
    file: Option<String>,
    is_grpc: bool,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The HTTP status; Envoy makes a gRPC status of it for a client that speaks gRPC.
    pub status: u16,
    /// Headers beside those that Envoy sets.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The body, or the gRPC message. To HEAD Envoy sends its length alone.
    pub body: &'a str,
}

impl StaticReply {
    /// The answer to a request of this `:path` and head.
    pub fn new(answer: &Arc<StaticAnswer>, path: &[u8], head: &impl RequestHead) -> Self {
        let file = match &answer.body {
            Body::Text(_) => None,
            Body::ByPath(_) => file_name(path),
        };
        let kind = head.header("content-type");
        Self {
            answer: Arc::clone(answer),
            file,
            is_grpc: kind.is_some_and(|kind| kind.starts_with(b"application/grpc")),
        }
    }

    /// What is sent.
    pub fn parts(&self) -> Parts<'_> {
        let StaticAnswer {
            status,
            headers,
            body,
        } = &*self.answer;
        let (text, kind) = match body {
            Body::Text(text) => (text.as_str(), None),
            Body::ByPath(files) => {
                let file = self.file.as_ref().and_then(|name| files.get(name));
                file.map_or(("", None), |file| {
                    (file.text.as_str(), file.content_type.as_deref())
                })
            }
        };
        let mut headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let mut names = headers.iter().map(|(name, _)| name);
        if let Some(kind) = kind
            && !names.any(|name| name.eq_ignore_ascii_case("content-type"))
        {
            headers.push(("content-type", kind));
        }
        Parts {
            status: *status,
            headers,
            body: if self.has_body(text) { text } else { "" },
        }
    }

    /// Bytes behind the head of an answer that has no body would be read as the next answer.
    fn has_body(&self, text: &str) -> bool {
        let is_bodiless = matches!(self.answer.status, 204 | 205 | 304);
        let is_too_long = self.is_grpc && text.len() > MAX_MESSAGE_BYTES;
        !is_bodiless && !is_too_long
    }
}

/// The file that a `:path` asks for; none when it is not UTF-8, as every name is.
fn file_name(path: &[u8]) -> Option<String> {
    let path = path.split(|byte| *byte == b'?').next().unwrap_or(path);
    let path = path.strip_prefix(b"/").unwrap_or(path);
    if path.is_empty() {
        return Some("index.html".to_owned());
    }
    String::from_utf8(decoded(path)).ok()
}

/// Without percent-encoding; what only looks like it stays.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let Some((byte, behind)) = escaped(*first, rest) else {
            decoded.push(*first);
            continue;
        };
        decoded.push(byte);
        rest = behind;
    }
    decoded
}

/// The byte that `first` and the two after it stand for, if they do, and what is behind them.
fn escaped(first: u8, rest: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let ([high, low], behind) = rest.split_first_chunk::<2>().filter(|_| first == b'%')?;
    let byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    Some((byte, behind))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::File;

    /// The content type of a request.
    struct Head(Option<&'static str>);

    impl RequestHead for Head {
        fn method(&self) -> Cow<'_, [u8]> {
            b"GET".into()
        }

        fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
            let kind = self.0.filter(|_| name == "content-type");
            kind.map(|kind| kind.as_bytes().into())
        }
    }

    fn text(status: u16, body: &str) -> Arc<StaticAnswer> {
        Arc::new(StaticAnswer {
            status,
            headers: vec![("X-A".to_owned(), "1".to_owned())],
            body: Body::Text(body.to_owned()),
        })
    }

    fn files(headers: Vec<(String, String)>) -> Arc<StaticAnswer> {
        let file = |name: &str, kind: Option<&str>| {
            let file = File {
                content_type: kind.map(str::to_owned),
                text: format!("in {name}"),
            };
            (name.to_owned(), file)
        };
        Arc::new(StaticAnswer {
            status: 200,
            headers,
            body: Body::ByPath(
                [
                    file("index.html", Some("text/html")),
                    file("a b\u{fc}.css", Some("text/css")),
                    file("plain", None),
                ]
                .into(),
            ),
        })
    }

    #[test]
    fn the_path_names_the_file() {
        for (path, body) in [
            ("/", "in index.html"),
            ("", "in index.html"),
            ("/?a=/plain", "in index.html"),
            ("/plain?a", "in plain"),
            ("plain", "in plain"),
            ("/%70lain", "in plain"),
            ("/a%20b%c3%BC.css", "in a b\u{fc}.css"),
            ("//plain", ""),
            ("/plain/", ""),
            ("/plain%", ""),
            ("/plain%0", ""),
            ("/%zzplain", ""),
            ("/%+7plain", ""),
            ("/%ff", ""),
            ("*", ""),
        ] {
            let reply = StaticReply::new(&files(vec![]), path.as_bytes(), &Head(None));
            assert_eq!(reply.parts().body, body, "{path}");
            assert_eq!(reply.parts().status, 200);
        }
    }

    #[test]
    fn a_file_brings_its_content_type_unless_the_answer_has_one() {
        let kinds = |headers: Vec<(String, String)>, path: &[u8]| {
            let reply = StaticReply::new(&files(headers), path, &Head(None));
            let parts = reply.parts();
            let kinds = parts.headers.iter().map(|(_, value)| (*value).to_owned());
            kinds.collect::<Vec<_>>()
        };
        let own = || vec![("Content-Type".to_owned(), "own".to_owned())];
        assert_eq!(kinds(vec![], b"/"), ["text/html"]);
        assert_eq!(kinds(vec![], b"/plain"), [""; 0]);
        assert_eq!(kinds(vec![], b"/none"), [""; 0]);
        assert_eq!(kinds(own(), b"/"), ["own"]);
    }

    #[test]
    fn what_has_no_body_by_its_status_is_sent_without() {
        for (status, body) in [(204, ""), (205, ""), (304, ""), (200, "a"), (503, "a")] {
            let reply = StaticReply::new(&text(status, "a"), b"/", &Head(None));
            let parts = reply.parts();
            assert_eq!((parts.status, parts.body), (status, body));
            assert_eq!(parts.headers, [("X-A", "1")]);
        }
    }

    #[test]
    fn a_grpc_client_gets_a_short_text_as_its_message_and_no_page() {
        let body_of = |n_bytes: usize, kind| {
            let reply = StaticReply::new(&text(503, &"a".repeat(n_bytes)), b"/", &Head(kind));
            reply.parts().body.len()
        };
        let grpc = Some("application/grpc+proto");
        assert_eq!(body_of(1_024, grpc), 1_024);
        assert_eq!(body_of(1_025, grpc), 0);
        assert_eq!(body_of(1_025, Some("text/plain")), 1_025);
    }
}
