//! An answer that an object's author wrote, and what it may say.

use std::collections::BTreeMap;

use thiserror::Error;

/// An answer that is sent as it stands: no problem document, no page, no header of ours.
///
/// The rules are those of [`StaticAnswer::check`]. Who takes one in from elsewhere holds it to them; the
/// filter relies on that, because Envoy checks nothing of what a filter answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StaticAnswer {
    /// 200 to 599. What has no body by HTTP (204, 205, 304) is sent without.
    pub status: u16,
    /// Names in any case, and values. Envoy adds `content-length` and a `date`, has its own `server`, and
    /// says `content-type: text/plain` of a body when there is none; without a body it takes the content
    /// type away.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

/// The body of a [`StaticAnswer`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Body {
    /// This, whatever the request.
    Text(String),
    /// The file that the path names: decoded, without its leading `/` and without the query;
    /// `index.html` when nothing is left. No such file: no body, with the same status.
    ByPath(BTreeMap<String, File>),
}

/// One file of a [`Body::ByPath`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// Its content type, where the answer's own headers have none.
    pub content_type: Option<String>,
    /// What is in it.
    pub text: String,
}

/// Why an answer cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StaticAnswerError {
    /// A status that does not end a request, or is none.
    #[error("status is {0}, a status is 200 to 599")]
    Status(u32),
    /// More headers than [`StaticAnswer::MAX_HEADERS`].
    #[error("{0} headers, at most 64 are allowed")]
    Headers(usize),
    /// Names and values of more than [`StaticAnswer::MAX_HEADER_BYTES`].
    #[error("headers of {0} bytes, at most 16384 are allowed")]
    HeaderBytes(usize),
    /// No name of a header.
    #[error("{0:?} is no name of a header")]
    HeaderName(String),
    /// A header that is Envoy's to set.
    #[error("header {0:?} belongs to the connection and is set by Envoy")]
    ReservedHeader(String),
    /// A value that would end its header, or that HTTP/2 refuses.
    #[error("the value of header {0:?} is no line of text without space around it")]
    HeaderValue(String),
    /// Bodies of more than [`StaticAnswer::MAX_BODY_BYTES`].
    #[error("a body of {0} bytes, at most 1048576 are allowed in all")]
    BodyBytes(usize),
    /// More files than [`StaticAnswer::MAX_FILES`].
    #[error("{0} files, at most 1000 are allowed")]
    Files(usize),
    /// A content type that is no line of text, or longer than 256 bytes.
    #[error("the content type of file {0:?} is no short line of text")]
    ContentType(String),
}

/// What HTTP/2 forbids, and what frames a message: with another value than Envoy's own, the client would
/// read the next answer of its connection from the wrong place.
const RESERVED: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const MAX_CONTENT_TYPE_BYTES: usize = 256;

impl StaticAnswer {
    /// Headers of one answer.
    pub const MAX_HEADERS: usize = 64;

    /// Bytes of all names and values: about a quarter of the 60 KiB that Envoy itself takes from a backend.
    pub const MAX_HEADER_BYTES: usize = 16 << 10;

    /// Bytes of the body, or of all files together: what a ConfigMap holds.
    pub const MAX_BODY_BYTES: usize = 1 << 20;

    /// Files of one answer.
    pub const MAX_FILES: usize = 1_000;

    /// Whether Envoy can send it to any client.
    ///
    /// # Errors
    /// The first rule that it breaks.
    ///
    /// ```
    /// # use wakegate_core::{Body, StaticAnswer};
    /// let mut answer = StaticAnswer {
    ///     status: 503,
    ///     headers: vec![("Retry-After".to_owned(), "5".to_owned())],
    ///     body: Body::Text("we are starting".to_owned()),
    /// };
    /// assert_eq!(answer.check(), Ok(()));
    /// answer.headers.push(("Connection".to_owned(), "close".to_owned()));
    /// assert!(answer.check().is_err());
    /// ```
    pub fn check(&self) -> Result<(), StaticAnswerError> {
        if !(200..=599).contains(&self.status) {
            return Err(StaticAnswerError::Status(self.status.into()));
        }
        self.check_headers()?;
        match &self.body {
            Body::Text(text) => check_size(text.len()),
            Body::ByPath(files) => check_files(files),
        }
    }

    fn check_headers(&self) -> Result<(), StaticAnswerError> {
        if self.headers.len() > Self::MAX_HEADERS {
            return Err(StaticAnswerError::Headers(self.headers.len()));
        }
        let sizes = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let n_bytes = sizes.fold(0, usize::saturating_add);
        if n_bytes > Self::MAX_HEADER_BYTES {
            return Err(StaticAnswerError::HeaderBytes(n_bytes));
        }
        for (name, value) in &self.headers {
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(StaticAnswerError::HeaderName(name.clone()));
            }
            if RESERVED
                .iter()
                .any(|reserved| name.eq_ignore_ascii_case(reserved))
            {
                return Err(StaticAnswerError::ReservedHeader(name.clone()));
            }
            if !is_value(value) {
                return Err(StaticAnswerError::HeaderValue(name.clone()));
            }
        }
        Ok(())
    }
}

fn check_size(n_bytes: usize) -> Result<(), StaticAnswerError> {
    if n_bytes > StaticAnswer::MAX_BODY_BYTES {
        return Err(StaticAnswerError::BodyBytes(n_bytes));
    }
    Ok(())
}

fn check_files(files: &BTreeMap<String, File>) -> Result<(), StaticAnswerError> {
    if files.len() > StaticAnswer::MAX_FILES {
        return Err(StaticAnswerError::Files(files.len()));
    }
    let sizes = files.values().map(|file| file.text.len());
    check_size(sizes.fold(0, usize::saturating_add))?;
    let is_type = |kind: &str| kind.len() <= MAX_CONTENT_TYPE_BYTES && is_value(kind);
    let wrong = files
        .iter()
        .find(|(_, file)| !file.content_type.as_deref().is_none_or(is_type));
    wrong.map_or(Ok(()), |(path, _)| {
        Err(StaticAnswerError::ContentType(path.clone()))
    })
}

/// RFC 9110, 5.6.2. Neither a colon, which begins the names that HTTP/2 keeps for itself, nor a line's end.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9110, 5.5: no control character but the tab; RFC 9113, 8.2.1: no space at either end.
fn is_value(value: &str) -> bool {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let bytes = value.as_bytes();
    let is_text = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    bytes.iter().all(is_text)
        && !bytes.first().is_some_and(is_space)
        && !bytes.last().is_some_and(is_space)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> StaticAnswer {
        StaticAnswer {
            status: 503,
            headers: vec![("X-Any".to_owned(), "a\tb \u{fc}".to_owned())],
            body: Body::Text("text".to_owned()),
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut StaticAnswer), expected: &str) {
        let mut answer = answer();
        change(&mut answer);
        let error = answer.check().expect_err(expected);
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_http_can_say_is_fine() {
        assert_eq!(answer().check(), Ok(()));
        for status in [200, 204, 304, 418, 599] {
            assert_eq!(
                StaticAnswer { status, ..answer() }.check(),
                Ok(()),
                "{status}"
            );
        }
        let largest = StaticAnswer {
            body: Body::Text("a".repeat(StaticAnswer::MAX_BODY_BYTES)),
            ..answer()
        };
        assert_eq!(largest.check(), Ok(()));
    }

    #[test]
    fn a_status_that_ends_no_request_is_refused() {
        for status in [0, 100, 101, 199, 600, u16::MAX] {
            check(
                |answer| answer.status = status,
                &format!("status is {status}, a status is 200 to 599"),
            );
        }
    }

    #[test]
    fn a_header_that_would_break_the_connection_is_refused() {
        let header = |name: &str, value: &str, expected: &str| {
            check(
                |answer| answer.headers.push((name.to_owned(), value.to_owned())),
                expected,
            );
        };
        for name in ["", ":status", "a b", "a\r\nb", "\u{fc}", "a:"] {
            header(name, "1", &format!("{name:?} is no name of a header"));
        }
        for name in ["Content-Length", "transfer-encoding", "CONNECTION", "te"] {
            let says = format!("header {name:?} belongs to the connection and is set by Envoy");
            header(name, "1", &says);
        }
        for value in ["a\r\nset-cookie: b", "a\nb", "\0", " a", "a\t", "\u{7f}"] {
            let says = "the value of header \"x\" is no line of text without space around it";
            header("x", value, says);
        }
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let many = |n| vec![("a".to_owned(), "b".to_owned()); n];
        check(
            |answer| answer.headers = many(65),
            "65 headers, at most 64 are allowed",
        );
        check(
            |answer| answer.headers = vec![("a".to_owned(), "b".repeat(16_384))],
            "headers of 16385 bytes, at most 16384 are allowed",
        );
        let file = |size| File {
            content_type: None,
            text: "a".repeat(size),
        };
        let files = |n: usize, size| {
            let files = (0..n).map(|number| (number.to_string(), file(size)));
            Body::ByPath(files.collect())
        };
        check(
            |answer| answer.body = files(1_001, 0),
            "1001 files, at most 1000 are allowed",
        );
        check(
            |answer| answer.body = files(2, 524_289),
            "a body of 1048578 bytes, at most 1048576 are allowed in all",
        );
        let odd = File {
            content_type: Some("text/html\r\n".to_owned()),
            ..file(1)
        };
        check(
            |answer| answer.body = Body::ByPath([("a".to_owned(), odd)].into()),
            "the content type of file \"a\" is no short line of text",
        );
    }
}
